"""The dashboard of a cluster's add-ons: panels for a terminal, two beside each other where there is room; and JSON.

Colours only add: what they say stands there in words or by its place. Called by `addonctl dashboard`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

from addonctl.assessment import Assessment
from addonctl.cost import OTHERS, CostRow
from addonctl.dashboard import Coming, Dashboard, Recommendation, Resource, Trend, Unit, Upcoming, Within
from addonctl.model import Severity
from addonctl.model.cost import HOURS_PER_MONTH, Pool
from addonctl.model.forecast import Accuracy, Forecast, Unknown
from addonctl.model.opportunity import Frees, Opportunities, Opportunity
from addonctl.opportunities import KINDS
from addonctl.performance import Performance
from addonctl.render.charts import bar, buckets, chart, sparkline
from addonctl.render.commands import action_text
from addonctl.render.costs import change, cpu, figure, memory, totals, usd
from addonctl.render.documents import Document, envelope, plain
from addonctl.render.drawing import labels
from addonctl.render.escaping import plain as printable
from addonctl.render.opportunities import opportunities_part
from addonctl.render.screen import BAD, CALM, FAIR, GOOD, QUIET, Style, counted, print_line, width
from addonctl.render.tables import Cell, Column, Fit, Line, cell_width, lay_out, wrap
from addonctl.render.usages import share

if TYPE_CHECKING:
    from rich.text import Text

_Cells: TypeAlias = "Sequence[Sequence[Cell | str]]"
TWO_COLUMNS = 104
"""From this width on, panels stand beside each other."""
_GUTTER = 4
_WIDE_BAR, _BAR, _SPARK = 20, 10, 12
_CHART_LINES = 4
_SEVERITY = {Severity.REQUIRED: BAD, Severity.RECOMMENDED: FAIR, Severity.INFO: CALM}
DUE = {Severity.REQUIRED: "today", Severity.RECOMMENDED: "this week", Severity.INFO: "next month"}
_COMING = {
    Coming.UPDATE: "update",
    Coming.MIGRATE: "migrate",
    Coming.STANDARD_SUPPORT_ENDS: "standard support ends",
    Coming.EXTENDED_SUPPORT_ENDS: "extended support ends",
    Coming.FIXES_END: "its release gets no more fixes",
}
_NAMES = {"cpu": "CPU", "memory": "memory", "network": "network", "volumes": "volumes"}
FORMULA = "100 × (1 - (idle + unclaimed + savings) ÷ paid)"


@dataclass(frozen=True, slots=True)
class Limits:
    """So many rows of a panel are shown; the rest is counted."""

    addons: int = 6
    categories: int = 4
    opportunities: int = 3
    soon: int = 5
    later: int = 2
    upcoming: int = 4
    performance: int = 2


_ALL = Limits(*(10_000,) * 7)


# ── The terminal ────────────────────────────────────────────────────────────────────────────────────────────────


def dashboard(assessment: Assessment, found: Dashboard, style: Style) -> None:
    """One screen at 120 × 40; one panel under the other where it is narrower, and in a pipe, with all rows."""
    wide = width()
    for line in _lines(assessment, found, _ALL if style.wide or wide is None else Limits(), wide):
        print_line(*line)


def screenful(assessment: Assessment, found: Dashboard, wide: int, high: int, last: str) -> "Text":
    """As much of the same as a screen of so many columns and lines holds, above a last line."""
    from rich.text import Text

    lines = list(_lines(assessment, found, Limits(), wide))
    below = len(lines) - (high - 1)
    hidden = f"{counted(below, 'more line')} below; " if below > 0 else ""
    shown = Text(no_wrap=True, overflow="crop", end="")
    for line in (*lines[: high - 1], (Cell(f"{hidden}{last}", QUIET),)):
        shown.append("\n" if shown else "")
        for cell in line:
            shown.append(printable(cell.text), cell.style or "default")
    return shown


def _lines(assessment: Assessment, found: Dashboard, limits: Limits, wide: int | None) -> Iterator[Line]:
    yield from _head(assessment, found, wide)
    if wide is None or wide < TWO_COLUMNS:
        for _, lines in _panels(found, limits, wide):
            yield from lines
        return
    room = (wide - _GUTTER) // 2
    sides: dict[_Side, list[Line]] = {_Side.LEFT: [], _Side.RIGHT: []}
    for side, lines in _panels(found, limits, room):
        sides[side] += lines
    for left, right in zip_longest(sides[_Side.LEFT], sides[_Side.RIGHT], fillvalue=()):
        yield (*_padded(left, room + _GUTTER), *right)


def _padded(line: Line, room: int) -> Line:
    used = sum(cell_width(cell.text) for cell in line)
    return (*line, Cell(" " * max(0, room - used)))


def _head(assessment: Assessment, found: Dashboard, room: int | None) -> Iterator[Line]:
    total, add_ons = totals(found.cost)
    demo = "DEMO  " if assessment.cluster.demo else ""
    saved = can_be_saved(found)
    told = [f"{demo}{assessment.cluster.name}", f"{total} a month at list price, add-ons {add_ons}"]
    yield from _text("  ·  ".join([*told, f"can be saved: {saved}"] if saved else told), room, "bold")
    score, health = found.efficiency.score, assessment.health.score
    efficiency = f"efficiency {'unknown' if isinstance(score, Unknown) else f'{score} of 100'}"
    how = f"health {'unknown' if health is None else f'{health} of 100'}"
    yield from _text(f"{efficiency}  ·  {how}  ·  {next_30_days(found.trend)}", room, "")
    if found.made_up:
        yield from _text(f"Made up for the demo: {', '.join(found.made_up)}.", room, FAIR)


def can_be_saved(found: Dashboard) -> str:
    """What all opportunities save together, by what they free; empty for none."""
    sums = ((frees, found.opportunities.usd_micros(frees)) for frees in (Frees.CHARGES, Frees.ROOM))
    return ", ".join(f"${usd(micros)} of {frees.value}" for frees, micros in sums if micros)


def next_30_days(trend: Trend | Unknown) -> str:
    """`next 30 days $1,065.27 ($1,050.10 – $1,080.00 with 80 %)`."""
    whole = trend.outlook.forecast.whole if isinstance(trend, Trend) else trend
    if isinstance(whole, Unknown):
        return "next 30 days unknown"
    between, total = whole.interval, f"next 30 days ${usd(whole.total)}"
    if isinstance(between, Unknown):
        return total
    return f"{total} (${usd(between.low)} – ${usd(between.high)} with {100 * between.coverage:.0f} %)"


class _Side(Enum):
    LEFT = "left"
    RIGHT = "right"


def _panels(found: Dashboard, limits: Limits, room: int | None) -> Iterator[tuple[_Side, list[Line]]]:
    """In the order in which they are read where they stand under each other."""
    named, left, right = names(found), _Side.LEFT, _Side.RIGHT
    add_ons, categories = found.by_addon, found.by_category
    yield left, _panel("A MONTH, IN DOLLARS", _whole(found, room))
    yield right, _panel("A DAY, UNTIL NOW AND 30 AHEAD", _trend(found.trend, named, room))
    yield left, _panel("BY ADD-ON", _costs(found, add_ons, named, limits.addons, room))
    yield left, _panel("BY CATEGORY", _costs(found, categories, {}, limits.categories, room))
    yield right, _panel("WHAT CAN BE SAVED A MONTH", _opportunities(found, named, limits.opportunities, room))
    yield right, _panel("WHAT TO DO", _recommendations(found.recommendations, named, limits, room))
    yield right, _panel("UPCOMING", _upcoming(found.upcoming, named, limits.upcoming, room))
    yield left, _panel("RESOURCES", _resources(found.resources, room))
    yield left, _panel("PERFORMANCE, OF 100", _performance(found.performance, named, limits.performance, room))
    yield right, _panel("EFFICIENCY, OF 100", _efficiency(found, room))


def names(found: Dashboard) -> Mapping[str, str]:
    """Short names of installations; the rest of what is named stays as it is."""
    ids = [each.installation for each in found.performance]
    trend = found.trend.by_name if isinstance(found.trend, Trend) else {}
    return {each: str(label) for each, label in labels(dict.fromkeys([*ids, *trend])).items()}


def _panel(title: str, lines: Iterable[Line]) -> list[Line]:
    return [(), (Cell(title, "bold"),), *lines]


def _text(text: str, room: int | None, style: str = QUIET) -> Iterator[Line]:
    shown = printable(text)
    for line in wrap(shown, room) if room else [shown]:
        yield (Cell(line, style),)


def _more(left: int, room: int | None) -> Iterator[Line]:
    if left > 0:
        yield from _text(f"and {left} more", room)


def _rows(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell | str]], room: int | None, *, headers: bool = True
) -> Iterator[Line]:
    cells = [[Cell(printable(c)) if isinstance(c, str) else Cell(printable(c.text), c.style) for c in r] for r in rows]
    if cells:
        laid = lay_out(columns, cells, room)
        yield from ((tuple(Cell(each.text, QUIET) for each in laid.header), *laid.lines) if headers else laid.lines)


# ── Panels ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _whole(found: Dashboard, room: int | None) -> Iterator[Line]:
    """What all the money is for, the dearest first."""
    paid = found.cost.usd_micros
    columns = [Column(""), Column(""), Column(""), Column("", drop=1)]
    lines: _Cells = [
        [
            each.name,
            _right(each.told),
            _share(each.usd_micros, paid) if each.usd_micros else "",
            Cell(bar(each.usd_micros / (paid or 1), _WIDE_BAR), CALM),
        ]
        for each in purposes(found)
    ]
    yield from _rows(columns, lines, room, headers=False)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What money is for; `told` is the figure in dollars: unknown, or with ≥ where something in it has none."""

    name: str
    usd_micros: int
    told: str


