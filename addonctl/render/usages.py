"""What containers use beside what they request: a table, a document, CSV."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import timedelta

from addonctl.assessment import Assessment
from addonctl.growth import DriverFit, Growth
from addonctl.model.forecast import Unknown
from addonctl.model.usage import ContainerUsage, Metrics
from addonctl.render.costs import cpu, memory
from addonctl.render.documents import Document, envelope, plain
from addonctl.render.drawing import labels
from addonctl.render.screen import BAD, FAIR, QUIET, Style, print_line, say, table
from addonctl.render.tables import Cell, Column, Fit
from addonctl.usage import Answers, UsageReport

_TROUBLES = ("throttled", "oom_kills", "restarts", "coverage")
_FIGURES = ("mean", "p50", "p95", "p99", "max")
# Above this a container waits for CPU noticeably; below this coverage its quantiles say little.
_THROTTLED, _COVERED = 0.05, 0.5


def usage(assessment: Assessment, report: UsageReport, style: Style) -> None:
    """The table of `addonctl usage`, and what it rests on."""
    if style.headers:
        demo = "DEMO  " if assessment.cluster.demo else ""
        say(f"{demo}{assessment.cluster.name}  ·  {spoken(report.metrics)}", "bold")
        print_line()
    named = labels(each.installation for each in report.containers)
    figures = _FIGURES if style.wide else ("mean",) if not report.metrics.window else ("p95", "max")
    lines = [
        [
            str(named[each.installation]) if each.installation else each.workload.name,
            each.container,
            str(each.pods),
            *_of(each, figures, style),
            *(_troubles(each) if report.metrics.window else ()),
            *((_covered(each),) if style.wide else ()),
        ]
        for each in report.containers
    ]
    columns = [Column("ADD-ON", Fit.LAST), Column("CONTAINER", Fit.LAST), Column("PODS", drop=4)]
    for what in ("CPU", "MEM"):
        columns += [Column(f"{what} {name.upper()}", drop=2 if name == "p50" else 0) for name in figures]
        columns += [Column("REQ"), *([Column("LIM", drop=3)] if style.wide else [])]
    columns += (
        [Column("THROTTLED", drop=5), Column("OOM", drop=6), Column("RESTARTS", drop=8)]
        if report.metrics.window
        else []
    )
    columns += [Column("MEASURED", drop=7)] if style.wide else []
    table(columns, lines, headers=style.headers)
    if style.headers:
        _notes(report)


def spoken(metrics: Metrics) -> str:
    """`use of the last 14 days by Prometheus …`, or of now."""
    over = f"use of the last {_span(metrics.window)}" if metrics.window else "use right now"
    return f"{over}, by {metrics.source}"


def _span(window: timedelta) -> str:
    hours = window.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"


def _of(each: ContainerUsage, figures: Sequence[str], style: Style) -> list[Cell | str]:
    cells: list[Cell | str] = []
    for spread, unit, request, limit in (
        (each.cpu, cpu, each.cpu_request_millicores, each.cpu_limit_millicores),
        (each.memory, memory, each.memory_request_bytes, each.memory_limit_bytes),
    ):
        most = spread.max if spread.max is not None else spread.mean
        over = request is not None and most is not None and most > request
        for name in figures:
            value = getattr(spread, name)
            cells.append(Cell(_shown(value, unit), FAIR if over and name in ("max", "mean") else ""))
        cells.append(unit(request) if request else "none")
        cells += [unit(limit) if limit else "none"] if style.wide else []
    return cells


def _shown(value: float | None, unit: Callable[[int], str]) -> str:
    return "-" if value is None else unit(round(value))


def _troubles(each: ContainerUsage) -> tuple[Cell, ...]:
    throttled = "-" if each.throttled is None else f"{each.throttled:.0%}"
    kills = "-" if each.oom_kills is None else f"{each.oom_kills:.0f}"
    again = "-" if each.restarts is None else f"{each.restarts:.0f}"
    waits = (each.throttled or 0) > _THROTTLED
    return (
        Cell(throttled, BAD if waits else ""),
        Cell(kills, BAD if each.oom_kills else ""),
        Cell(again, FAIR if each.restarts else ""),
    )


def _covered(each: ContainerUsage) -> Cell:
    return Cell(f"{each.coverage:.0%}", FAIR if each.coverage < _COVERED else "")


def _notes(report: UsageReport) -> None:
    print_line()
    say("Of quantiles that of the pod that used most. REQ: what one pod requests.", QUIET)
    for answer in report.answers:
        say(_answered(answer), FAIR if answer.failed else QUIET, first="counted: ")
    for ref, container in report.unmeasured:
        say(f"{container} of {ref}", FAIR, first="not measured: ")
    for gap in report.metrics.gaps:
        say(gap.detail, FAIR, first=f"{gap.part} not known: ")


def _answered(each: Answers) -> str:
    """What an SLI counted: `dns-responses of coredns: 12 of 40,213 failed (<0.1 %)`."""
    whose = each.installation or each.addon
    failed = f" ({share(each.failed / each.requests)})" if each.failed else ""
    return f"{each.sli} of {whose}: {each.failed:,} of {each.requests:,} failed{failed}"


def share(of: float) -> str:
    """Of what is seldom: `3.2 %`, `<0.1 %`."""
    return f"{100 * of:.1f} %" if of >= 0.001 else "<0.1 %"


def usage_document(assessment: Assessment, report: UsageReport) -> Document:
    """`addonctl usage -o json`: CPU in millicores, memory in bytes, `window_s` in seconds (0: of now alone)."""
    metrics = report.metrics
    return {
        **envelope(assessment, "Usage"),
        "source": metrics.source,
        "window_s": metrics.window.total_seconds(),
        "until": metrics.end.isoformat(),
        "containers": plain(report.containers),
        "traffic": plain(metrics.traffic),
        "volumes": plain(metrics.volumes),
        "slis": plain(report.answers),
        "unmeasured": [{"workload": str(ref), "container": container} for ref, container in report.unmeasured],
        "unread": plain(metrics.gaps),
    }


# ── Growth ──────────────────────────────────────────────────────────────────────────────────────────────────────


def growth(assessment: Assessment, report: UsageReport, found: Sequence[Growth], style: Style) -> None:
    """The table of `addonctl usage --growth`."""
    if style.headers:
        demo = "DEMO  " if assessment.cluster.demo else ""
        say(f"{demo}{assessment.cluster.name}  ·  {spoken(report.metrics)}", "bold")
        say(_grown(report.metrics), QUIET)
        print_line()
    named = labels(each.usage.installation for each in found)
    columns = [Column("ADD-ON", Fit.LAST), Column("CONTAINER", Fit.LAST)]
    for what in ("CPU", "MEM"):
        columns += [Column(what, drop=4), Column("A WEEK", drop=2), Column(f"{what} ×2"), Column("BY", drop=3)]
    columns += [Column("BUSIEST", drop=1)]
    lines = [
        [
            str(named[each.usage.installation]) if each.usage.installation else each.usage.workload.name,
            each.usage.container,
            *_grows(each.cpu, each.cpu_a_week, cpu),
            *_grows(each.memory, each.memory_a_week, memory),
            _hour(each.busiest),
        ]
        for each in found
    ]
    table(columns, lines, headers=style.headers)
    if not style.headers:
        return
    print_line()
    say("CPU: what 95 % of a day is under; MEM: its highest. ×2: with twice as many pods and nodes.", QUIET)
    say("BY: what it follows, and how far off days that were left out were foretold. BUSIEST: of the week, UTC.", QUIET)
    reasons = (fit.reason for each in found for fit in (each.cpu, each.memory) if isinstance(fit, Unknown))
    for reason in dict.fromkeys(reasons):
        say(reason, FAIR, first="not known: ")


def _grown(metrics: Metrics) -> str:
    """`the cluster had 40 to 62 pods and 4 to 6 nodes`."""
    said = []
    for name in ("pods", "nodes"):
        known = [value for each in metrics.sizes if (value := getattr(each, name)) is not None]
        many = f"{min(known)} to {max(known)}" if known and min(known) < max(known) else f"{max(known, default=0)}"
        said += [f"{many} {name}"] if known else []
    return f"the cluster had {' and '.join(said)}" if said else "how large the cluster was is not known"


def _grows(fit: DriverFit | Unknown, a_week: float, unit: Callable[[int], str]) -> list[Cell | str]:
    more = f"{'+' if a_week > 0 else '-'}{unit(abs(round(a_week)))}" if round(a_week) else "steady"
    if isinstance(fit, Unknown):
        return ["-", more, Cell("unknown", FAIR), "-"]
    by = f"{fit.driver or 'neither'}, ±{100 * fit.error:.0f} %"
    return [unit(round(fit.now)), more, unit(max(round(fit.doubled), 0)), by]


def _hour(of_week: int | None) -> str:
    return "-" if of_week is None else f"{_DAYS[of_week // 24]} {of_week % 24:02}:00"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def growth_document(assessment: Assessment, report: UsageReport, found: Sequence[Growth]) -> Document:
    """`addonctl usage --growth -o json`: CPU in millicores, memory in bytes; what is not known has a `reason`."""
    return {
        **envelope(assessment, "UsageGrowth"),
        "source": report.metrics.source,
        "window_s": report.metrics.window.total_seconds(),
        "sizes": plain(report.metrics.sizes),
        "containers": [
            {
                "installation": each.usage.installation,
                "workload": plain(each.usage.workload),
                "container": each.usage.container,
                "cpu": plain(each.cpu),
                "memory": plain(each.memory),
                "cpu_a_week": each.cpu_a_week,
                "memory_a_week": each.memory_a_week,
                "busiest_hour_of_week": each.busiest,
                "week": plain(each.usage.week),
            }
            for each in found
        ],
        "unread": plain(report.metrics.gaps),
    }


# ── CSV ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def usage_csv(report: UsageReport) -> str:
    """`addonctl usage -o csv`: a line a container; an empty figure was not measured."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    figures = [f"{what}_{name}" for what in ("cpu_millicores", "memory_bytes") for name in _FIGURES]
    rest = ["cpu_request_millicores", "cpu_limit_millicores", "memory_request_bytes", "memory_limit_bytes"]
    writer.writerow(["installation", "workload", "container", "pods", *figures, *_TROUBLES, *rest])
    for each in report.containers:
        spreads = [_plain(getattr(spread, name)) for spread in (each.cpu, each.memory) for name in _FIGURES]
        troubles = [_plain(getattr(each, name)) for name in _TROUBLES]
        asked = [_plain(getattr(each, name)) for name in rest]
        writer.writerow([each.installation, each.workload, each.container, each.pods, *spreads, *troubles, *asked])
    return out.getvalue()


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if value < 1000 else f"{value:.0f}"
