"""Whether a step can be undone (PRE010). Called with every step, before it starts."""

from collections.abc import Iterator

from addonctl.catalog import Meets
from addonctl.findings import finding, makes
from addonctl.model import Evidence, Finding
from addonctl.preflight.case import Case


@makes("PRE010")
def irreversible(case: Case) -> Iterator[Finding]:
    """No way back in its owner's terms, or one that is known to fail."""
    shown = []
    if case.step.irreversible:
        shown.append(Evidence(kind="plan", subject=case.row.addon, detail=case.step.irreversible))
    versions = case.versions
    for note in case.addon.upgrade_notes if case.addon and versions else ():
        assert versions is not None
        if note.meets is Meets.RETURNS and note.chart is case.counts_by_chart and note.is_met(*reversed(versions)):
            shown.append(Evidence(kind="source", subject=note.source, detail=note.what))
    if shown:
        yield finding("PRE010", case.way, *shown)