def purposes(found: Dashboard) -> list[Purpose]:
    """Add-ons, other workloads, and what is nobody's; the dearest first."""
    sums: dict[str, list[CostRow]] = {"add-ons": []}
    for row in found.by_addon:
        sums.setdefault(row.name if _is_others(row) else "add-ons", []).append(row)
    told = (_purpose(name, rows) for name, rows in sums.items())
    return sorted((each for each in told if each.told != _NOTHING), key=lambda each: -each.usd_micros)


_NOTHING = "0.00"


def _purpose(name: str, rows: Sequence[CostRow]) -> Purpose:
    micros, least = sum(row.usd_micros for row in rows), any(row.is_partial or row.unknown for row in rows)
    told = "unknown" if least and not micros else f"{'≥' if least else ''}{usd(micros)}"
    return Purpose(name, micros, told)


def _is_others(row: CostRow) -> bool:
    """Whether it is no add-on's, nor a category's."""
    return row.pool or row.name == OTHERS or row.name in _POOLS


_POOLS = frozenset(pool.value for pool in Pool)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:5.1f} %"


def _costs(
    found: Dashboard, rows: Sequence[CostRow], named: Mapping[str, str], limit: int, room: int | None
) -> Iterator[Line]:
    """Those of add-ons, the dearest first; the bar is the share of the dearest."""
    mine = owned(rows)
    most = max((row.usd_micros for row in mine), default=0) or 1
    days = found.trend.by_name if isinstance(found.trend, Trend) and named else {}
    lines: _Cells = [
        [
            named.get(row.name, row.name),
            _right(figure(row)),
            Cell(bar(row.usd_micros / most, _BAR), CALM),
            Cell(sparkline(days[row.name], _SPARK) if row.name in days else "", QUIET),
        ]
        for row in mine[:limit]
    ]
    columns = [Column("", Fit.CUT), Column(""), Column("", drop=2), Column("", drop=1)]
    yield from _rows(columns, lines, room, headers=False)
    rest = mine[limit:]
    if rest:
        yield from _text(f"and {len(rest)} more, {_together(rest)}", room)


