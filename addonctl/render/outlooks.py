"""What a cluster will cost: by name, together, how good such forecasts have been, and what began to cost more."""

from datetime import timedelta

from addonctl.model.forecast import HORIZON_DAYS, Accuracy, Forecast, Interval, Unknown
from addonctl.render.costs import change, usd
from addonctl.render.documents import SCHEMA, Document, plain
from addonctl.render.drawing import labels
from addonctl.render.screen import BAD, FAIR, GOOD, QUIET, Style, print_line, say, table, title
from addonctl.render.tables import Cell, Column, Fit
from addonctl.spending import Outlook


def outlook(found: Outlook, style: Style, *, demo: bool = False) -> None:
    """The table of `addonctl cost forecast`, the dearest first."""
    whole, parts = found.forecast.whole, found.forecast.parts
    if style.headers:
        total = f"${usd(whole.total)}" if isinstance(whole, Forecast) else "unknown"
        name = f"DEMO  {found.cluster}" if demo else found.cluster
        say(f"{name}  ·  next 30 days {total}{_within(whole)}, at list price", "bold")
        if demo:
            say("Made up for the demo: all days.", FAIR)
        say(f"last 30 days ${usd(sum(found.paid.values()))}; {found.recorded} days recorded until {found.last}")
        print_line()
    named = labels(parts)
    rows = [_row(str(named[name]), found.paid[name], each) for name, each in _dearest_first(found)]
    columns = [Column("NAME", Fit.LAST), Column("LAST 30 D $", drop=2), Column("NEXT 30 D $")]
    columns += [Column("BETWEEN $", drop=1), Column("WHY", Fit.WRAP, drop=3)]
    table(columns, rows, headers=style.headers)
    if style.headers:
        _support(found)
        _back_test(whole)
        _shifts(found)


def _extended(found: Outlook) -> Document:
    kubernetes, begins, upgraded = found.support
    day = begins.isoformat() if begins else None
    return {"kubernetes": str(kubernetes) if kubernetes else None, "begins": day, "upgraded_by_aws": upgraded}


def _support(found: Outlook) -> None:
    """What is in it of extended support, or why not."""
    kubernetes, begins, upgraded = found.support
    print_line()
    if kubernetes is None:
        say("Which Kubernetes runs was not recorded: extended support is in it as far as it was paid.", FAIR)
    elif begins is None:
        say(f"EKS's support of Kubernetes {kubernetes} is not known.", FAIR)
    elif upgraded:
        say(f"Its upgrade policy is STANDARD: AWS upgrades {kubernetes} from {begins} on and bills nothing more.")
    elif begins <= found.last + timedelta(days=HORIZON_DAYS):
        say(f"Extended support of Kubernetes {kubernetes} is in it from {begins} on.", FAIR)


def _dearest_first(found: Outlook) -> list[tuple[str, Forecast | Unknown]]:
    def rank(each: tuple[str, Forecast | Unknown]) -> tuple[int, str]:
        name, forecast = each
        return (-(forecast.total if isinstance(forecast, Forecast) else found.paid[name]), name)

    return sorted(found.forecast.parts.items(), key=rank)


def _row(name: str, paid: int, forecast: Forecast | Unknown) -> list[Cell | str]:
    if isinstance(forecast, Unknown):
        return [name, usd(paid), Cell("unknown", FAIR), "-", forecast.reason]
    between = forecast.interval
    span = f"{usd(between.low)} – {usd(between.high)}" if isinstance(between, Interval) else "unknown"
    return [name, usd(paid), usd(forecast.total), span, "" if isinstance(between, Interval) else between.reason]


def _within(whole: Forecast | Unknown) -> str:
    if isinstance(whole, Unknown) or isinstance(whole.interval, Unknown):
        return ""
    between = whole.interval
    return f" (${usd(between.low)} – {usd(between.high)} with {between.coverage:.0%})"


def _back_test(whole: Forecast | Unknown) -> None:
    print_line()
    if isinstance(whole, Unknown):
        say(f"Not known: {whole.reason}.", FAIR)
        return
    test = whole.back_test
    if isinstance(test, Unknown):
        say(f"How good this is, is not known: {test.reason}.", FAIR)
        return
    say(f"As of {test.origins} earlier days ({test.first} to {test.last}), of the total of 30 days:", QUIET)
    methods = {"this forecast": test.forecast, "the last 30 days": test.naive, "the last week": test.seasonal_naive}
    for name, accuracy in methods.items():
        say(f"{name}: {_accuracy(accuracy)}", QUIET, "  ")
    if test.intervals:
        say(f"{test.covered} of {test.intervals} totals were in their interval.", QUIET, "  ")


def _accuracy(accuracy: Accuracy) -> str:
    wape = "unknown" if accuracy.total_wape is None else f"{accuracy.total_wape:.1%} off"
    mase = "" if accuracy.mase is None else f", MASE {accuracy.mase:.2f}"
    return f"{wape}{mase}"


def _shifts(found: Outlook) -> None:
    """What costs more or less than before, the greatest first."""
    named = labels(found.shifts)
    listed = [(str(named[name]), shift) for name, shifts in found.shifts.items() for shift in shifts]
    if listed:
        title("What changed")
    for name, shift in sorted(listed, key=lambda each: -abs(each[1].a_month)):
        colour = BAD if shift.a_month > 0 else GOOD
        say(f"{name}: {change(shift.a_month)} a month since {shift.since}", colour)


def outlook_document(found: Outlook, demo: bool) -> Document:
    """`addonctl cost forecast -o json`: micro-dollars; unknown figures have a `reason`."""
    return {
        "schema": SCHEMA,
        "kind": "CostForecast",
        "cluster": found.cluster,
        "made_up": ["all days"] if demo else [],
        "extended_support": _extended(found),
        "recorded_days": found.recorded,
        "last": found.last.isoformat(),
        "paid_30_days_usd_micros": dict(found.paid),
        "forecast": plain(found.forecast),
        "level_shifts": {name: plain(shifts) for name, shifts in found.shifts.items() if shifts},
    }
