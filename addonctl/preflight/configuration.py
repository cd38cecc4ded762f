"""Whether the configuration holds for both ends of a step, and whose its fields are (PRE002, PRE014, PRE020)."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from addonctl.findings import finding, makes
from addonctl.model import Evidence, Finding, owners
from addonctl.model.preflight import Violation
from addonctl.preflight.case import Case
from addonctl.versions import Version


@makes("PRE002")
def target(case: Case) -> Iterator[Finding]:
    """Against the schema of the version to come."""
    found = _violations(case, case.step.to_version)
    if found:
        yield finding("PRE002", case.way, *_shown(case.step.to_version, found))


@makes("PRE014")
def way_back(case: Case) -> Iterator[Finding]:
    """Against the schema of the version to go back to, where there is a way back; one that stays has it already."""
    if case.step.from_version == case.step.to_version:
        return
    found = _violations(case, case.step.from_version)
    if found and case.step.undo:
        yield finding("PRE014", case.way, *_shown(case.step.from_version, found))


def _violations(case: Case, version: Version | None) -> Sequence[Violation]:
    return (case.facts.configuration or {}).get(str(version), ())


def _shown(version: Version | None, found: Sequence[Violation]) -> Iterator[Evidence]:
    for each in found:
        yield Evidence(kind="schema", subject=f"{version} at {each.path or 'the top'}", detail=each.message)


@makes("PRE020")
def fields(case: Case) -> Iterator[Finding]:
    """One finding an object. EKS is told to preserve others' fields; Helm sets its own again."""
    listed = sorted(case.facts.fields or (), key=lambda each: (str(each.ref), each.manager, each.field))
    then = "stay as they are" if isinstance(case.step.owner, owners.EksAddon) else "may be set again by its owner"
    for ref, of_object in groupby(listed, key=lambda each: each.ref):
        shown = [
            Evidence(kind="field", subject=f"set by {manager}", detail=f"{', '.join(names)}: {then}", ref=ref)
            for manager, names in _by_manager((each.manager, each.field) for each in of_object)
        ]
        yield finding("PRE020", ref, *shown)


def _by_manager(pairs: Iterator[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for manager, same in groupby(pairs, key=lambda pair: pair[0]):
        yield manager, [name for _, name in same]