def _together(rows: Sequence[CostRow]) -> str:
    """The sum of some rows; what has no figure makes it unknown, or the least that it is."""
    if not any(row.is_known for row in rows):
        return "unknown"
    least = "at least " if any(row.is_partial or row.unknown for row in rows) else ""
    return f"{least}${usd(sum(row.usd_micros for row in rows))} together"


def owned(rows: Iterable[CostRow]) -> list[CostRow]:
    """The rows of add-ons."""
    shown = (row for row in rows if row.usd_micros or row.unknown or row.is_partial)
    return [row for row in shown if not _is_others(row)]


def _right(text: str) -> str:
    return f"{text:>9}"


def _resources(resources: Sequence[Resource], room: int | None) -> Iterator[Line]:
    """Use, requests and what there is; the bar is requests of what there is."""
    lines: _Cells = [
        [
            _NAMES[each.name],
            _amount(each.used, each.unit),
            _amount(each.requested, each.unit),
            _amount(each.allocatable, each.unit),
            Cell(_of_all(each), CALM),
        ]
        for each in resources
    ]
    columns = [Column(""), Column("USED"), Column("REQUESTED"), Column("ALLOCATABLE"), Column("USED OF IT", drop=1)]
    yield from _rows(columns, lines, room)
    why: dict[str, list[str]] = {}
    for each in resources:
        unknown = [
            value.reason for value in (each.used, each.requested, each.allocatable) if isinstance(value, Unknown)
        ]
        if unknown:
            why.setdefault(", ".join(dict.fromkeys(unknown)), []).append(_NAMES[each.name])
    if why:
        yield from _text("; ".join(f"{', '.join(of)}: {reason}" for reason, of in why.items()), room)


