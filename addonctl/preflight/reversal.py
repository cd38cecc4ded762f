"""Whether a step can be undone (PRE010). Called with every step, before it starts."""

from collections.abc import Iterator

from addonctl.catalog import Meets, Weight
from addonctl.findings import finding, makes
from addonctl.model import Evidence, Finding, Severity
from addonctl.preflight.case import Case


@makes("PRE010")
def irreversible(case: Case) -> Iterator[Finding]:
    """No way back in its owner's terms, or one that is known to fail."""
    notes = list(case.notes(Meets.RETURNS, back=True))
    shown = [Evidence(kind="source", subject=note.source, detail=note.what) for note in notes]
    if case.step.irreversible:
        shown.insert(0, Evidence(kind="plan", subject=case.row.addon, detail=case.step.irreversible))
    blocked = case.step.irreversible or any(note.weight is Weight.BLOCKS for note in notes)
    if shown:
        yield finding("PRE010", case.way, *shown, severity=None if blocked else Severity.RECOMMENDED)
