"""The dashboard of a cluster's add-ons: money, use, what to do and when, from what the capabilities found.

Pure: an assessment, its recorded days and its use in, a Dashboard out. It adds nothing up that a capability adds up
already. What is not known is Unknown with its reason. Called by manager.py; render/ shows it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog
from addonctl.compatibility import Support, fixes_until, on_eks
from addonctl.cost import By, CostRow, summarise
from addonctl.efficiency import Efficiency, efficiency
from addonctl.findings import CHECKS
from addonctl.lifecycle import LifecycleAction, Task, lifecycle
from addonctl.model import Action, Due, Finding, ObjectRef, Severity
from addonctl.model.cost import ClusterCost
from addonctl.model.forecast import Unknown
from addonctl.model.opportunity import Opportunities, Opportunity, Saving
from addonctl.model.spending import CostDay
from addonctl.opportunities import KINDS
from addonctl.performance import Performance, performances
from addonctl.spending import Outlook, outlook
from addonctl.usage import UsageReport

# ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCost:
    """What all cost on a day, in micro-dollars; None: nobody recorded it."""

    day: date
    usd_micros: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Every day from the first to the last that was recorded: all together, by name; and what is to come.

    The names' amounts of a day add up to it; None: nobody recorded that day.
    """

    days: tuple[DayCost, ...]
    by_name: Mapping[str, tuple[int | None, ...]]
    outlook: Outlook


class Unit(StrEnum):
    MILLICORES = "millicores"
    BYTES = "bytes"
    BYTES_PER_SECOND = "bytes_per_second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What of one resource is used, requested, and there to be requested, in the whole cluster and by add-ons."""

    name: str
    unit: Unit
    used: int | Unknown
    requested: int | Unknown
    allocatable: int | Unknown
    used_by_addons: int | Unknown
    requested_by_addons: int | Unknown