def amount(value: int, unit: Unit) -> str:
    """A figure with its unit, as Kubernetes writes it."""
    if unit is Unit.MILLICORES:
        return cpu(value)
    return memory(value) + ("/s" if unit is Unit.BYTES_PER_SECOND else "")


def _amount(value: int | Unknown, unit: Unit) -> Cell:
    return Cell("unknown", QUIET) if isinstance(value, Unknown) else Cell(amount(value, unit))


def _of_all(each: Resource) -> str:
    if isinstance(each.allocatable, Unknown) or not each.allocatable or isinstance(each.used, Unknown):
        return ""
    return f"{bar(each.used / each.allocatable, 8)} {100 * each.used / each.allocatable:.0f} %"


def _performance(
    found: Sequence[Performance], named: Mapping[str, str], limit: int, room: int | None
) -> Iterator[Line]:
    known = [each for each in found if isinstance(each.score, int)]
    lines: _Cells = [
        [named[each.installation], Cell(f"{each.score:>3}", _of_score(each.score)), Cell(said_of(each), QUIET)]
        for each in known[:limit]
        if isinstance(each.score, int)
    ]
    columns = [Column("", Fit.LAST), Column(""), Column("", Fit.CUT, drop=1)]
    yield from _rows(columns, lines, room, headers=False)
    yield from _more(len(known) - limit, room)
    for reason, whose in unscored(found, named):
        yield from _text(f"unknown of {whose}: {reason}", room)


def unscored(found: Sequence[Performance], named: Mapping[str, str]) -> list[tuple[str, str]]:
    """Why scores are not known, and of whom."""
    why: dict[str, list[str]] = {}
    for each in found:
        if isinstance(each.score, Unknown):
            why.setdefault(each.score.reason, []).append(named[each.installation])
    return [(reason, ", ".join(of) if len(of) <= 3 else f"{len(of)} add-ons") for reason, of in why.items()]


def _of_score(score: int) -> str:
    return BAD if score < 50 else FAIR if score < 90 else GOOD


def said_of(each: Performance) -> str:
    """Why a score is what it is, in a few words."""
    said = []
    if each.oom_kills:
        said.append(f"{each.oom_kills} OOM kills")
    if each.answers and each.answers[0].failed:
        worst = each.answers[0]
        said.append(f"{share(worst.failed / worst.requests)} of {worst.sli} failed")
    if each.throttled:
        said.append(f"throttled {100 * each.throttled:.0f} % of the time")
    if each.cpu_over_request:
        said.append("uses more CPU than it requests")
    if each.memory_of_limit is not None and each.memory_of_limit >= 0.9:
        said.append(f"memory at {100 * each.memory_of_limit:.0f} % of its limit")
    return ", ".join(said) or "nothing holds it up"


def _trend(trend: Trend | Unknown, named: Mapping[str, str], room: int | None) -> Iterator[Line]:
    """The days that were recorded, a mark at today, and the days to come."""
    if isinstance(trend, Unknown):
        yield from _text(f"unknown: {trend.reason}", room)
        return
    whole = trend.outlook.forecast.whole
    past = [each.usd_micros for each in trend.days]
    ahead = list(whole.usd_micros) if isinstance(whole, Forecast) else []
    yield from _chart(past, ahead, room)
    if isinstance(whole, Unknown):
        yield from _text(f"next 30 days unknown: {whole.reason}", room)
        return
    yield from _text(f"last 30 days ${usd(sum(trend.outlook.paid.values()))}; {back_test(whole)}", room)
    for name, shift in shifts(trend)[:1]:
        yield from _text(f"{named.get(name, name)}: {change(shift.a_month)} a month since {shift.since}", room)


