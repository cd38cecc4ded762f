"""Which workloads, records and cluster-wide objects form one installation.

Workloads of one owner, or without an owner in one namespace, belong together; so do such sets if each is a different
part of the add-on. Installers' records and cluster-wide objects then join the installation that they belong to, or
form one of their own. Called by the inventory.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from addonctl.catalog import AddOn, Catalog
from addonctl.inventory.ownership import Ownership, by_precedence, fighting
from addonctl.inventory.recognition import Match, Recogniser
from addonctl.model import (
    Claim,
    CustomResourceDefinition,
    CustomResources,
    Declaration,
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
    """An installation being assembled. `disputed`: contradictory claims on one object."""

    addon: AddOn
    matches: list[Match] = field(default_factory=list)
    claims: dict[Owner, Claim] = field(default_factory=dict)
    disputed: dict[Owner, Claim] = field(default_factory=dict)
    objects: list[KubernetesObject] = field(default_factory=list)  # CRDs and webhook configurations of its charts
    releases: list[HelmRelease] = field(default_factory=list)
    eks: EksAddon | None = None
    custom: list[CustomResources] = field(default_factory=list)
    declarations: list[Declaration] = field(default_factory=list)

    @property
    def anchors(self) -> list[Match]:
        return [match for match in self.matches if match.core]

    @property
    def ordered(self) -> list[Match]:
        """The workloads that prove the add-on, then its parts."""
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
        """Whether an installer claims it, not just an applied manifest or a label."""
        return any(each.method is not Method.MANIFEST and not each.by_label for each in self.claims.values())

    def claim(self, claims: Sequence[Claim]) -> None:
        """Adds the claims on one object, or of one record."""
        for claim in claims:
            self.claims.setdefault(claim.owner, claim)
        for claim in fighting(claims):
            self.disputed.setdefault(claim.owner, claim)

    def absorb(self, other: "Group") -> None:
        """Merges another set of workloads and its claims."""
        assert self.addon is other.addon, (self.addon.id, other.addon.id)
        self.matches += other.matches
        for owner, claim in other.claims.items():
            self.claims.setdefault(owner, claim)
        for owner, claim in other.disputed.items():
            self.disputed.setdefault(owner, claim)

    @property
    def fight(self) -> tuple[Claim, ...]:
        """The owners in conflict: over one of its objects, or with EKS, which writes all objects of its add-on."""
        if self.eks is not None:
            return by_precedence(fighting(self.claims.values()))
        return by_precedence(self.disputed.values())


def eks_names(addon: AddOn) -> tuple[str, ...]:
    """The names of the EKS add-ons that install this software."""
    return (addon.install.eks.name, *addon.install.eks.variants) if addon.install.eks else ()


class Groups:
    """All groups, indexed by add-on and by owner or namespace; the first of each counts."""

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
        """Records that a group is in these namespaces."""
        for namespace in namespaces:
            self._placed.setdefault((group.addon.id, namespace), group)

    def claim(self, group: Group, claim: Claim) -> None:
        """Adds a record's claim."""
        group.claim((claim,))
        self._owned.setdefault((group.addon.id, claim.owner), group)

    def include(self, group: Group, into: Group) -> None:
        """Makes the workloads of a group parts of another one's."""
        into.matches += [replace(match, core=False) for match in group.matches]
        self._all.remove(group)
        self._owned = {key: each for key, each in self._owned.items() if each is not group}
        self._placed = {key: each for key, each in self._placed.items() if each is not group}
        left = next((each for each in self._all if each.addon is group.addon), None)
        if left is None:
            self._first.pop(group.addon.id, None)
        else:
            self._first[group.addon.id] = left

    def first(self, addon: str) -> Group | None:
        return self._first.get(addon)

    def owned(self, addon: str, owner: Owner) -> Group | None:
        return self._owned.get((addon, owner))

    def within(self, addon: str, namespace: str) -> Group | None:
        return self._placed.get((addon, namespace))


