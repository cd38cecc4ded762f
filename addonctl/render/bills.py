"""What a cluster cost by a bill, and why that is not what the model has: as a table and as JSON."""

from collections.abc import Sequence

from addonctl.assessment import Assessment
from addonctl.cost import By, CostRow
from addonctl.model.bill import Billed, Cause
from addonctl.render.costs import rows_table, usd
from addonctl.render.documents import Document, envelope, plain
from addonctl.render.screen import FAIR, QUIET, Style, print_line, say, table, title
from addonctl.render.tables import Cell, Column, Fit

_APART = (Cause.COMMITMENTS, Cause.CREDITS, Cause.TAXES, Cause.ELSEWHERE)
_NO_RESOURCES = (
    "The bill names no resources: it is matched by usage types and tags. A report with resource ids says more, "
    "and what has no tag of the cluster is not counted as its own."
)


def bill(assessment: Assessment, found: Billed, rows: Sequence[CostRow], by: By, style: Style) -> None:
    """The table of `addonctl cost --bill`, then the way from the model to the bill, cause by cause."""
    if style.headers:
        demo = "DEMO  " if assessment.cluster.demo else ""
        say(f"{demo}{assessment.cluster.name}  ·  ${usd(found.cost.usd_micros)} billed {_time(found)}", "bold")
        mine = sum(share.usd_micros for share in found.cost.shares if share.installation)
        say(f"add-ons ${usd(mine)}; amortised; the whole bill is ${usd(found.unblended_usd_micros)} unblended")
        print_line()
    rows_table(rows, by, style, "$ BILLED")
    if style.headers:
        _differences(found)


def _time(found: Billed) -> str:
    return f"from {found.begin:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC ({found.hours.normalize():f} hours)"


def _differences(found: Billed) -> None:
    title("Why it is not list price")
    lines: list[list[Cell | str]] = [[usd(found.model_usd_micros), "the model at list price, for the same time"]]
    lines += [[usd(micros, signed=True), cause.value] for cause, micros in found.differences.items() if _own(cause)]
    own = found.model_usd_micros + sum(micros for cause, micros in found.differences.items() if _own(cause))
    lines.append([Cell(usd(own), "bold"), Cell("billed for the cluster", "bold")])
    lines += [
        [Cell(usd(found.differences[cause], signed=True), QUIET), Cell(cause.value, QUIET)] for cause in _apart(found)
    ]
    lines.append([Cell(usd(found.cost.usd_micros), "bold"), Cell("the whole bill", "bold")])
    table([Column("$"), Column("WHAT", Fit.WRAP)], lines)
    if not found.names_resources:
        say(_NO_RESOURCES, FAIR)
    elif not found.matched:
        say("Nothing in the bill is of this cluster: is it the bill of its account, and of its time?", FAIR)


def _own(cause: Cause) -> bool:
    return cause not in _APART


def _apart(found: Billed) -> list[Cause]:
    return [cause for cause in _APART if cause in found.differences]


def bill_document(assessment: Assessment, found: Billed, rows: Sequence[CostRow], by: By) -> Document:
    """`addonctl cost --bill FILE -o json`: `usd_micros` are micro-dollars in the time of the bill."""
    return {
        **envelope(assessment, "BilledCost"),
        "begin": plain(found.begin),
        "end": plain(found.end),
        "usd_micros": found.cost.usd_micros,
        "unblended_usd_micros": found.unblended_usd_micros,
        "model_usd_micros": found.model_usd_micros,
        "differences": [{"cause": cause.value, "usd_micros": usd} for cause, usd in found.differences.items()],
        "names_resources": found.names_resources,
        "by": by.value,
        "rows": plain(rows),
        "charges": plain(found.cost.charges),
    }