def _chart(past: Sequence[int | None], ahead: Sequence[int], room: int | None) -> Iterator[Line]:
    """Dollars a day at the top and the bottom; to the right of the line is what is forecast."""
    known = [each for each in (*past, *ahead) if each is not None]
    top, bottom = f"${usd(max(known))}", f"${usd(min(known))}"
    margin = max(len(top), len(bottom)) + 1
    width_ = min((room or 100) - margin - 1, len(past) + len(ahead))
    cut = round(width_ * len(past) / (len(past) + len(ahead)))
    values = [*buckets(past, cut), *buckets(ahead, width_ - cut)]
    cut = min(cut, len(past))
    drawn = chart(values, _CHART_LINES)
    for number, line in enumerate(drawn):
        label = top if not number else bottom if number == _CHART_LINES - 1 else ""
        yield (Cell(f"{label:>{margin - 1}} ", QUIET), Cell(line[:cut]), Cell("│", QUIET), Cell(line[cut:], CALM))


def back_test(whole: Forecast) -> str:
    """How far off such forecasts have been."""
    test = whole.back_test
    if isinstance(test, Unknown):
        return f"how good it is, is not known: {test.reason}"
    return f"forecasts {_off(test.forecast)} off, naive {_off(test.naive)}"


def _off(accuracy: Accuracy) -> str:
    return "unknown" if accuracy.total_wape is None else f"{100 * accuracy.total_wape:.1f} %"


def shifts(trend: Trend) -> list[tuple[str, Any]]:
    """What began to cost more or less, the greatest first."""
    found = [(name, shift) for name, those in trend.outlook.shifts.items() for shift in those]
    return sorted(found, key=lambda each: -abs(each[1].a_month))


def _opportunities(found: Dashboard, named: Mapping[str, str], limit: int, room: int | None) -> Iterator[Line]:
    all_ = found.opportunities.found
    lines: _Cells = [
        [named.get(each.installation, each.what), Cell(_right(saving(each)), GOOD), KINDS[each.kind].title]
        for each in all_[:limit]
    ]
    yield from _rows([Column("", Fit.CUT), Column(""), Column("", Fit.CUT)], lines, room, headers=False)
    why = _not_judged(found.opportunities)
    more = [f"and {len(all_) - limit} more"] if len(all_) > limit else []
    if all_ and why and more:
        more.append(f"{counted(sum(map(len, why.values())), 'kind')} not judged (addonctl opportunities)")
        why = {}
    if more or not all_:
        nothing = f"nothing was found; {unjudged_kinds(found.opportunities)}" if why else "nothing was found"
        yield from _text("; ".join(more) or nothing, room)
    for reason, kinds in why.items():
        yield from _text(f"not judged: {', '.join(kinds)}: {reason}", room)


def unjudged_kinds(found: Opportunities) -> str:
    """`3 of 14 kinds were not judged`, of all or of some add-ons; empty for none."""
    kinds = len({each.kind for each in found.not_judged})
    return f"{kinds} of {len(KINDS)} kinds were not judged" if kinds else ""


def _not_judged(found: Opportunities) -> Mapping[str, list[str]]:
    """Why some kinds were not judged → their titles."""
    why: dict[str, list[str]] = {}
    for each in found.not_judged:
        titles = why.setdefault(each.reason, [])
        titles += [KINDS[each.kind].title] if KINDS[each.kind].title not in titles else []
    return why


def saving(each: Opportunity) -> str:
    return "unknown" if each.saving.usd_micros is None else usd(each.saving.usd_micros)


def _recommendations(
    found: Sequence[Recommendation], named: Mapping[str, str], limits: Limits, room: int | None
) -> Iterator[Line]:
    """By when, the most urgent first; money is in a panel of its own."""
    for within, limit in ((Within.WEEK, limits.soon), (Within.MONTH, limits.later), (Within.LATER, limits.later)):
        of_it = [each for each in found if each.within is within]
        if not of_it:
            continue
        told = [each for each in of_it if each.saving is None]
        saves = f", {len(of_it) - len(told)} of them above" if len(of_it) > len(told) else ""
        title = within.value if within is Within.LATER else f"within {within.value}"
        yield from _text(f"{title}: {len(of_it)}{saves}", room, "")
        lines: _Cells = [
            [
                Cell(DUE[each.severity], _SEVERITY[each.severity]),
                each.code or "update",
                subject(each, named),
                Cell(each.text, QUIET),
            ]
            for each in told[:limit]
        ]
        columns = [Column(""), Column(""), Column("", Fit.CUT), Column("", Fit.CUT, drop=1)]
        yield from _rows(columns, lines, room, headers=False)
    if not found:
        yield from _text("nothing", room)