# ── Workloads ───────────────────────────────────────────────────────────────────────────────────────────────────────


def group_workloads(matches: Iterable[Match], view: View, catalog: Catalog, ownership: Ownership) -> Groups:
    """One group per installation, of the workloads that prove it."""
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
    """Which parts of an add-on a set of workloads is: components, by images; charts and names if images do not tell.

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

        Two copies run the same components (a control plane and its gateways do not). If an image is renamed, the chart
        is compared, or else the names; if nothing can be compared, they are copies if an installer claims each.
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
    """Merges the sets that are parts of one installation: each into the first that it is not a copy of.

    An add-on has few profiles but may have a thousand copies, so sets are compared by profile.
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


def include_parts(groups: Groups) -> None:
    """Puts the workloads of add-ons that others include with those: of the same owner, or in the same namespace."""
    whole = {(part, mark): group for group in groups for part in group.addon.includes for mark in _marks(group)}
    for group in tuple(groups):
        into = next((whole[group.addon.id, mark] for mark in _marks(group) if (group.addon.id, mark) in whole), None)
        if into is not None:
            groups.include(group, into)


def _marks(group: Group) -> Iterator[Owner | str]:
    yield from group.claims
    yield from group.namespaces


def attach_parts(matches: Iterable[Match], groups: Groups, ownership: Ownership) -> list[Match]:
    """Assigns parts (owners of sidecars, Jobs, agents) to their add-on's installation; returns those without one.

    The installation with the same owner, or else the one in the same namespace. An application that merely runs a
    sidecar of the add-on is not a part of it.
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
    """Assigns CRDs and webhook configurations to their add-on; if none of it runs, they are an installation themselves.

    A chart of CRDs looks like that, as does an add-on whose workloads could not be read.
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
    """Whether objects without a workload are an installation: a chart of CRDs, or CRDs together with a webhook.

    CRDs alone are usually left over from an uninstall.
    """
    crds = any(isinstance(thing, CustomResourceDefinition) for thing in group.objects)
    hooks = any(not isinstance(thing, CustomResourceDefinition) for thing in group.objects)
    return crds and (hooks or any(recogniser.carries_chart(thing, group.addon.id) for thing in group.objects))


def attach_custom_resources(view: View, groups: Groups) -> None:
    """Assigns each installation the counts of its custom resources, which may contain a version."""
    by_group: dict[str, list[CustomResources]] = {}
    for resources in view.snapshot.custom_resources:
        by_group.setdefault(resources.group, []).append(resources)
    for group in groups:
        for crd_group in dict.fromkeys(group.addon.fingerprints.crd_groups):
            group.custom += by_group.get(crd_group, ())


# ── Installers' records ─────────────────────────────────────────────────────────────────────────────────────────────


def attach_releases(view: View, recogniser: Recogniser, ownership: Ownership, groups: Groups) -> None:
    """Assigns Helm releases to what they installed; a release of which nothing runs is an installation itself."""
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
    """The group that a release joins although none of its workloads names it; None if it forms its own.

    A chart of CRDs or parts joins any installation of the add-on. A main chart joins the objects that no record
    explains or, if its record names no objects, the workloads of its namespace that no installer claims.
    """
    near, first = groups.within(addon.id, release.namespace), groups.first(addon.id)
    if not main:
        return near or first
    if near is not None and not release.objects and not near.is_installed:
        return near
    return first if first is not None and not (first.matches or first.releases) else None


def attach_eks_addons(view: View, catalog: Catalog, groups: Groups) -> list[EksAddon]:
    """Assigns EKS add-ons to what they installed; returns those that are not in the catalog."""
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
    """The group with the EKS field manager, else the one in the add-on's namespace, else one without a namespace."""
    namespace = listed.namespace or (addon.install.eks.namespace if addon.install.eks else "")
    group = groups.owned(addon.id, owners.EksAddon(listed.name)) or groups.within(addon.id, namespace)
    first = groups.first(addon.id)
    return group or (first if first is not None and not first.namespaces else None)
