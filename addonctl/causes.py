"""Which finding causes which: a node that is down explains the pods that it took down.

Two findings are linked only where their values prove it; a capability sets the causes that it knows itself.
Called by assessment.py, which joins findings of all capabilities.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from addonctl.model import Finding, InstallationRef, MissingRef, ObjectRef

# How a workload fails when an object that it refers to is missing.
_SYMPTOMS = frozenset({"HLT001", "HLT003", "HLT005"})


def linked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, each with its cause where another finding is one and none is set yet."""
    listed = tuple(findings)
    missing = {
        found.subject.source: found.id
        for found in listed
        if found.code == "DEP003" and isinstance(found.subject, MissingRef)
    }
    return tuple(_with_cause(found, missing) for found in listed)


def _with_cause(found: Finding, missing: Mapping[ObjectRef | InstallationRef, str]) -> Finding:
    if found.cause is None and found.code in _SYMPTOMS and isinstance(found.subject, ObjectRef):
        return replace(found, cause=missing.get(found.subject))
    return found
