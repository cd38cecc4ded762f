"""Which workloads, records and cluster-wide objects are one installation.

Workloads of one owner, or unowned in one namespace, belong together; so do such sets of which each is another part of
the add-on. Then what the installers wrote down and what is cluster-wide joins the installation that it tells of, or is
one by itself. Called by the inventory.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from addonctl.catalog import AddOn, Catalog
from addonctl.inventory.ownership import Ownership, by_precedence, fighting
from addonctl.inventory.recognition import Match, Recogniser
from addonctl.model import (
    Claim,
    CustomResourceDefinition,
    CustomResources,
    EksAddon,
    HelmRelease,
    KubernetesObject,
    Method,
    View,
    Workload,
    owners,
)
from addonctl.model.owners import Owner


@dataclass(slots=True)
class Group:
    """An installation in the making. `disputed`: claims on one and the same object that contradict each other."""

    addon: AddOn
    matches: list[Match] = field(default_factory=list)
    claims: dict[Owner, Claim] = field(default_factory=dict)
    disputed: dict[Owner, Claim] = field(default_factory=dict)
    objects: list[KubernetesObject] = field(default_factory=list)  # CRDs and webhook configurations of its charts
    releases: list[HelmRelease] = field(default_factory=list)
    eks: EksAddon | None = None
    custom: list[CustomResources] = field(default_factory=list)

    @property
    def anchors(self) -> list[Match]:
        return [match for match in self.matches if match.core]

    @property
    def ordered(self) -> list[Match]:
        """What proves the add-on, then its parts."""
        return [*self.anchors, *(match for match in self.matches if not match.core)]

    @property
    def workloads(self) -> list[Workload]:
        return [match.workload for match in self.ordered]

    @property
    def namespaces(self) -> tuple[str, ...]:
        found = [workload.namespace for workload in self.workloads]
        found += [release.namespace for release in self.releases]
        if not found:
            found = [thing.namespace for thing in self.objects]
        if not found and self.eks is not None:
            found = [self.eks.namespace]
        return tuple(dict.fromkeys(name for name in found if name))

    @property
    def is_installed(self) -> bool:
        """Whether an installer claims it: not only whoever applied a manifest."""
        return any(claim.method is not Method.MANIFEST for claim in self.claims.values())

    def claim(self, claims: Sequence[Claim]) -> None:
        """Takes the claims on one object, or of one record."""
        for claim in claims:
            self.claims.setdefault(claim.owner, claim)
        for claim in fighting(claims):
            self.disputed.setdefault(claim.owner, claim)

    def absorb(self, other: "Group") -> None:
        """Takes in another set of workloads with all that is claimed of it."""
        assert self.addon is other.addon, (self.addon.id, other.addon.id)
        self.matches += other.matches
        for owner, claim in other.claims.items():
            self.claims.setdefault(owner, claim)
        for owner, claim in other.disputed.items():
            self.disputed.setdefault(owner, claim)

    @property
    def fight(self) -> tuple[Claim, ...]:
        """Who fights over it: over one of its objects; or with EKS, which writes all objects of its add-on."""
        if self.eks is not None:
            return by_precedence(fighting(self.claims.values()))
        return by_precedence(self.disputed.values())


def eks_names(addon: AddOn) -> tuple[str, ...]:
    """The EKS add-ons that install this software."""
    return (addon.install.eks.name, *addon.install.eks.variants) if addon.install.eks else ()


class Groups:
    """All installations in the making, found by add-on and by owner or namespace; the first one of each counts."""

    def __init__(self) -> None:
        self._all: list[Group] = []
        self._first: dict[str, Group] = {}
        self._owned: dict[tuple[str, Owner], Group] = {}
        self._placed: dict[tuple[str, str], Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._all)

    def add(self, group: Group) -> Group:
        self._all.append(group)
        self._first.setdefault(group.addon.id, group)
        for owner in group.claims:
            self._owned.setdefault((group.addon.id, owner), group)
        self.place(group, *group.namespaces)
        return group

    def place(self, group: Group, *namespaces: str) -> None:
        """Notes that a group is in these namespaces."""
        for namespace in namespaces:
            self._placed.setdefault((group.addon.id, namespace), group)

    def claim(self, group: Group, claim: Claim) -> None:
        """Adds a record's claim."""
        group.claim((claim,))
        self._owned.setdefault((group.addon.id, claim.owner), group)

    def first(self, addon: str) -> Group | None:
        return self._first.get(addon)

    def owned(self, addon: str, owner: Owner) -> Group | None:
        return self._owned.get((addon, owner))

    def within(self, addon: str, namespace: str) -> Group | None:
        return self._placed.get((addon, namespace))