def subject(each: Recommendation, named: Mapping[str, str]) -> str:
    """What it is about, in short."""
    if each.subject in named:
        return named[each.subject]
    return each.subject.rpartition("/")[2]


def _upcoming(found: Sequence[Upcoming], named: Mapping[str, str], limit: int, room: int | None) -> Iterator[Line]:
    lines: _Cells = [
        [f"{each.day:%a %d %b}", named.get(each.about, each.about), Cell(happens(each), QUIET)]
        for each in found[:limit]
    ]
    yield from _rows([Column(""), Column("", Fit.LAST), Column("", Fit.CUT)], lines, room, headers=False)
    yield from _more(len(found) - limit, room)
    if not found:
        yield from _text("nothing has a day", room)


def happens(each: Upcoming) -> str:
    """What the day brings; what is not fixed is to be done by then."""
    to = f" to {each.to_version}" if each.to_version else ""
    return f"{_COMING[each.what]}{to}{'' if each.fixed else ', at the latest'}"


def _efficiency(found: Dashboard, room: int | None) -> Iterator[Line]:
    of = found.efficiency
    if isinstance(of.score, Unknown):
        yield from _text(f"unknown: {of.score.reason}", room)
        return
    parts = (("idle", of.idle), ("unclaimed", of.unclaimed), ("savings", of.savings))
    wasted = " + ".join(f"{name} ${usd(micros)}" for name, micros in parts if micros) or "$0.00"
    judged = f"; {of.coverage} % of it was judged" if of.coverage < 100 else ""
    less = [counted(of.unpriced, "charge") + " without a price"] if of.unpriced else []
    less += [counted(of.unasked, "pod") + " that request nothing"] if of.unasked else []
    priced = f"; without {' and '.join(less)}" if less else ""
    yield (Cell(str(of.score), _of_score(of.score)), Cell(f" = {FORMULA}", QUIET))
    yield from _text(f"{wasted}, of ${usd(of.paid)}{judged}{priced}", room)


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────


def dashboard_document(assessment: Assessment, found: Dashboard) -> Document:
    """`addonctl dashboard -o json`: money in micro-dollars, a month where nothing else is said."""
    return {
        **envelope(assessment, "Dashboard"),
        "made_up": list(found.made_up),
        "cost": {
            "hours_per_month": HOURS_PER_MONTH,
            "usd_micros": found.cost.usd_micros,
            "by_addon": [_cost(row) for row in found.by_addon],
            "by_category": [_cost(row) for row in found.by_category],
        },
        "opportunities": opportunities_part(found.opportunities),
        "trend": _trend_document(found.trend),
        "performance": [_with_reasons(plain(each), "score") for each in found.performance],
        "resources": [_with_reasons(plain(each), *_FIGURES) for each in found.resources],
        "recommendations": [{**plain(each), "fix": action_text(each.do)} for each in found.recommendations],
        "upcoming": plain(found.upcoming),
        "efficiency": {**_with_reasons(plain(found.efficiency), "score"), "formula": FORMULA},
    }


_FIGURES = ("used", "requested", "allocatable", "used_by_addons", "requested_by_addons")


def _with_reasons(document: Document, *keys: str) -> Document:
    """What is unknown is null, with the reason beside it."""
    for key in keys:
        if isinstance(document[key], dict):
            document[f"{key}_unknown_reason"] = document[key]["reason"]
            document[key] = None
    return document


def _cost(row: CostRow) -> Document:
    return {
        "name": row.name,
        "usd_micros": row.usd_micros if row.is_known else None,
        "by_kind": dict(row.by_kind),
        "unasked": row.unasked,
        "unpriced": row.unpriced,
        "pool": row.pool,
        "unknown": [{"what": charge.what, "reason": charge.unknown} for charge in row.unknown],
    }


def _trend_document(trend: Trend | Unknown) -> Document:
    if isinstance(trend, Unknown):
        return {"days": None, "unknown_reason": trend.reason}
    of = trend.outlook
    return {
        "days": plain(trend.days),
        "by_name": plain(trend.by_name),
        "recorded_days": of.recorded,
        "paid_30_days_usd_micros": sum(of.paid.values()),
        "forecast": plain(of.forecast.whole),
        "level_shifts": {name: plain(each) for name, each in of.shifts.items() if each},
    }
