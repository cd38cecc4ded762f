"""What is due for the add-ons of a cluster: updates, and migrations away from what is retired; each with its way back.

Decided from the plans of plan/, from what preflight says of them without reading more, and from the findings that ask
for another version. What nobody knows is None with its reason. Pure; called by manager.py and by `addonctl lifecycle`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from addonctl.assessment import Assessment
from addonctl.catalog import Answer, Catalog, EksAddonVersions, MigrationStep, Retirement
from addonctl.compatibility import Support, migration_steps, on_eks, update_fix
from addonctl.ecosystem import Money
from addonctl.errors import BadInput
from addonctl.findings import CHECKS, Check
from addonctl.model import Action, Due, Finding, Installation, ObjectRef, Severity, UpdateAddon, owners
from addonctl.model.plan import Plan, Rollout, Step
from addonctl.plan import DEFAULT, chosen_plan, update_plan, upgrade_plan
from addonctl.preflight import preflight
from addonctl.versions import Minor, Version

# ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Task(StrEnum):
    """What is done to an installation."""

    UPDATE = "update"
    MIGRATE = "migrate"  # to a successor


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is changed, and why. `to_version` None: a person chooses it, as `do` says, or there is a successor.

    `why`: what was observed. `findings`: the ids of the findings that it answers. `kubernetes` runs meanwhile.
    """

    type: Task
    installation: str
    from_version: str | None
    to_version: str | None
    kubernetes: str | None
    why: tuple[str, ...]
    findings: tuple[str, ...]
    do: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """A workload, and how its instances take up the new version."""

    workload: ObjectRef
    rollout: Rollout
    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How it is carried out: in so many steps, each in these waves of instances; side by side in a migration."""

    side_by_side: bool = False
    steps: int = 1
    waves: tuple[int, ...] = ()
    workloads: tuple[Rolled, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """A probability of success, or None with the reason; and what is known that speaks for it and against it.

    `against` are ids of preflight's findings with their titles.
    """

    value: float | None
    unknown_reason: str
    speaks_for: tuple[str, ...] = ()
    speaks_against: tuple[str, ...] = ()


class Outage(StrEnum):
    """Whether anybody notices."""

    NONE = "none"  # it is replaced instance by instance, and nothing goes through it
    POSSIBLE = "possible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """`disruption` is the class of what stops meanwhile, in the catalog's words; `seconds` None: nobody measured it."""

    expected: Outage
    disruption: str
    seconds: int | None
    unknown_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """The way back, in the order in which it is taken; `irreversible` says of which steps there is none, and why."""

    do: tuple[Action, ...]
    irreversible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One step of a migration."""

    do: Action
    due: Due
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When to have it done: `by` is a fixed day and `because` what happens then; None and empty if there is none."""

    due: Due
    by: date | None = None
    because: str = ""