# ── Workloads ───────────────────────────────────────────────────────────────────────────────────────────────────────


def group_workloads(matches: Iterable[Match], view: View, catalog: Catalog, ownership: Ownership) -> Groups:
    """One group an installation, of the workloads that prove it."""
    sets: dict[str, dict[Owner | str, Group]] = {}
    for match in matches:
        if not match.core:
            continue
        addon = catalog.addons[match.addon]
        claims = ownership.claims(match.workload, eks_names(addon))
        installed = bool(claims) and claims[0].method is not Method.MANIFEST
        key = claims[0].owner if installed else match.workload.namespace
        group = sets.setdefault(match.addon, {}).setdefault(key, Group(addon))
        group.matches.append(match)
        group.claim(claims)
    charts = {(release.namespace, release.name): release.chart for release in view.helm_releases}
    groups = Groups()
    for of_addon in sets.values():
        for group in _merged(list(of_addon.values()), charts):
            groups.add(group)
    return groups


@dataclass(frozen=True, slots=True)
class _Profile:
    """What a set of workloads is of an add-on: which components, by images; by charts and names where those tell none.

    `installed`: an installer claims it.
    """

    components: frozenset[str]
    charts: frozenset[str]
    names: frozenset[str]
    installed: bool

    def __or__(self, other: "_Profile") -> "_Profile":
        return _Profile(
            self.components | other.components,
            self.charts | other.charts,
            self.names | other.names,
            self.installed or other.installed,
        )

    def is_copy_of(self, other: "_Profile") -> bool:
        """Whether two sets with different owners or namespaces are two copies of an add-on, not two parts of one.

        Two copies run the same components (a control plane and its gateways do not). Where an image is renamed, they
        have the same chart, else the same names; where nothing can be compared, an installer's word that each is a
        release of its own stands.
        """
        for mine, others in (
            (self.components, other.components),
            (self.charts, other.charts),
            (self.names, other.names),
        ):
            if mine and others:
                return bool(mine & others)
        return self.installed and other.installed


def _profile(group: Group, charts: Mapping[tuple[str, str], str]) -> _Profile:
    releases = [owner for owner in group.claims if isinstance(owner, owners.HelmRelease)]
    recorded = {charts.get((owner.namespace, owner.name), "") for owner in releases}
    return _Profile(
        components=frozenset().union(*(match.components for match in group.matches)),
        charts=frozenset(filter(None, (*recorded, *(match.chart for match in group.matches)))),
        names=frozenset(match.named for match in group.matches if match.named),
        installed=group.is_installed,
    )


def _merged(sets: Sequence[Group], charts: Mapping[tuple[str, str], str]) -> list[Group]:
    """Joins the sets that are parts of one installation: each to the first of which it is no copy.

    There are few profiles of one add-on and there may be a thousand copies: sets are compared by profile.
    """
    merged: list[Group] = []
    by_profile: dict[_Profile, list[int]] = {}
    for candidate in sets:
        profile = _profile(candidate, charts)
        fitting = [(n[0], other) for other, n in by_profile.items() if n and not profile.is_copy_of(other)]
        if fitting:
            number, other = min(fitting, key=lambda found: found[0])
            by_profile[other].pop(0)
            merged[number].absorb(candidate)
            profile |= other
        else:
            number = len(merged)
            merged.append(candidate)
        insort(by_profile.setdefault(profile, []), number)
    assert sum(len(group.matches) for group in merged) == len({id(m) for group in merged for m in group.matches})
    return merged


def attach_parts(matches: Iterable[Match], groups: Groups, ownership: Ownership) -> list[Match]:
    """Gives parts (sidecars' owners, Jobs, agents) to their add-on's installation; returns those that have none.

    The installation of the same owner, else the one in the same namespace. An application that merely carries a sidecar
    of the add-on is not a part of it.
    """
    loose = []
    for match in matches:
        if match.core:
            continue
        first = groups.first(match.addon)
        if first is None:
            loose.append(match)
            continue
        claimed = (claim.owner for claim in ownership.claims(match.workload, eks_names(first.addon)))
        owned = (groups.owned(match.addon, owner) for owner in claimed)
        near = next(filter(None, owned), None) or groups.within(match.addon, match.workload.namespace)
        if near is not None or match.weight:
            (near or first).matches.append(match)
    return loose


