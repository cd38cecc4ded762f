"""Preflight: what speaks against a plan before it starts, as findings; REQUIRED ones refuse it unless accepted.

Decided from a Plan, the Assessment and Catalog that it was made from, and what was read for each step beyond them
(StepFacts). What addonctl's own hardening covers while it updates (surge, pauses, node by node) is no finding; what was
not read is one of its own (PRE023). Pure; called by manager.py, and asked again before an update begins.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.findings import CHECKS, Capability, by_urgency
from addonctl.model import Finding, Severity, owners
from addonctl.model.plan import Plan
from addonctl.model.preflight import NOTHING_READ, StepFacts
from addonctl.preflight import (
    admission,
    before,
    configuration,
    crds,
    gitops,
    reversal,
    rights,
    rollout,
    room,
    unread,
    versions,
)
from addonctl.preflight.case import Case

__all__ = ["Prepared", "check_accepted", "preflight"]


_UNHEALTHY, _IRREVERSIBLE, _UNREAD, _IN_GIT = "PRE006", "PRE010", "PRE023", "PRE027"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what speaks against it; `accepted` are the codes that a person takes the risk of."""

    plan: Plan
    findings: tuple[Finding, ...]
    accepted: frozenset[str] = frozenset()

    def accepting(self, codes: frozenset[str]) -> "Prepared":
        """The same with more risks accepted: codes of `check_accepted`."""
        return replace(self, accepted=self.accepted | codes)

    @property
    def to_carry_out(self) -> Plan:
        """The plan for a run: what is unhealthy, or cannot be counted, is changed where that risk was accepted."""
        ails, blind = _UNHEALTHY in self.accepted, _UNREAD in self.accepted
        return replace(self.plan, steps=tuple(replace(each, ails=ails, blind=blind) for each in self.plan.steps))

    @property
    def to_commit(self) -> "Prepared":
        """The same, to be committed in Git and not to be carried out in the cluster.

        What a Flux Kustomization applies has no version that could be committed, but manifests: that stays refused.
        """
        if any(isinstance(each.owner, owners.FluxKustomization) for each in self.plan.steps):
            return self
        return self.accepting(frozenset({_IN_GIT}))

    @property
    def approved(self) -> bool:
        """Whether a person has agreed to what cannot be undone."""
        return _IRREVERSIBLE in self.accepted

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """Why the plan is not to be carried out as it is; none: it may."""
        required = (each for each in self.findings if each.severity is Severity.REQUIRED)
        return tuple(each for each in required if each.code not in self.accepted)


# Of what is so now, once an installation; of what a step does, once a step.
_OF_INSTALLATIONS = (
    before.busy,
    before.unhealthy,
    before.needs,
    rollout.pauses,
    rollout.blind,
    admission.unanswered,
)
_OF_REMOVALS = (before.busy, before.needed, reversal.irreversible)
_OF_STEPS = (
    configuration.target,
    configuration.way_back,
    configuration.fields,
    crds.stored,
    crds.written,
    versions.kubernetes,
    versions.nodes_and_platform,
    versions.skipped,
    versions.known_issues,
    versions.newly_needed,
    reversal.irreversible,
    gitops.elsewhere,
    rollout.budgets,
    room.no_room,
    admission.locks,
)


def preflight(
    plan: Plan, assessment: Assessment, catalog: Catalog, facts: Mapping[str, StepFacts], closed: str = ""
) -> tuple[Finding, ...]:
    """What speaks against a plan, the most severe first.

    `facts`: step id → what was read for it. `closed`: why no change may begin now, by windows.closed.
    """
    timing = before.closed(plan.cluster, closed) if plan.steps else ()
    return by_urgency((*timing, *_found(plan, assessment, catalog, facts)))


def _found(plan: Plan, assessment: Assessment, catalog: Catalog, facts: Mapping[str, StepFacts]) -> Iterator[Finding]:
    yield from versions.questions(plan, assessment)
    if not plan.steps:
        return
    everything = [Case(plan, step, assessment, catalog, facts.get(step.id, NOTHING_READ)) for step in plan.steps]
    for case in everything:
        of_kind = _OF_REMOVALS if case.step.removes else (configuration.target,) if case.step.creates else ()
        for of_step in (*of_kind, rights.lacking):
            yield from of_step(case)
    known = (case for case in everything if assessment.row(case.step.installation) is not None)
    cases = [case for case in known if not case.step.removes]
    yield from before.cluster(cases, assessment)
    firsts = {case.row.id: case for case in reversed(cases)}
    for case in firsts.values():
        for of_installation in _OF_INSTALLATIONS:
            yield from of_installation(case)
    for case in cases:
        for of_step in _OF_STEPS:
            yield from of_step(case)
    yield from unread.unread(cases, assessment)


def check_accepted(codes: Iterable[str]) -> frozenset[str]:
    """The codes whose risk a person takes. Raises BadInput for one that is none of preflight, or cannot be accepted."""
    given = frozenset(code.upper() for code in codes)
    for code in sorted(given):
        check = CHECKS.get(code)
        if check is None or check.capability is not Capability.PREFLIGHT:
            raise BadInput(f"{code} is no risk of an update", "Accept a code that preflight prints, such as PRE006.")
        if not check.acceptable:
            raise BadInput(f"{code} cannot be accepted: {check.title.lower()}", check.fix)
    return given
