"""Which finding causes which: a webhook that does not answer explains the pods that it refuses.

Two findings are linked only where their values prove it; a capability sets the causes that it knows itself.
Called by assessment.py, which joins findings of all capabilities.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from addonctl.model import Finding, MissingRef, ObjectRef, Severity

# How a workload fails when an object that it refers to is missing.
_SYMPTOMS = frozenset({"HLT001", "HLT003", "HLT005"})
# What makes a webhook refuse all that it is asked: no Service, no pod behind that, or a CA that has expired.
_REFUSING = frozenset({"INV004", "HLT009", "HLT012"})


def linked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, each with its cause where another finding is one and none is set yet; never in a cycle."""
    listed = tuple(findings)
    missing: dict[object, str] = {
        found.subject.source: found.id
        for found in listed
        if found.code == "DEP003" and isinstance(found.subject, MissingRef)
    }
    lacking = {seen.ref: found.id for found in listed if found.code == "DEP005" for seen in found.evidence}
    refusing = {ref: found.id for found in reversed(listed) for ref in _refuses(found)}
    causes: dict[str, str] = {}
    for found in listed:  # two add-ons may wait for each other
        if found.cause is not None and not _leads_to(found.cause, found.id, causes):
            causes[found.id] = found.cause
    for found in listed:
        likely = _causes(found, missing | lacking, refusing) if found.id not in causes else ()
        cause = next((each for each in likely if not _leads_to(each, found.id, causes)), None)
        if cause is not None:
            causes[found.id] = cause
    return tuple(replace(found, cause=causes.get(found.id)) for found in listed)


def _refuses(found: Finding) -> Iterator[ObjectRef]:
    """The webhook configuration that a finding says to refuse what it is asked."""
    if found.code in _REFUSING and found.severity is Severity.REQUIRED and isinstance(found.subject, ObjectRef):
        yield found.subject


def _causes(found: Finding, missing: Mapping[object, str], refusing: Mapping[ObjectRef, str]) -> Iterator[str]:
    """What may have brought a symptom about, the surest first."""
    if found.code not in _SYMPTOMS or not isinstance(found.subject, ObjectRef):
        return
    if found.subject in missing:
        yield missing[found.subject]
    for item in found.evidence:
        if item.kind == "webhook" and item.ref is not None and item.ref in refusing:
            yield refusing[item.ref]


def _leads_to(effect: str, cause: str, causes: Mapping[str, str]) -> bool:
    """Whether the causes of `effect`, followed up, are `cause` in the end: a webhook that refuses its own pods."""
    above: str | None = effect
    while above is not None and above != cause:
        above = causes.get(above)
    return above == cause