class Choice(StrEnum):
    """What else could be done."""

    OTHER_VERSION = "other-version"
    OTHER_INSTALLER = "other-installer"
    SUCCESSOR = "successor"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Something else that could be done, and what follows from it."""

    type: Choice
    text: str
    version: str | None = None
    do: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleAction:
    """One installation; an update has a `rollback_plan`, a migration a `migration_plan`."""

    action: Change
    addon: str
    strategy: Strategy
    confidence: Confidence
    expected_downtime: Downtime
    timeline: Timeline
    alternative_solutions: tuple[Alternative, ...]
    rollback_plan: Rollback | None = None
    migration_plan: tuple[Milestone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """What is better afterwards: the findings that go away; and money, or None with the reason."""

    findings: tuple[str, ...]
    monthly_saving: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """The installations that are due at one time, in the order of their dependencies."""

    priority: str  # high, medium or low
    due: Due
    installations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleManagement:
    """The answer of `Manager.automated_addon_lifecycle_management`, the most urgent first."""

    cluster_name: str
    lifecycle_actions: tuple[LifecycleAction, ...]
    total_actions: int
    estimated_improvement: Improvement
    execution_priority: tuple[Priority, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer as dicts, lists and scalars, ready for `json.dumps`; of both plans the one that applies."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        for each in document["lifecycle_actions"]:
            del each["rollback_plan" if each["action"]["type"] == Task.MIGRATE else "migration_plan"]
        return document


# ── The answer ──────────────────────────────────────────────────────────────────────────────────────────────────────

# The findings that another version answers: about the running Kubernetes, about the next, and the end of its own.
_NOW = frozenset({"EKS001", "CMP001", "SKW001"})
_BEFORE_THE_NEXT = frozenset({"EKS002", "CMP002", "SKW002"})
_ANSWERED = _NOW | _BEFORE_THE_NEXT | {"EOL002"}
_SUPPORT = ("EKS003", "EKS004", "EKS006")
_RETIRED = "EOL001"
_RANK = {Due.TODAY: "high", Due.THIS_WEEK: "medium", Due.NEXT_MONTH: "low"}
_NO_RECORD = "no record of earlier updates"
_NOT_MEASURED = "no update of it has been measured"
_COST = "cost is not judged by this version of addonctl"


def of_lifecycle(check: Check) -> bool:
    """The checks that lifecycle actions answer, and those of the cluster's own support."""
    return check.code in _ANSWERED or check.code in (_RETIRED, *_SUPPORT)


def lifecycle(assessment: Assessment, catalog: Catalog, now: datetime) -> LifecycleManagement:
    """All that is due, most urgent first, and within that in the order of dependencies.

    What has no known version or owner, or is run by AWS, has no action.
    """
    judge = _Judge(assessment, catalog, now)
    rows = (assessment.row(id) for id in assessment.dependencies.order)
    made = [action for row in rows if row is not None for action in judge.actions(row)]
    ordered = sorted(made, key=lambda action: list(Due).index(action.timeline.due))
    solved = dict.fromkeys(found for action in ordered for found in action.action.findings)
    return LifecycleManagement(
        cluster_name=assessment.cluster.name,
        lifecycle_actions=tuple(ordered),
        total_actions=len(ordered),
        estimated_improvement=Improvement(
            findings=tuple(solved), monthly_saving=Money(usd_micros=None, unknown_reason=_COST)
        ),
        execution_priority=tuple(_priorities(ordered)),
    )


def _priorities(ordered: Sequence[LifecycleAction]) -> Iterator[Priority]:
    for due, priority in _RANK.items():
        mine = tuple(each.action.installation for each in ordered if each.timeline.due is due)
        if mine:
            yield Priority(priority=priority, due=due, installations=mine)


