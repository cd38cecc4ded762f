"""What an upgrade of Kubernetes takes: what stands in its way, what changes in which order, and what nobody knows.

Sorted from what others have found: the findings of an assessment, the steps and questions of plan/, what preflight says
of them. Nothing is judged here a second time: severities, versions and reasons are theirs. Pure; called by manager.py
and by `addonctl upgrade-report`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from addonctl.assessment import Assessment
from addonctl.catalog import Answer, Catalog
from addonctl.compatibility import update_nodes
from addonctl.findings import CHECKS, Aspect, Capability, Check
from addonctl.model import (
    Action,
    ApiVersionRef,
    CommandLine,
    Finding,
    Installation,
    Note,
    Severity,
    UpdateAddon,
    owners,
)
from addonctl.model.plan import OpenQuestion, Plan, Step
from addonctl.preflight import Prepared
from addonctl.remediation import upgrade_control_plane
from addonctl.versions import Minor, VersionRange


class Topic(StrEnum):
    """What an obstacle is about, in the order in which they are told."""

    APIS = "API removals"
    SKEW = "version skew"
    VERSIONS = "versions and conflicts"
    DISRUPTION = "disruption budgets"
    EKS = "EKS and its network"
    HEALTH = "health"
    CRDS = "custom resources"
    RETIRED = "retired add-ons and releases"
    STEPS = "steps of the plan"


# ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """A finding to be resolved before the control plane gets to `before`; `blocks`, or it is to be looked at.

    `effects` are findings that it has caused, which go with it.
    """

    finding: Finding
    topic: Topic
    blocks: bool
    before: Minor
    effects: tuple[Finding, ...] = ()


class Outcome(StrEnum):
    """What becomes of an add-on; first what needs a person most."""

    NO_VERSION = "no-version"  # it does not support a Kubernetes on the way, and no version is known that does
    CHOOSE = "choose"  # it has to change, to a version that a person chooses
    CHANGES = "changes"
    UNKNOWN = "unknown"
    STAYS = "stays"  # its version supports every Kubernetes on the way
    BY_AWS = "by-aws"  # AWS runs and updates it


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonUpgrade:
    """An installation on the way to the target.

    `kubernetes` is the first minor that asks for a change or of which nobody knows, `reason` why. `published` are the
    versions that upstream publishes for it, `default` is AWS's default version for the target. `steps`: ids.
    """

    installation: str
    addon: str
    outcome: Outcome
    from_version: str
    to_version: str = ""
    kubernetes: Minor | None = None
    reason: str = ""
    published: VersionRange | None = None
    default: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """From one minor to the next: steps `before` it, the control plane, its nodes, and steps right `after` it.

    `questions` are of the add-ons that `to` is the first Kubernetes to ask something of that no step answers.
    """

    kubernetes: Minor
    to: Minor
    questions: tuple[OpenQuestion, ...]
    before: tuple[Step, ...]
    control_plane: tuple[Action, ...]
    nodes: tuple[Action, ...]
    after: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeReport:
    """The whole of it; `obstacles` first what blocks, in the order of topics. `questions` are what nobody knows.

    `beyond` are the minors on the way that EKS is not known to offer: what they remove is not known either.
    """

    plan: Plan
    target: Minor
    obstacles: tuple[Obstacle, ...]
    addons: tuple[AddonUpgrade, ...]
    stages: tuple[Stage, ...]
    questions: tuple[OpenQuestion, ...]
    beyond: tuple[Minor, ...]
    waived: int

    @property
    def blockers(self) -> tuple[Obstacle, ...]:
        return tuple(each for each in self.obstacles if each.blocks)

    @property
    def to_look_at(self) -> tuple[Obstacle, ...]:
        return tuple(each for each in self.obstacles if not each.blocks)

    @property
    def is_blocked(self) -> bool:
        """Whether something is to be resolved before it can begin, an add-on without a version included."""
        return bool(self.blockers or self.of(Outcome.NO_VERSION))

    def of(self, *outcomes: Outcome) -> tuple[AddonUpgrade, ...]:
        return tuple(each for each in self.addons if each.outcome in outcomes)


# ── The report ──────────────────────────────────────────────────────────────────────────────────────────────────────

# The findings that bear on an upgrade. What is about the version of one add-on (EKS002, CMP002 …) is left out where the
# plan has a step or a question for it, and that is told instead.
_TOPICS: Mapping[str, Topic] = {
    **dict.fromkeys(("API001", "API002", "API004"), Topic.APIS),
    **dict.fromkeys(("SKW001", "SKW002"), Topic.SKEW),
    **dict.fromkeys(("EKS001", "EKS002", "CMP001", "CMP002", "CMP003", "CMP004"), Topic.VERSIONS),
    "HLT013": Topic.DISRUPTION,
    **dict.fromkeys(("EKS005", "EKS007", "EKS008", "EKS009", "EKS010"), Topic.EKS),
    **dict.fromkeys(("CRD001", "CRD002", "CRD003"), Topic.CRDS),
    **dict.fromkeys(("EOL001", "EOL002"), Topic.RETIRED),
}
_ANSWERED_BY_THE_PLAN = frozenset({"EKS001", "EKS002", "CMP001", "CMP002", "SKW001", "SKW002"})
# These block an upgrade whatever their severity is today: EKS or Kubernetes refuses it, or nodes cannot be drained.
_BLOCKING = frozenset({"API001", "API002", "SKW001", "SKW002", "HLT013"})
# Why to upgrade, and nothing in its way.
_SUPPORT = frozenset({"EKS003", "EKS004", "EKS006"})
# Told by the report itself: its questions, and what was not read.
_TOLD_ELSEWHERE = frozenset({"PRE011", "PRE023"})


def of_upgrades(check: Check) -> bool:
    """The checks whose findings a report of an upgrade may list."""
    return _topic(check) is not None


def _topic(check: Check) -> Topic | None:
    if check.capability is Capability.PREFLIGHT:
        return None if check.code in _TOLD_ELSEWHERE else Topic.STEPS
    if check.code in _TOPICS or check.code in _SUPPORT:
        return _TOPICS.get(check.code)
    runs = check.capability is not Capability.WAIVERS and check.aspect is not Aspect.RESILIENCE
    return Topic.HEALTH if runs and Severity.REQUIRED in check.severities else None


def upgrade_report(assessment: Assessment, prepared: Prepared, catalog: Catalog) -> UpgradeReport:
    """Of a plan for a later Kubernetes, and the assessment that it was made from."""
    plan = prepared.plan
    assert plan.target is not None, plan.goal
    assert plan.kubernetes is not None, plan.goal
    made = _addons(assessment, plan, plan.target, catalog)
    addons = tuple(sorted(made, key=lambda each: list(Outcome).index(each.outcome)))
    obstacles = _causes_first(_obstacles(assessment, prepared, addons, plan.kubernetes.next, catalog))
    return UpgradeReport(
        plan=plan,
        target=plan.target,
        obstacles=tuple(sorted(obstacles, key=_place)),
        addons=addons,
        stages=tuple(_stages(assessment, plan)),
        questions=tuple(each for each in plan.questions if not each.unsupported),
        beyond=tuple(each for each in plan.kubernetes.up_to(plan.target) if each > catalog.kubernetes.newest_on_eks),
        waived=sum(of_upgrades(CHECKS[each.finding.code]) for each in assessment.waived),
    )


def answer(found: UpgradeReport, assessment: Assessment) -> Answer:
    """Whether it can begin; never yes where something is not known, or was not in the input."""
    if found.is_blocked:
        return Answer.NO
    return Answer.UNKNOWN if found.questions or found.beyond or assessment.gaps else Answer.YES


def _place(each: Obstacle) -> tuple[bool, int, int]:
    return not each.blocks, list(Topic).index(each.topic), -each.finding.severity.rank


def _obstacles(
    assessment: Assessment, prepared: Prepared, addons: Sequence[AddonUpgrade], soonest: Minor, catalog: Catalog
) -> Iterator[Obstacle]:
    moved = {each.installation for each in addons if each.outcome in (Outcome.CHANGES, Outcome.CHOOSE)}
    stuck = {each.installation for each in addons if each.outcome is Outcome.NO_VERSION}
    known = moved | {each.installation for each in addons if each.outcome is Outcome.UNKNOWN}
    for found in (*assessment.findings, *prepared.findings):
        topic = _topic(CHECKS[found.code])
        concerned = frozenset(assessment.concerned(found.subject))
        answered = found.code in _ANSWERED_BY_THE_PLAN and concerned and concerned <= known
        worth = found.severity is not Severity.INFO and (topic is not Topic.HEALTH or found.severity is _REQUIRED)
        if topic is None or answered or not worth:
            continue
        no_way = found.code in _ANSWERED_BY_THE_PLAN and bool(concerned & stuck)
        blocks = no_way or found.code in _BLOCKING or found.severity is _REQUIRED
        yield Obstacle(finding=found, topic=topic, blocks=blocks, before=_before(found, soonest, catalog))


_REQUIRED = Severity.REQUIRED


def _causes_first(found: Iterable[Obstacle]) -> Iterator[Obstacle]:
    """Without those that another one has caused: they are its effects. What blocks is no effect of what does not."""
    obstacles = tuple(found)
    by_id = {each.finding.id: each for each in obstacles}
    roots: list[Obstacle] = []
    caused: dict[str, list[Finding]] = {}
    for each in obstacles:
        root = _root(each, by_id)
        if root is each:
            roots.append(each)
        else:
            caused.setdefault(root.finding.id, []).append(each.finding)
    yield from (replace(each, effects=tuple(caused.get(each.finding.id, ()))) for each in roots)


def _root(each: Obstacle, by_id: Mapping[str, Obstacle]) -> Obstacle:
    cause = by_id.get(each.finding.cause or "")
    return each if cause is None or (each.blocks and not cause.blocks) else _root(cause, by_id)


def _before(found: Finding, soonest: Minor, catalog: Catalog) -> Minor:
    """An API that goes later is in the way of that minor alone; all else, of the next."""
    subject = found.subject
    if isinstance(subject, ApiVersionRef):
        removal = catalog.kubernetes.removal(subject.api_version, subject.kind)
        if removal is not None and removal.removed_in is not None:
            return max(removal.removed_in, soonest)
    return soonest


# ── Add-ons ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _addons(assessment: Assessment, plan: Plan, target: Minor, catalog: Catalog) -> Iterator[AddonUpgrade]:
    """In the order in which they are updated."""
    asked = {each.installation: each for each in plan.questions}
    for id_ in assessment.dependencies.order:
        row = assessment.row(id_)
        if row is not None:
            steps = [step for step in plan.steps if step.installation == id_]
            yield _addon(row, steps, asked.get(id_), target, catalog)


def _addon(
    row: Installation, steps: Sequence[Step], question: OpenQuestion | None, target: Minor, catalog: Catalog
) -> AddonUpgrade:
    first, last = (steps[0], steps[-1]) if steps else (None, None)
    asking = question.kubernetes if question else first.prepares if first else None
    to = str(last.to_version) if last and last.to_version else ""
    listed = catalog.eks.addons.get(row.eks_addon or "")
    default = listed.preferred(listed.offered(target), target) if listed else None
    published = catalog.published_for(row.addon, asking) if asking else None
    return AddonUpgrade(
        installation=row.id,
        addon=row.addon,
        outcome=_outcome(row, last, question, published),
        from_version=str(row.version or ""),
        to_version=to,
        kubernetes=asking,
        reason=question.reason if question else row.version_unknown_reason if row.version is None else "",
        published=published,
        default=str(default or ""),
        steps=tuple(step.id for step in steps),
    )


def _outcome(
    row: Installation, last: Step | None, question: OpenQuestion | None, published: VersionRange | None
) -> Outcome:
    if isinstance(row.owner, owners.AwsManaged):
        return Outcome.BY_AWS
    if question is not None and not question.unsupported:
        return Outcome.UNKNOWN
    if question is not None or (last is not None and last.to_version is None):
        return Outcome.CHOOSE if published else Outcome.NO_VERSION
    return Outcome.CHANGES if last is not None else Outcome.STAYS


# ── Stages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _stages(assessment: Assessment, plan: Plan) -> Iterator[Stage]:
    """One minor at a time, as EKS goes."""
    assert plan.kubernetes is not None, plan.goal
    assert plan.target is not None, plan.goal
    cluster = assessment.cluster.eks_name
    at, nodes = plan.kubernetes, update_nodes(assessment.view, wait=True) or (_NO_NODE,)
    for minor in at.up_to(plan.target):
        mine = [step for step in plan.steps if step.prepares == minor]
        done = CommandLine(("aws", "eks", "wait", "cluster-active", "--name", cluster))
        yield Stage(
            kubernetes=at,
            to=minor,
            questions=tuple(each for each in plan.questions if each.kubernetes == minor),
            before=tuple(step for step in mine if step.kubernetes == at),
            control_plane=(upgrade_control_plane(cluster, minor), done),
            nodes=nodes,
            after=tuple(step for step in mine if step.kubernetes != at),
        )
        at = minor


_NO_NODE = Note("No node was read: bring those that there are to the cluster's Kubernetes.")


def by_owner(step: Step) -> tuple[Action, ...]:
    """A step in its owner's terms, to be pasted before another: EKS refuses an update while one is under way."""
    return tuple(each for action in step.do for each in (action, *_until_done(action)))


def _until_done(action: Action) -> tuple[Action, ...]:
    if not isinstance(action, UpdateAddon):
        return ()
    named = ("--cluster-name", action.cluster, "--addon-name", action.addon)
    return (CommandLine(("aws", "eks", "wait", "addon-active", *named)),)


def by_addonctl(step: Step) -> tuple[Action, ...]:
    """The same by addonctl, which watches it and puts it back; empty where it is changed in Git or by hand."""
    if step.to_version is None or not isinstance(step.owner, owners.EksAddon):
        return ()
    return (CommandLine(("addonctl", "update", step.installation, "--to", str(step.to_version))),)
