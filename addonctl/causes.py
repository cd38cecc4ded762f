"""Which finding is the effect of which: a node that is down comes before the pods it took along.

Links are made only where the values of two findings say so surely; capabilities set those that they know themselves.
Called by assessment.py, which joins findings of all capabilities.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from addonctl.model import Finding, InstallationRef, MissingRef, ObjectRef

# What a workload shows when something that it refers to is not there.
_SYMPTOMS = frozenset({"HLT001", "HLT003", "HLT005"})


def linked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, with the cause of those that have one among them and name none yet."""
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