# ── Cluster-wide objects ────────────────────────────────────────────────────────────────────────────────────────────


def attach_objects(view: View, catalog: Catalog, recogniser: Recogniser, ownership: Ownership, groups: Groups) -> None:
    """Gives CRDs and webhook configurations to their add-on; they are an installation of their own where nothing runs.

    That is how a chart of CRDs looks, or an add-on whose workloads could not be read.
    """
    fresh: dict[str, Group] = {}
    for thing in (*view.snapshot.crds, *view.snapshot.webhook_configurations):
        for addon in recogniser.owners_of(thing):
            present = groups.first(addon)
            if present is not None:
                present.objects.append(thing)
                continue
            alone = fresh.setdefault(addon, Group(catalog.addons[addon]))
            alone.objects.append(thing)
            alone.claim(ownership.claims(thing, eks_names(alone.addon)))
    for group in fresh.values():
        if _stands_alone(group, recogniser):
            groups.add(group)


def _stands_alone(group: Group, recogniser: Recogniser) -> bool:
    """Whether objects without a workload are an installation: their own chart brought the CRDs, or a webhook with them.

    CRDs alone are usually what an uninstall left.
    """
    crds = any(isinstance(thing, CustomResourceDefinition) for thing in group.objects)
    hooks = any(not isinstance(thing, CustomResourceDefinition) for thing in group.objects)
    return crds and (hooks or any(recogniser.carries_chart(thing, group.addon.id) for thing in group.objects))


def attach_custom_resources(view: View, groups: Groups) -> None:
    """Gives each installation the counts of its custom resources: a version may stand in them."""
    by_group: dict[str, list[CustomResources]] = {}
    for resources in view.snapshot.custom_resources:
        by_group.setdefault(resources.group, []).append(resources)
    for group in groups:
        for crd_group in dict.fromkeys(group.addon.fingerprints.crd_groups):
            group.custom += by_group.get(crd_group, ())


# ── Installers' records ─────────────────────────────────────────────────────────────────────────────────────────────


def attach_releases(view: View, recogniser: Recogniser, ownership: Ownership, groups: Groups) -> None:
    """Gives Helm releases to what they installed; a release of which nothing runs is an installation of its own."""
    for release in view.helm_releases:
        known = recogniser.charted(release.chart)
        if known is None:
            continue
        addon, chart = known
        claim = ownership.release_claim(release)
        group = groups.owned(addon.id, claim.owner) or _joinable(groups, addon, release, main=chart.main)
        group = group or groups.add(Group(addon))
        group.releases.append(release)
        groups.claim(group, claim)
        groups.place(group, release.namespace)


def _joinable(groups: Groups, addon: AddOn, release: HelmRelease, *, main: bool) -> Group | None:
    """Where a release joins though none of its workloads says so.

    A chart of CRDs or parts joins what is there. So does a main chart join the objects that nothing else tells of; or,
    where its record names no objects, the workloads of its namespace that no installer claims.
    """
    near, first = groups.within(addon.id, release.namespace), groups.first(addon.id)
    if not main:
        return near or first
    if near is not None and not release.objects and not near.is_installed:
        return near
    return first if first is not None and not (first.matches or first.releases) else None


def attach_eks_addons(view: View, catalog: Catalog, groups: Groups) -> list[EksAddon]:
    """Gives EKS add-ons to what they installed; returns those that the catalog does not know."""
    unknown = []
    for listed in view.snapshot.eks.addons if view.snapshot.eks else ():
        addon = catalog.find(listed.name)
        if addon is None or listed.name not in eks_names(addon):
            unknown.append(listed)
            continue
        claim = Claim(owner=owners.EksAddon(listed.name), evidence="EKS lists the add-on")
        group = _kept_by_eks(groups, addon, listed) or groups.add(Group(addon))
        group.eks = listed
        groups.claim(group, claim)
        groups.place(group, *group.namespaces)
    return unknown


def _kept_by_eks(groups: Groups, addon: AddOn, listed: EksAddon) -> Group | None:
    """The group with the add-on's field manager, else the one in its namespace, else one that is in none."""
    namespace = listed.namespace or (addon.install.eks.namespace if addon.install.eks else "")
    group = groups.owned(addon.id, owners.EksAddon(listed.name)) or groups.within(addon.id, namespace)
    first = groups.first(addon.id)
    return group or (first if first is not None and not first.namespaces else None)
