"""The assessment of one cluster: its inventory, compatibility, the health of each add-on, and dependencies.

Pure: a View, its Inventory, the Catalog and the day in, an Assessment out. The capabilities know nothing of each
other and are joined here. Called by manager.py; render/ turns the result into words.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property, partial

from addonctl import waivers as waiving
from addonctl.catalog import Catalog, Cell
from addonctl.catalog.prices import PriceTable
from addonctl.causes import linked
from addonctl.compatibility import Compatibility, KubernetesStatus, check_compatibility
from addonctl.cost import check_cost
from addonctl.dependencies import Dependencies, find_dangling, find_dependencies
from addonctl.errors import BadInput
from addonctl.findings import CHECKS, Aspect, Capability, Check, by_urgency, is_about_codes, only_these
from addonctl.health import AddonHealth, ClusterHealth, check_health, judge, judge_others, not_seen
from addonctl.model import (
    AddOnRef,
    Cluster,
    Finding,
    Gap,
    Guard,
    Installation,
    InstallationRef,
    Inventory,
    MissingRef,
    ObjectHealth,
    ObjectRef,
    Place,
    ProbeAnswer,
    Severity,
    Snapshot,
    Subject,
    Together,
    View,
    names_of,
    nodes_of,
    owners,
)
from addonctl.model.cost import ClusterCost
from addonctl.versions import Minor
from addonctl.waivers import Waived, Waiver

# AWS releases versions every week; after this many days the packaged table lacks too many of them not to say so.
_TABLE_OLD = timedelta(days=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One row of the inventory: its health, and whether its version supports the running and the target Kubernetes."""

    installation: Installation
    running: Cell
    target: Cell
    health: AddonHealth


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """All that is known and concluded about one cluster, from one snapshot."""

    view: View
    day: date
    inventory: Inventory
    compatibility: Compatibility
    dependencies: Dependencies
    health: ClusterHealth
    addons: tuple[Assessed, ...]
    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...] = ()
    stale: tuple[str, ...] = ()  # which packaged facts are out of date, in words
    probes: tuple[ProbeAnswer, ...] = ()
    since: datetime | None = None  # `findings` are those that were not there then
    pricing: Callable[..., ClusterCost] | None = None  # None: without prices

    @property
    def snapshot(self) -> Snapshot:
        return self.view.snapshot

    @property
    def cluster(self) -> Cluster:
        return self.snapshot.cluster

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read, and what could not be checked because of that."""
        return (*self.snapshot.gaps, *self.compatibility.gaps)

    @cached_property
    def objects(self) -> tuple[ObjectHealth, ...]:
        """The health of every object; computed on first use, since a cluster has many."""
        return judge(self.view)

    @cached_property
    def cost(self) -> ClusterCost | None:
        """What the cluster costs a month; None without prices. Computed on first use, since a cluster has many pods."""
        return self.pricing() if self.pricing else None

    @property
    def kubernetes(self) -> KubernetesStatus:
        return self.compatibility.kubernetes

    @cached_property
    def by_id(self) -> Mapping[str, Finding]:
        """The findings that are listed, by their id."""
        return {found.id: found for found in self.findings}

    @cached_property
    def _rows(self) -> Mapping[str, Installation]:
        return {row.id: row for row in self.inventory.rows}

    def row(self, installation: str) -> Installation | None:
        """The installation with that id."""
        return self._rows.get(installation)

    @cached_property
    def _by_installation(self) -> Mapping[str, Sequence[Finding]]:
        found: dict[str, list[Finding]] = {}
        for each in self.findings:
            for installation in dict.fromkeys(self.concerned(each.subject)):
                found.setdefault(installation, []).append(each)
        return found

    def concerning(self, installation: str) -> Sequence[Finding]:
        """The findings that are listed on an installation, by its id."""
        return self._by_installation.get(installation, ())

    def concerned(self, subject: Subject) -> Iterator[str]:
        """The ids of the installations that a subject is, names or belongs to."""
        rows = self.inventory.rows
        match subject:
            case ObjectRef():
                owner = self.dependencies.owners.get(subject, "")
                yield from (owner,) if owner in self._rows else ()
            case InstallationRef(id=wanted) if wanted in self._rows:
                yield wanted
            case AddOnRef(addon=wanted):
                yield from (row.id for row in rows if row.addon == wanted)
            case owners.EksAddon():
                yield from (row.id for row in rows if row.owner == subject)
            case Together(members=members):
                yield from (row.id for row in rows if row.id in members or row.addon in members)
            case MissingRef(source=source):
                yield from self.concerned(source)

    def places(self, found: Finding) -> tuple[Place, ...]:
        """Where the objects that a finding is about stand in the files that were read; empty for a live cluster."""
        if self.snapshot.intake is None:
            return ()
        known = self.view.places
        subject = found.subject.source if isinstance(found.subject, MissingRef) else found.subject
        itself = known.get(subject, ()) if isinstance(subject, ObjectRef) else ()
        shown = (place for item in found.evidence if item.ref for place in known.get(item.ref, ()))
        rows = (self.row(id) for id in self.concerned(found.subject))
        runs = [place for row in rows if row for place in self._stands(row)]
        return itself or tuple(dict.fromkeys(shown)) or tuple(dict.fromkeys(runs))

    def _stands(self, row: Installation) -> Iterator[Place]:
        """Where the objects of an installation stand, or what declares it."""
        yield from (place for ref in row.workloads for place in self.view.places.get(ref, ()))
        if not row.workloads:
            yield from (each.place for each in row.declarations if each.place is not None)

    def about(self, wanted: Callable[[Check], bool]) -> "Assessment":
        """The same assessment, narrowed to some checks, so that a command lists and fails on the same findings."""
        kept = tuple(found for found in self.findings if wanted(CHECKS[found.code]))
        return replace(self, findings=kept, waived=tuple(w for w in self.waived if wanted(CHECKS[w.finding.code])))


def of(*capabilities: Capability) -> Callable[[Check], bool]:
    """The checks of some capabilities."""
    return lambda check: check.capability in capabilities


def of_health(check: Check) -> bool:
    """The checks that say how add-ons are, whichever capability makes them."""
    return check.aspect is not None


def assess(
    view: View,
    inventory: Inventory,
    catalog: Catalog,
    *,
    day: date,
    kubernetes: Minor | None = None,
    target: Minor | None = None,
    waivers: Sequence[Waiver] = (),
    probes: Sequence[ProbeAnswer] = (),
    prices: Callable[[str], PriceTable] | None = None,
) -> Assessment:
    """Assesses the cluster as of `day`, for the running Kubernetes and every minor up to `target`.

    `kubernetes` overrides the version that was read. Without `target`, the next minor is the target. `prices` are those
    of a region; without them nothing is priced.
    """
    compatibility = check_compatibility(view, inventory, catalog, day, kubernetes, target)
    graph = find_dependencies(view, inventory, catalog)
    dangling = find_dangling(view, inventory, catalog, graph.edges, graph.owners)
    health = check_health(view, inventory, catalog, graph.owners, judge_others(view), probes, dangling)
    found = linked((*inventory.findings, *compatibility.findings, *graph.findings, *dangling, *health.findings))
    pricing = partial(
        check_cost, view, inventory, catalog, owners=graph.owners, kubernetes=compatibility.kubernetes.running, day=day
    )
    counts, waived = waiving.apply(waivers, found, view.snapshot.cluster.name, day)
    return Assessment(
        view=view,
        day=day,
        inventory=inventory,
        compatibility=compatibility,
        dependencies=graph,
        health=health,
        addons=tuple(_assessed(inventory, compatibility, health)),
        findings=by_urgency(counts),
        waived=waived,
        stale=tuple(_stale(catalog, day)),
        probes=tuple(probes),
        pricing=partial(pricing, prices) if prices else None,
    )


def _assessed(inventory: Inventory, compatibility: Compatibility, health: ClusterHealth) -> Iterator[Assessed]:
    """Each installation with what was found of it."""
    by_id = {each.id: each for each in health.addons}
    for row in inventory.rows:
        yield Assessed(
            installation=row,
            running=compatibility.running(row.id),
            target=compatibility.target(row.id),
            health=by_id.get(row.id) or not_seen(row),
        )


def new_since(assessment: Assessment, older: Assessment) -> Assessment:
    """Only the findings that `older` lacks or rates less severe. Raises BadInput when `older` is of another cluster."""
    was, now = older.cluster.name, assessment.cluster.name
    if was != now:
        raise BadInput(f"The older snapshot is of cluster {was!r}, not of {now!r}", "Give one of the same cluster.")
    known = {found.id: found.severity.rank for found in older.findings}
    new = tuple(found for found in assessment.findings if found.severity.rank > known.get(found.id, -1))
    return replace(assessment, findings=new, since=older.snapshot.taken)


def troubles(assessment: Assessment) -> tuple[Guard, ...]:
    """What no change may bring about: required findings of what runs, but for what EKS says of its add-ons."""
    runs, by_id = (Capability.HEALTH, Capability.DEPENDENCIES), {found.id: found for found in assessment.findings}
    return tuple(
        guard
        for found in assessment.findings
        if found.severity is Severity.REQUIRED
        and CHECKS[found.code].capability in runs
        and CHECKS[found.code].aspect is not Aspect.EKS
        for guard in _guards(found, nodes_of(_first_cause(found, by_id).subject))
    )


def _guards(found: Finding, nodes: tuple[str, ...]) -> Iterator[Guard]:
    """One for each node of a finding on nodes, so that each is known by its own name; else one."""
    detail = CHECKS[found.code].title
    if nodes and nodes_of(found.subject):
        for name in nodes:
            ref = ObjectRef.of("Node", name)
            yield Guard(code=found.code, subject=str(ref), detail=detail, ref=ref, nodes=(name,))
    else:
        yield Guard(code=found.code, subject=str(found.subject), detail=detail, nodes=nodes)


def _first_cause(found: Finding, by_id: Mapping[str, Finding]) -> Finding:
    while (cause := by_id.get(found.cause or "")) is not None:  # causes.py leaves no cycle
        found = cause
    return found


def narrowed(assessment: Assessment, addon: str) -> Assessment:
    """The assessment with only the dependencies that touch `addon` (its id, or that of an installation of it).

    All of them where `addon` is empty. Raises BadInput where it is not installed.
    """
    if not addon:
        return assessment
    graph = assessment.dependencies
    mine = installations_of(assessment, addon)
    kept = replace(
        graph,
        addons=tuple(each for each in graph.addons if {each.source, each.target} & mine),
        edges=tuple(e for e in graph.edges if {graph.owners.get(e.source), graph.owners.get(e.target)} & mine),
    )
    return replace(assessment, dependencies=kept)


def installations_of(assessment: Assessment, addon: str) -> frozenset[str]:
    """The ids of the installations of an add-on, by its id or their own; of all where it is empty.

    Raises BadInput where it is not installed.
    """
    mine = frozenset(row.id for row in assessment.inventory.installations if addon in ("", row.addon, row.id))
    if addon and not mine:
        raise not_installed(assessment, addon)
    return mine


def not_installed(assessment: Assessment, addon: str) -> BadInput:
    """The error that names what is installed, and what was probably meant."""
    there = sorted({row.addon for row in assessment.inventory.installations})
    close = get_close_matches(addon, there, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    if any(addon in (row.addon, row.id) for row in assessment.inventory.declared):
        meant = ": it is declared, and nothing of it was found"
    return BadInput(f"{addon!r} is not installed here{meant}", f"There are: {', '.join(there) or 'none'}.")


def only_of(assessment: Assessment, catalog: Catalog, wanted: Sequence[str]) -> Assessment:
    """The assessment with only the findings that match any of `wanted`: severities, codes, add-ons, objects.

    Raises BadInput for a word that can match nothing: a typo would otherwise read as "no findings".
    """
    names = None
    for word in wanted:
        if is_about_codes(word):
            continue
        names = names or frozenset(_names(assessment, catalog))
        if not word or not _any_matches(names, word):
            raise BadInput(
                f"--only {word or repr(word)}: there is no such severity, code, add-on or object",
                "Codes: `addonctl findings explain`; add-ons: `addonctl inventory`.",
            )
    return replace(assessment, findings=only_these(assessment.findings, wanted))


def _any_matches(names: Iterable[str], pattern: str) -> bool:
    """Whether any name matches a shell pattern."""
    return any(fnmatchcase(name, pattern) for name in names)


def _names(assessment: Assessment, catalog: Catalog) -> Iterator[str]:
    """Every name that a finding's subject can have."""
    yield from catalog.addons
    yield from catalog.eks.addons
    for row in assessment.inventory.rows:
        yield from (row.addon, row.id, *row.id.split("/"))
    for found in assessment.findings:
        yield from names_of(found.subject)
    for ref in assessment.view.objects:
        yield from names_of(ref)


def _stale(catalog: Catalog, day: date) -> Iterator[str]:
    if day - catalog.eks.as_of > _TABLE_OLD:
        age = (day - catalog.eks.as_of).days
        yield f"the table of EKS add-on versions is {age} days old; `addonctl catalog refresh` renews it"