class Within(StrEnum):
    """When something should be done."""

    WEEK = "7 days"
    MONTH = "30 days"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One thing to do: about a finding, an update that nothing asks for yet, or money that can be saved."""

    within: Within
    severity: Severity
    code: str  # of the finding; empty
    subject: str
    text: str
    do: tuple[Action, ...]
    saving: Saving | None = None  # None: it is not about money


class Coming(StrEnum):
    """What a day brings."""

    UPDATE = "update"  # to be done by then
    MIGRATE = "migrate"
    STANDARD_SUPPORT_ENDS = "standard support ends"  # of the cluster's Kubernetes
    EXTENDED_SUPPORT_ENDS = "extended support ends"
    FIXES_END = "fixes end"  # of an add-on's release


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """Something that is due on a day. `fixed`: somebody else has set it; else it is what its urgency allows."""

    day: date
    what: Coming
    about: str  # an installation; the Kubernetes whose support ends
    fixed: bool
    to_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """All of it. `made_up`: what of it is invented, of a demo."""

    cost: ClusterCost
    by_addon: tuple[CostRow, ...]
    by_category: tuple[CostRow, ...]
    opportunities: Opportunities
    trend: Trend | Unknown
    performance: tuple[Performance, ...]
    resources: tuple[Resource, ...]
    recommendations: tuple[Recommendation, ...]
    upcoming: tuple[Upcoming, ...]
    efficiency: Efficiency
    use: UsageReport | Unknown
    made_up: tuple[str, ...] = ()


# ── The page ────────────────────────────────────────────────────────────────────────────────────────────────────

_WEEK, _MONTH = timedelta(days=7), timedelta(days=30)
_TIME = {Due.TODAY: timedelta(), Due.THIS_WEEK: _WEEK, Due.NEXT_MONTH: _MONTH}
_WITHIN = {Due.TODAY: Within.WEEK, Due.THIS_WEEK: Within.WEEK, Due.NEXT_MONTH: Within.MONTH}
_HORIZON = timedelta(days=365)  # what is further away is nobody's next action


def dashboard(
    assessment: Assessment,
    catalog: Catalog,
    now: datetime,
    opportunities: Opportunities,
    *,
    days: Sequence[CostDay] | Unknown,
    used: UsageReport | Unknown,
    made_up: tuple[str, ...] = (),
) -> Dashboard:
    """The dashboard of an assessment with prices. `used` is of all workloads, day by day where there are days."""
    cost = assessment.cost
    assert cost is not None, "assessed without prices"
    due = lifecycle(assessment, catalog, now).lifecycle_actions
    by_addon = summarise(cost, By.ADDON, assessment.inventory, catalog)
    return Dashboard(
        cost=cost,
        by_addon=by_addon,
        by_category=summarise(cost, By.CATEGORY, assessment.inventory, catalog),
        opportunities=opportunities,
        trend=_trend(assessment, catalog, days),
        performance=performances(assessment.inventory.installations, used),
        resources=tuple(_resources(assessment, used)),
        recommendations=tuple(_recommendations(assessment, due, opportunities.found)),
        upcoming=tuple(sorted(_upcoming(assessment, catalog, due), key=lambda each: (each.day, each.about))),
        efficiency=efficiency(cost, by_addon, opportunities, used),
        use=used,
        made_up=made_up,
    )


def _trend(assessment: Assessment, catalog: Catalog, days: Sequence[CostDay] | Unknown) -> Trend | Unknown:
    if isinstance(days, Unknown):
        return days
    if not days:
        return Unknown("no day of it was recorded; `addonctl cost record` keeps one")
    recorded = {each.day: each.usd_micros for each in days}
    first, last = days[0].day, days[-1].day
    every = tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
    names = dict.fromkeys(name for each in days for name in each.usd_micros)
    eks = assessment.view.snapshot.eks
    now = replace(days[-1], support_type=eks.cluster.support_type) if eks else days[-1]
    return Trend(
        days=tuple(
            DayCost(day=day, usd_micros=sum(recorded[day].values()) if day in recorded else None) for day in every
        ),
        by_name={
            name: tuple(recorded[day].get(name, 0) if day in recorded else None for day in every) for name in names
        },
        outlook=outlook([*days[:-1], now], catalog, assessment.kubernetes.running),
    )


# ── Resources ───────────────────────────────────────────────────────────────────────────────────────────────────

_NO_BANDWIDTH = Unknown("nothing requests bandwidth")
_NO_LINES = Unknown("no table of instances' bandwidths")


def _resources(assessment: Assessment, used: UsageReport | Unknown) -> Iterator[Resource]:
    """CPU and memory of pods and nodes, bytes on the network, and volumes."""
    nodes = _read(assessment, "nodes", bool(assessment.snapshot.nodes))
    if nodes is None and not all(node.cpu_millicores for node in assessment.snapshot.nodes):
        nodes = Unknown("not all nodes say what they have")
    pods = _read(assessment, "pods", bool(assessment.snapshot.pods))
    cpu, memory = _used(used, "cpu_total"), _used(used, "memory_total")
    asked = _requested(assessment)
    for name, unit, field, total in (
        ("cpu", Unit.MILLICORES, "cpu_millicores", cpu),
        ("memory", Unit.BYTES, "memory_bytes", memory),
    ):
        yield Resource(
            name=name,
            unit=unit,
            used=total[0],
            requested=pods or asked[0][name],
            allocatable=nodes or sum(getattr(node, field) for node in assessment.snapshot.nodes),
            used_by_addons=total[1],
            requested_by_addons=pods or asked[1][name],
        )
    yield _network(assessment, used)
    yield _volumes(assessment, used)


def _read(assessment: Assessment, part: str, some: bool) -> Unknown | None:
    """Why nothing is known of a part; None: it was read."""
    gap = assessment.view.gap(part)
    if gap is not None:
        return Unknown(f"{part} were not read: {gap.detail}")
    return None if some or not assessment.view.from_files else Unknown(f"the input has no {part}")


def _used(used: UsageReport | Unknown, total: str) -> tuple[int | Unknown, int | Unknown]:
    """The mean of what all containers used together that run now; and those of add-ons."""
    if isinstance(used, Unknown):
        return used, used
    if not used.containers:
        none = Unknown("no container was measured")
        return none, none
    of = [(each.installation, getattr(each, total)) for each in used.containers]
    return round(sum(value for _, value in of)), round(sum(value for id_, value in of if id_))


def _requested(assessment: Assessment) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """What pods request that run or are to; and those of add-ons."""
    view, owners = assessment.view, assessment.dependencies.owners
    both = {"cpu": 0, "memory": 0}, {"cpu": 0, "memory": 0}
    for pod in assessment.snapshot.pods:
        if pod.phase in ("Succeeded", "Failed"):
            continue
        workload = view.workload_of(pod)
        for sums in both if workload is not None and owners.get(workload) else both[:1]:
            sums["cpu"] += pod.cpu_request_millicores
            sums["memory"] += pod.memory_request_bytes
    return both


def _network(assessment: Assessment, used: UsageReport | Unknown) -> Resource:
    """What pods receive and send, on average."""
    all_, addons = _traffic(assessment, used)
    return Resource(
        name="network",
        unit=Unit.BYTES_PER_SECOND,
        used=all_,
        requested=_NO_BANDWIDTH,
        allocatable=_NO_LINES,
        used_by_addons=addons,
        requested_by_addons=_NO_BANDWIDTH,
    )


def _traffic(assessment: Assessment, used: UsageReport | Unknown) -> tuple[int | Unknown, int | Unknown]:
    if isinstance(used, Unknown):
        return used, used
    if not used.metrics.traffic:
        none = Unknown(f"{used.metrics.source} knows nothing of the network")
        return none, none
    view, owners = assessment.view, assessment.dependencies.owners
    homes = {(pod.namespace, pod.name): view.workload_of(pod) for pod in assessment.snapshot.pods}
    of = [
        (homes.get((each.namespace, each.pod)), (each.received or 0.0) + (each.sent or 0.0))
        for each in used.metrics.traffic
    ]
    whole = sum(rate for _, rate in of)
    return round(whole), round(sum(rate for home, rate in of if home is not None and owners.get(home)))


def _held(assessment: Assessment, used: UsageReport | Unknown) -> tuple[int | Unknown, int | Unknown]:
    """What is on all volumes that are mounted; and on those of add-ons."""
    if isinstance(used, Unknown):
        return used, used
    claims = assessment.snapshot.volume_claims
    if not used.metrics.volumes and (claims or _read(assessment, "volume_claims", bool(claims))):
        none = Unknown(f"{used.metrics.source} has nothing of volumes")
        return none, none
    owners = assessment.dependencies.owners
    of = [
        (owners.get(ObjectRef.of("PersistentVolumeClaim", each.claim, each.namespace)), each.used_bytes)
        for each in used.metrics.volumes
    ]
    return round(sum(size for _, size in of)), round(sum(size for id_, size in of if id_))


def _volumes(assessment: Assessment, used: UsageReport | Unknown) -> Resource:
    """Bytes that claims ask for, and that volumes have."""
    all_, addons = _held(assessment, used)
    snapshot = assessment.snapshot
    claims = _read(assessment, "volume_claims", bool(snapshot.volume_claims))
    volumes = _read(assessment, "volumes", bool(snapshot.volumes))
    requested = claims or sum(each.requested_bytes for each in snapshot.volume_claims)
    owners = assessment.dependencies.owners
    mine = claims or sum(each.requested_bytes for each in snapshot.volume_claims if owners.get(each.ref))
    return Resource(
        name="volumes",
        unit=Unit.BYTES,
        used=all_,
        requested=requested,
        allocatable=volumes or sum(each.capacity_bytes for each in snapshot.volumes),
        used_by_addons=addons,
        requested_by_addons=mine,
    )


# ── What to do, and when ────────────────────────────────────────────────────────────────────────────────────────


def _recommendations(
    assessment: Assessment, due: Iterable[LifecycleAction], savings: Iterable[Opportunity]
) -> Iterator[Recommendation]:
    """Those of findings, but for effects, which go away with their cause; then updates; then money."""
    found = [*map(_of_finding, (f for f in assessment.findings if f.cause not in assessment.by_id))]
    found += [_of_update(each) for each in due if not each.action.findings]
    found += [_of_saving(each) for each in savings]
    order = list(Within)
    yield from sorted(
        found,
        key=lambda each: (order.index(each.within), -each.severity.rank, -_saved(each)),
    )


def _saved(each: Recommendation) -> int:
    return (each.saving.usd_micros or 0) if each.saving else 0


def _of_finding(found: Finding) -> Recommendation:
    return Recommendation(
        within=_WITHIN[found.severity.due],
        severity=found.severity,
        code=found.code,
        subject=str(found.subject),
        text=CHECKS[found.code].title,
        do=found.fix,
    )


def _of_update(each: LifecycleAction) -> Recommendation:
    """What waits for another Kubernetes has no day of its own, and comes later."""
    waits = each.timeline.because and each.timeline.by is None
    return Recommendation(
        within=Within.LATER if waits else _WITHIN[each.timeline.due],
        severity=Severity.INFO,
        code="",
        subject=each.action.installation,
        text="; ".join(each.action.why),
        do=each.action.do,
    )


def _of_saving(each: Opportunity) -> Recommendation:
    kind = KINDS[each.kind]
    return Recommendation(
        within=_WITHIN[kind.due],
        severity=Severity.INFO,
        code="",
        subject=each.installation or each.what,
        text=kind.title,
        do=each.do,
        saving=each.saving,
    )


def _upcoming(assessment: Assessment, catalog: Catalog, due: Iterable[LifecycleAction]) -> Iterator[Upcoming]:
    """What must be done by a day, and what ends on one, within a year."""
    today, status = assessment.day, assessment.kubernetes
    for each in due:
        if each.timeline.because and each.timeline.by is None:
            continue  # it waits for another Kubernetes
        yield Upcoming(
            day=each.timeline.by or today + _TIME[each.timeline.due],
            what=_COMING[each.action.type],
            about=each.action.installation,
            fixed=each.timeline.by is not None,
            to_version=each.action.to_version,
        )
    if status.ends is not None and today <= status.ends <= today + _HORIZON and on_eks(assessment.view):
        extended = status.support is Support.EXTENDED
        what = Coming.EXTENDED_SUPPORT_ENDS if extended else Coming.STANDARD_SUPPORT_ENDS
        yield Upcoming(day=status.ends, what=what, about=f"Kubernetes {status.running}", fixed=True)
    for row in assessment.inventory.installations:
        until = fixes_until(row, catalog)
        if until is not None and today <= until <= today + _HORIZON:
            yield Upcoming(day=until, what=Coming.FIXES_END, about=row.id, fixed=True)


_COMING = {Task.UPDATE: Coming.UPDATE, Task.MIGRATE: Coming.MIGRATE}