@dataclass(frozen=True)
class _Judge:
    """What is due for each installation of one cluster."""

    assessment: Assessment
    catalog: Catalog
    now: datetime

    @property
    def running(self) -> Minor | None:
        return self.assessment.kubernetes.running

    @cached_property
    def upgrade(self) -> Plan | None:
        """What the target Kubernetes needs; None where nobody knows what runs, or there is no target."""
        target = self.assessment.kubernetes.target
        if self.running is None or target is None or target <= self.running:
            return None
        return upgrade_plan(self.assessment, self.catalog, target, self.now)

    def actions(self, row: Installation) -> Iterator[LifecycleAction]:
        """At most one: what is retired is not brought up to date."""
        asking = [found for found in self.assessment.concerning(row.id) if found.code in (*_ANSWERED, _RETIRED)]
        addon = self.catalog.find(row.addon)
        gone = next((found for found in asking if found.code == _RETIRED), None)
        if gone is not None and addon is not None and addon.retirement is not None:
            yield self._migration(row, addon.retirement, gone)
            return
        plan = self._plan(row, asking)
        if plan is not None and plan.steps:
            yield self._update(row, plan, [found for found in asking if found.code in _ANSWERED])

    # ── Updates ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan(self, row: Installation, asking: Sequence[Finding]) -> Plan | None:
        """What the target needs before the upgrade, or else what is better now, or else what is needed after it."""
        needed = [step for step in self.upgrade.steps if step.installation == row.id] if self.upgrade else []
        before = [step for step in needed if step.kubernetes == self.running]
        if before and self.upgrade is not None:
            return replace(self.upgrade, steps=tuple(before), questions=())
        ended = next((found for found in asking if found.code == "EOL002" and found.fix), None)
        plan = self._of_maintained(row, ended) if ended else self._to_default(row, asking)
        if plan is None and needed and self.upgrade is not None:
            return replace(self.upgrade, steps=tuple(needed), questions=())
        return plan

    def _to_default(self, row: Installation, asking: Sequence[Finding]) -> Plan | None:
        """To EKS's default version; down only where the present one is wrong for the running Kubernetes."""
        plan = self._planned(row, DEFAULT)
        if plan is None or not plan.steps:
            return None
        was, to = row.version, plan.steps[-1].to_version
        down = was is not None and to is not None and to < was
        return None if down and not any(found.code in _NOW for found in asking) else plan

    def _of_maintained(self, row: Installation, ended: Finding) -> Plan | None:
        update = next((action for action in ended.fix if isinstance(action, UpdateAddon)), None)
        if update is not None:
            return self._planned(row, update.version)
        try:
            return chosen_plan(self.assessment, self.catalog, row.id, ended.fix, self.now)
        except BadInput:
            return None

    def _planned(self, row: Installation, to: str) -> Plan | None:
        """None where there is no plan, for a reason that a person who asked for it would be told."""
        try:
            return update_plan(self.assessment, self.catalog, row.id, to, self.now)
        except BadInput:
            return None

    def _update(self, row: Installation, plan: Plan, asking: Sequence[Finding]) -> LifecycleAction:
        steps, last = plan.steps, plan.steps[-1]
        undo = tuple(action for step in reversed(steps) for action in step.undo)
        return LifecycleAction(
            action=Change(
                type=Task.UPDATE,
                installation=row.id,
                from_version=str(row.version) if row.version else None,
                to_version=str(last.to_version) if last.to_version else None,
                kubernetes=str(last.kubernetes) if last.kubernetes else None,
                why=tuple(self._why(row, last, asking)),
                findings=tuple(found.id for found in asking),
                do=tuple(action for step in steps for action in step.do),
            ),
            addon=row.addon,
            strategy=_strategy(steps),
            confidence=self._confidence(row, plan),
            expected_downtime=_downtime(steps),
            timeline=self._timeline(last, asking),
            alternative_solutions=tuple(self._alternatives(row, last, asking)),
            rollback_plan=Rollback(do=undo, irreversible=tuple(s.irreversible for s in steps if s.irreversible)),
        )

    def _why(self, row: Installation, last: Step, asking: Sequence[Finding]) -> Iterator[str]:
        for found in asking:
            yield found.evidence[0].detail if found.evidence else CHECKS[found.code].title
        if not asking and last.to_version is not None:
            yield f"{last.to_version} is EKS's default for Kubernetes {last.kubernetes}"

    def _timeline(self, last: Step, asking: Sequence[Finding]) -> Timeline:
        """As urgent as the findings; what the next Kubernetes waits for, as urgent as the end of support."""
        status = self.assessment.kubernetes
        waits = any(found.code in _BEFORE_THE_NEXT for found in asking)
        ends = [found for found in self.assessment.findings if found.code in _SUPPORT] if waits else []
        severity = max(
            (found.severity for found in (*asking, *ends)), key=lambda each: each.rank, default=Severity.INFO
        )
        if last.kubernetes != self.running:
            return Timeline(due=severity.due, because=f"right after the control plane is upgraded to {last.kubernetes}")
        if (
            not waits
            or status.ends is None
            or status.support is Support.UNSUPPORTED
            or not on_eks(self.assessment.view)
        ):
            return Timeline(due=severity.due)
        ending = f"{status.support} support of Kubernetes {status.running} ends; {status.next} needs this update first"
        return Timeline(due=severity.due, by=status.ends, because=ending)

    def _confidence(self, row: Installation, plan: Plan) -> Confidence:
        risks = preflight(plan, self.assessment, self.catalog, {})
        against = [found for found in risks if found.severity is not Severity.INFO and found.code != "PRE023"]
        named = dict.fromkeys(f"{found.code}: {CHECKS[found.code].title}" for found in against)
        return Confidence(
            value=None,
            unknown_reason=_NO_RECORD,
            speaks_for=tuple(self._speaks_for(row, plan.steps)),
            speaks_against=tuple(named),
        )

    def _speaks_for(self, row: Installation, steps: Sequence[Step]) -> Iterator[str]:
        last = steps[-1]
        if all(step.undo for step in steps):
            yield "every step can be undone"
        if last.to_version is not None and self.running is not None:
            minors = dict.fromkeys((self.running, *self.assessment.kubernetes.targets))
            fit = [minor for minor in minors if self._supports(row, last.to_version, minor)]
            if fit:
                yield f"{last.to_version} supports Kubernetes {' and '.join(map(str, fit))}"
        if len(last.waves) > 1:
            watched = ", ".join(objective.sli for objective in last.objectives)
            yield f"one instance first; watched: {watched}"

    def _supports(self, row: Installation, version: Version, minor: Minor) -> bool:
        try:
            return self.catalog.check(row.eks_addon or row.addon, version, minor).answer is Answer.YES
        except BadInput:
            return False

    # ── What else ───────────────────────────────────────────────────────────────────────────────────────────────

    def _alternatives(self, row: Installation, last: Step, asking: Sequence[Finding]) -> Iterator[Alternative]:
        listed = self.catalog.eks.addons.get(self.catalog.eks_name(row.eks_addon or row.addon) or "")
        if listed is not None and self.running is not None:
            yield from self._other_versions(row, last, listed, self.running)
            yield from self._as_eks_addon(row, listed, self.running)
        yield Alternative(type=Choice.WAIT, text=self._waiting(row, asking))

    def _other_versions(
        self, row: Installation, last: Step, listed: EksAddonVersions, running: Minor
    ) -> Iterator[Alternative]:
        """EKS's default and its newest, where they are newer than what is installed."""
        fit = listed.offered(running) if row.version and (row.eks_addon or row.version.is_eks_build) else ()
        named = {listed.preferred(fit, running): "EKS's default", max(fit, default=None): "the newest that EKS offers"}
        seen = (None, last.to_version, row.version)
        for version, what in named.items():
            if version not in seen and version is not None and row.version is not None and version > row.version:
                text = f"{what} for Kubernetes {running}{self._beyond(row, version)}"
                yield Alternative(type=Choice.OTHER_VERSION, text=text, version=str(version))

    def _beyond(self, row: Installation, version: Version) -> str:
        """Whether a version will do for the target as well."""
        target = self.assessment.kubernetes.target
        if target is None or target == self.running or self.upgrade is None:
            return ""
        return f"; it supports {target} as well" if self._supports(row, version, target) else f"; not for {target}"

    def _as_eks_addon(self, row: Installation, listed: EksAddonVersions, running: Minor) -> Iterator[Alternative]:
        """What EKS could keep by itself, of what AWS builds or the community does."""
        by_hand = isinstance(row.owner, owners.Manifest | owners.HelmRelease) and not row.eks_addon
        version = listed.preferred(listed.offered(running), running)
        if by_hand and version is not None and listed.owner != "aws-marketplace" and on_eks(self.assessment.view):
            text = f"hand it over to EKS as add-on {listed.name}: EKS then applies it, and its settings move to EKS"
            yield Alternative(type=Choice.OTHER_INSTALLER, text=text, version=str(version))

    def _waiting(self, row: Installation, asking: Sequence[Finding]) -> str:
        """What follows from doing nothing: why the findings matter."""
        reasons = dict.fromkeys(CHECKS[found.code].why for found in asking)
        if reasons:
            return " ".join(reasons)
        if row.version is not None and self.running is not None and self._supports(row, row.version, self.running):
            return f"{row.version} goes on working: it supports Kubernetes {self.running}."
        return "It goes on as it is; nothing that was read says how long."

    # ── Migrations ──────────────────────────────────────────────────────────────────────────────────────────────

    def _migration(self, row: Installation, retirement: Retirement, gone: Finding) -> LifecycleAction:
        return LifecycleAction(
            action=Change(
                type=Task.MIGRATE,
                installation=row.id,
                from_version=str(row.version) if row.version else None,
                to_version=None,
                kubernetes=str(self.running) if self.running else None,
                why=(retirement.text, *self._users(retirement)),
                findings=(gone.id,),
                do=migration_steps(retirement.steps),
            ),
            addon=row.addon,
            strategy=Strategy(side_by_side=True, steps=len(retirement.steps)),
            confidence=Confidence(
                value=None, unknown_reason="it depends on what the successor is and on how it is used"
            ),
            expected_downtime=Downtime(
                expected=Outage.UNKNOWN,
                disruption="",
                seconds=None,
                unknown_reason="both run side by side; it depends on how what uses it is moved",
            ),
            timeline=Timeline(due=gone.severity.due, by=retirement.ended, because="its maintenance ended"),
            alternative_solutions=tuple(self._instead(row, retirement)),
            migration_plan=tuple(map(_milestone, retirement.steps)),
        )

    def _users(self, retirement: Retirement) -> Iterator[str]:
        """How much has to be moved."""
        taken, by = self.assessment.snapshot, retirement.ingress_controller
        classes = {each.name for each in taken.ingress_classes if by and each.controller == by}
        count = sum(each.ingress_class in classes for each in taken.ingresses)
        if count:
            yield f"{count} Ingress{' uses' if count == 1 else 'es use'} it"

    def _instead(self, row: Installation, retirement: Retirement) -> Iterator[Alternative]:
        there = {each.addon for each in self.assessment.inventory.installations}
        for successor in retirement.successors:
            known = "; it is installed here already" if successor.addon in there and successor.addon else ""
            yield Alternative(type=Choice.SUCCESSOR, text=f"{successor.name}: {successor.text}{known}")
        unsupported = [each for each in self.assessment.concerning(row.id) if each.code in _ANSWERED]
        if unsupported and self.running is not None:
            fix = update_fix(row, self.assessment.view, self.catalog, self.running)
            yield Alternative(
                type=Choice.OTHER_VERSION, text="until it is replaced, a version that supports this Kubernetes", do=fix
            )
        yield Alternative(type=Choice.WAIT, text=retirement.keeps)


def _milestone(step: MigrationStep) -> Milestone:
    (action,) = migration_steps((step,))
    return Milestone(do=action, due=step.due, source=step.source)


# ── From steps ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _strategy(steps: Sequence[Step]) -> Strategy:
    last = steps[-1]
    workloads = tuple(Rolled(workload=t.ref, rollout=t.rollout, instances=t.instances) for t in last.targets)
    return Strategy(steps=len(steps), waves=tuple(wave.instances for wave in last.waves), workloads=workloads)


def _downtime(steps: Sequence[Step]) -> Downtime:
    last = steps[-1]
    if not last.targets:
        reason = "its workloads were not read"
        return Downtime(expected=Outage.UNKNOWN, disruption=last.disruption, seconds=None, unknown_reason=reason)
    expected = Outage.POSSIBLE if any(step.loses for step in steps) else Outage.NONE
    return Downtime(expected=expected, disruption=last.disruption, seconds=None, unknown_reason=_NOT_MEASURED)
