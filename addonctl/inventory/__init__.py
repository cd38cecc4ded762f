"""All add-ons of a cluster, however they were installed: one row an installation, with the evidence for each.

Decided from a Snapshot and the Catalog alone. Workloads are recognised (recognition.py), attributed to who manages
them (ownership.py), grouped into installations, given a version; then what belongs to none is listed. Called by
assessment.py and by `addonctl inventory`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from addonctl import images, versions
from addonctl.catalog import AddOn, Catalog, VersionFrom, VersionRule
from addonctl.findings import by_urgency, finding
from addonctl.inventory.ownership import Ownership, fighting
from addonctl.inventory.recognition import Match, Recogniser, carrying_chart, chart_name, chart_version
from addonctl.model import (
    Claim,
    CustomResources,
    EksAddon,
    Evidence,
    Finding,
    HelmRelease,
    Installation,
    Inventory,
    KubernetesObject,
    Method,
    ObjectRef,
    Severity,
    Snapshot,
    Unrecognised,
    Workload,
)
from addonctl.remediation import kubectl
from addonctl.workloads import all_workloads

# Control-plane components that other Kubernetes run as pods: no add-ons, and nothing to wonder about.
_CONTROL_PLANE = frozenset({
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "cloud-controller-manager",
    "kube-apiserver-proxy", "kops-controller", "etcd-manager-main", "etcd-manager-events",
})  # fmt: skip
_SYSTEM_PRIORITIES = ("system-node-critical", "system-cluster-critical")


@dataclass(slots=True)
class _Group:
    """An installation in the making."""

    addon: AddOn
    matches: list[Match] = field(default_factory=list)
    claims: dict[str, Claim] = field(default_factory=dict)
    objects: list[tuple[str, KubernetesObject]] = field(default_factory=list)  # CRDs, webhooks … of its charts
    releases: list[HelmRelease] = field(default_factory=list)
    eks: EksAddon | None = None
    custom: list[CustomResources] = field(default_factory=list)

    @property
    def anchors(self) -> list[Match]:
        return [match for match in self.matches if match.core]

    @property
    def components(self) -> frozenset[str]:
        return frozenset().union(*(match.components for match in self.anchors))

    @property
    def namespaces(self) -> tuple[str, ...]:
        found = [match.workload.namespace for match in (*self.anchors, *self.matches)]
        found += [release.namespace for release in self.releases]
        if not found:
            found = [thing.namespace for _, thing in self.objects]
        if not found and self.eks is not None:
            found = [self.eks.namespace]
        return tuple(dict.fromkeys(name for name in found if name))

    def claim(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            self.claims.setdefault(claim.owner, claim)


def take_inventory(snapshot: Snapshot, catalog: Catalog) -> Inventory:
    """All installations in `snapshot`, what looks like an add-on and is unknown, and what is wrong with ownership."""
    recogniser, ownership = Recogniser(catalog), Ownership(snapshot)
    workloads = list(all_workloads(snapshot))
    matches: list[Match] = []
    unmatched: list[Workload] = []
    for workload in workloads:
        match = recogniser.match(workload)
        if match is None:
            unmatched.append(workload)
        else:
            matches.append(match)
    groups = _group(matches, catalog, ownership)
    groups += _without_workloads(snapshot, catalog, recogniser, ownership, groups)
    _attach_records(snapshot, catalog, groups, ownership)
    loose = _attach_parts(matches, groups, ownership)
    rows = _rows(groups, catalog, snapshot)
    return Inventory(
        installations=_in_order((*rows, *_beside_the_cluster(snapshot, catalog))),
        unrecognised=tuple(_unrecognised([*unmatched, *(match.workload for match in loose)])),
        findings=by_urgency(_findings(groups, rows, snapshot, catalog)),
    )


def _in_order(rows: Iterable[Installation]) -> tuple[Installation, ...]:
    """By add-on; the parts of a bundle after it."""
    listed = sorted(rows, key=lambda row: (row.addon, row.id))
    parts: dict[str, list[Installation]] = {}
    for row in listed:
        parts.setdefault(row.part_of, []).append(row)

    def with_parts(row: Installation) -> Iterator[Installation]:
        yield row
        for part in parts.get(row.id, ()):
            yield from with_parts(part)

    return tuple(each for row in parts.get("", ()) for each in with_parts(row))


# ── Grouping ────────────────────────────────────────────────────────────────────────────────────────────────────


def _eks_names(addon: AddOn) -> tuple[str, ...]:
    return (addon.install.eks.name, *addon.install.eks.variants) if addon.install.eks else ()


def _claims_of(match: Match, addon: AddOn, ownership: Ownership) -> tuple[Claim, ...]:
    return ownership.claims(match.workload, match.workload.kind, _eks_names(addon))


def _group(matches: Iterable[Match], catalog: Catalog, ownership: Ownership) -> list[_Group]:
    """One group an installation.

    Workloads of one owner, or unowned in one namespace, belong together; so do such sets whose components differ
    (an operator and what it runs elsewhere, a control plane and its gateways). Two sets with the same component are
    two copies.
    """
    by_addon: dict[str, dict[str, _Group]] = {}
    for match in matches:
        if not match.core:
            continue
        addon = catalog.addons[match.addon]
        claims = _claims_of(match, addon, ownership)
        owner = claims[0].owner if claims and claims[0].method is not Method.MANIFEST else ""
        key = owner or f"namespace {match.workload.namespace}"
        group = by_addon.setdefault(match.addon, {}).setdefault(key, _Group(addon))
        group.matches.append(match)
        group.claim(claims)
    return [group for sets in by_addon.values() for group in _merge(list(sets.values()))]


def _merge(sets: list[_Group]) -> list[_Group]:
    """Joins sets of workloads whose components differ."""
    merged: list[_Group] = []
    for candidate in sets:
        into = next((group for group in merged if not group.components & candidate.components), None)
        if into is None:
            merged.append(candidate)
            continue
        into.matches += candidate.matches
        into.claim(candidate.claims.values())
    return merged


def _without_workloads(
    snapshot: Snapshot, catalog: Catalog, recogniser: Recogniser, ownership: Ownership, groups: list[_Group]
) -> list[_Group]:
    """Objects that carry an add-on's chart label; they make an installation of their own where nothing runs.

    That is how a chart of CRDs looks, or an add-on whose workloads could not be read.
    """
    present = {group.addon.id: group for group in reversed(groups)}
    fresh: dict[str, _Group] = {}
    cluster_wide = (
        *(("CustomResourceDefinition", crd) for crd in snapshot.crds),
        *((hooks.kind, hooks) for hooks in snapshot.webhook_configurations),
    )
    for kind, thing in cluster_wide:
        for addon_id in _object_addons(kind, thing, catalog, recogniser):
            group = present.get(addon_id) or fresh.setdefault(addon_id, _Group(catalog.addons[addon_id]))
            group.objects.append((kind, thing))
            group.claim(ownership.claims(thing, kind, _eks_names(group.addon)) if addon_id in fresh else ())
    return [group for group in fresh.values() if _stands_alone(group, recogniser)]


def _object_addons(kind: str, thing: KubernetesObject, catalog: Catalog, recogniser: Recogniser) -> Iterator[str]:
    group = thing.name.partition(".")[2]
    for addon in catalog.addons.values():
        prints = addon.fingerprints
        if (kind == "CustomResourceDefinition" and group in prints.crd_groups) or (
            kind != "CustomResourceDefinition" and thing.name in prints.webhooks
        ):
            yield addon.id


def _stands_alone(group: _Group, recogniser: Recogniser) -> bool:
    """Whether objects without a workload are an installation: their own chart brought them, or a webhook with them."""
    kinds = {kind for kind, _ in group.objects}
    crds = "CustomResourceDefinition" in kinds
    charted = bool(carrying_chart((thing for _, thing in group.objects), recogniser, group.addon.id))
    return (charted and crds) or (crds and len(kinds) > 1)


def _attach_records(snapshot: Snapshot, catalog: Catalog, groups: list[_Group], ownership: Ownership) -> None:
    """Adds the installers' own records (Helm releases by chart, EKS add-ons by name) and custom resources."""
    for resources in snapshot.custom_resources:
        for group in groups:
            if resources.group in group.addon.fingerprints.crd_groups:
                group.custom.append(resources)
    for release in snapshot.helm_releases:
        addon = _charted(catalog, release.chart)
        if addon is None:
            continue
        claim = ownership.release_claim(release)
        owned = next((g for g in groups if g.addon.id == addon.id and claim.owner in g.claims), None)
        kept = owned or _joinable(groups, addon, main=_is_main(addon, release.chart))
        if kept is None:
            kept = _Group(addon)
            groups.append(kept)
        kept.releases.append(release)
        kept.claim((claim,))
    for listed in snapshot.eks.addons if snapshot.eks else ():
        known = catalog.find(listed.name)
        if known is None or listed.name not in _eks_names(known):
            continue
        kept = _eks_group(groups, known, listed)
        kept.eks = listed
        kept.claim((Claim(method=Method.EKS, owner=f"eks add-on {listed.name}", evidence="EKS lists the add-on"),))


def _charted(catalog: Catalog, chart: str) -> AddOn | None:
    """The add-on whose chart this is; a generic chart name (`base`, `gateway`) is none by itself."""
    return next(
        (
            addon
            for addon in catalog.addons.values()
            for known in addon.install.charts
            if known.name == chart and (known.main or addon.id in chart or len(chart) > len("gateway"))
        ),
        None,
    )


def _is_main(addon: AddOn, chart: str) -> bool:
    return any(known.main for known in addon.install.charts if known.name == chart)


def _joinable(groups: list[_Group], addon: AddOn, *, main: bool) -> _Group | None:
    """Where a release joins though none of its workloads says so: a chart of CRDs or parts joins what is there."""
    same = [group for group in groups if group.addon.id == addon.id]
    return same[0] if same and (not main or not same[0].matches) else None


def _eks_group(groups: list[_Group], addon: AddOn, listed: EksAddon) -> _Group:
    """The group that an EKS add-on keeps: the one with its field manager, else in its namespace, else a new one."""
    same = [group for group in groups if group.addon.id == addon.id]
    owner = f"eks add-on {listed.name}"
    namespace = listed.namespace or (addon.install.eks.namespace if addon.install.eks else "")
    for group in same:
        if owner in group.claims:
            return group
    for group in same:
        if namespace in group.namespaces or not group.namespaces:
            return group
    fresh = _Group(addon)
    groups.append(fresh)
    return fresh


def _attach_parts(matches: Iterable[Match], groups: list[_Group], ownership: Ownership) -> list[Match]:
    """Gives parts (sidecars' owners, Jobs, agents) to their add-on's installation; returns those that have none."""
    loose = []
    for match in matches:
        if match.core:
            continue
        same = [group for group in groups if group.addon.id == match.addon]
        if not same:
            loose.append(match)
            continue
        owners = {claim.owner for claim in _claims_of(match, same[0].addon, ownership)}
        near = [group for group in same if owners & group.claims.keys()]
        near = near or [group for group in same if match.workload.namespace in group.namespaces]
        # An application that merely carries a sidecar of the add-on is not a part of it.
        if near or match.weight:
            (near or same)[0].matches.append(match)
    return loose


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(groups: list[_Group], catalog: Catalog, snapshot: Snapshot) -> list[Installation]:
    rows = [_row(group, snapshot) for group in groups]
    return [replace(row, part_of=_bundle_of(row, rows, catalog)) for row in rows]


def _row(group: _Group, snapshot: Snapshot) -> Installation:
    addon = group.addon
    claims = tuple(sorted(group.claims.values(), key=lambda claim: _METHOD_ORDER.index(claim.method)))
    method, owner = (claims[0].method, claims[0].owner) if claims else (Method.UNKNOWN, "")
    version, why, seen = _version(group, method)
    if not claims and snapshot.cluster.source == "files":
        method, owner = Method.MANIFEST, "the files given"
    anchor = next(iter((*group.anchors, *group.matches)), None)
    namespace = group.namespaces[0] if group.namespaces else ""
    name = anchor.workload.name if anchor else owner.rpartition(" ")[2] or addon.id
    evidence = (
        *seen,
        *(item for match in group.matches for item in match.evidence),
        *(Evidence(kind="owner", subject=claim.owner, detail=claim.evidence) for claim in claims),
        *(
            Evidence(kind=_OBJECT_EVIDENCE.get(kind, "webhook"), subject=thing.name, detail=kind)
            for kind, thing in group.objects
        ),
    )
    return Installation(
        id="/".join(filter(None, (addon.id, namespace, name.rpartition("/")[2]))), addon=addon.id, name=addon.name,
        version=version, version_unknown_reason=why, method=method, owner=owner,
        configuration=_configuration(group, method, owner, snapshot), claims=claims, namespaces=group.namespaces,
        workloads=tuple(dict.fromkeys(match.workload.ref for match in (*group.anchors, *group.matches))),
        evidence=tuple(dict.fromkeys(evidence)),
    )  # fmt: skip


_METHOD_ORDER = (
    Method.ARGOCD, Method.FLUX, Method.EKS, Method.HELM, Method.BUILT_IN, Method.MANIFEST, Method.UNKNOWN,
)  # fmt: skip
_OBJECT_EVIDENCE = {"CustomResourceDefinition": "crd"}


def _configuration(group: _Group, method: Method, owner: str, snapshot: Snapshot) -> str:
    """Where the settings live that one would change, in the installer's words."""
    if method is Method.EKS:
        custom = group.eks is not None and group.eks.is_configured
        return f"configurationValues of {owner}" + ("" if custom or group.eks is None else " (none set)")
    if method is Method.ARGOCD:
        name = owner.rpartition(" ")[2]
        app = next((a for a in snapshot.applications if f"{a.namespace}/{a.name}" == name), None)
        return f"{app.repository} {app.chart or app.path} at {app.target_revision or 'HEAD'}" if app else owner
    if method is Method.FLUX:
        return f"values of {owner}" if "helmrelease" in owner else f"source of {owner}"
    if method is Method.HELM:
        charts = ", ".join(f"{r.chart} {r.chart_version}" for r in group.releases)
        return f"values of {owner}" + (f" ({charts})" if charts else "")
    return "the applied manifests" if method is Method.MANIFEST else ""


def _bundle_of(row: Installation, rows: list[Installation], catalog: Catalog) -> str:
    """The id of the bundle that brought this installation, empty where it came by itself."""
    for parent in rows:
        if parent is row or row.addon not in catalog.addons[parent.addon].bundles:
            continue
        owned_alike = parent.owner == row.owner or not ({parent.method, row.method} - {Method.MANIFEST, Method.UNKNOWN})
        if owned_alike or set(parent.namespaces) & set(row.namespaces):
            return parent.id
    return ""


# ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────


def _version(group: _Group, method: Method) -> tuple[str | None, str, tuple[Evidence, ...]]:
    """(version, or None and why not, evidence). EKS's word on what it manages, else the catalogue's rules in order."""
    if method is Method.EKS and group.eks is not None and group.eks.version:
        seen = Evidence(kind="version", subject=f"eks add-on {group.eks.name}", detail=group.eks.version)
        return group.eks.version, "", (seen,)
    tried: list[str] = []
    for rule in group.addon.version:
        for text, subject in _read(rule, group):
            if versions.parse(text) is not None:
                return text, "", (Evidence(kind="version", subject=subject, detail=f"{rule.source}: {text}"),)
            tried.append(text)
    if not group.matches:
        return None, "nothing of it runs here that would tell; only its cluster-wide objects were found", ()
    odd = ", ".join(sorted({repr(text) for text in tried if text})[:3])
    reason = f"{odd} is no version" if odd else "its images carry no tag, and no label or chart names a version"
    return None, reason, ()


def _read(rule: VersionRule, group: _Group) -> Iterator[tuple[str, str]]:
    """(text, where it stands) for every place that a rule names; anchors before parts."""
    ordered = [match.workload for match in (*group.anchors, *group.matches)]
    if rule.source is VersionFrom.IMAGE:
        yield from _image_versions(rule.key, ordered)
    elif rule.source is VersionFrom.LABEL:
        yield from _label_versions(rule.key, ordered, group)
    elif rule.source is VersionFrom.EKS and group.eks is not None:
        yield group.eks.version, f"eks add-on {group.eks.name}"
    elif rule.source is VersionFrom.CUSTOM_RESOURCE:
        references = (i for r in group.custom if f"{r.plural}.{r.group}" == rule.key for i in r.images)
        yield from ((versions.of_tag(images.parse(reference).tag or ""), rule.key) for reference in references)
    elif rule.source is VersionFrom.CHART:
        yield from _chart_versions(rule.key, group)


def _image_versions(path: str, workloads: list[Workload]) -> Iterator[tuple[str, str]]:
    for workload in workloads:
        for container in workload.template.containers:
            image = images.parse(container.image)
            if image.tag and images.path_matches(image.path, path):
                yield versions.of_tag(image.tag), str(workload.ref)


def _label_versions(key: str, workloads: list[Workload], group: _Group) -> Iterator[tuple[str, str]]:
    """The label on workloads, else on the cluster-wide objects of an add-on that runs nothing."""
    for workload in workloads:
        for labels in (workload.labels, workload.template.labels):
            if key in labels:
                yield labels[key], str(workload.ref)
    for kind, thing in group.objects if not workloads else ():
        if key in thing.labels:
            yield thing.labels[key], f"{kind}/{thing.name}"


def _chart_versions(chart: str, group: _Group) -> Iterator[tuple[str, str]]:
    """Versions of the add-on's chart; `chart` empty: of any of its main charts."""
    wanted = {chart} if chart else {known.name for known in group.addon.install.charts}
    for release in group.releases:
        if release.chart in wanted:
            yield release.chart_version, f"helm release {release.namespace}/{release.name}"
    things: list[tuple[str, KubernetesObject]] = [
        (match.workload.kind, match.workload) for match in (*group.anchors, *group.matches)
    ]
    for kind, thing in (*things, *group.objects):
        label = thing.labels.get("helm.sh/chart") or thing.labels.get("chart") or ""
        if chart_name(label) in wanted and chart_version(label):
            yield chart_version(label), f"{kind}/{thing.name}"


# ── What runs beside the cluster ────────────────────────────────────────────────────────────────────────────────

_AUTO_MODE = {
    "aws-vpc-cni": "pod networking", "kube-proxy": "service networking", "coredns": "cluster DNS",
    "karpenter": "node autoscaling", "aws-ebs-csi-driver": "block storage",
    "aws-load-balancer-controller": "load balancing", "eks-pod-identity-agent": "pod identity",
    "eks-node-monitoring-agent": "node monitoring",
}  # fmt: skip


def _beside_the_cluster(snapshot: Snapshot, catalog: Catalog) -> Iterator[Installation]:
    """What AWS runs for the cluster: Auto Mode's built-ins, capabilities; and EKS add-ons the catalogue lacks."""
    if snapshot.eks is None:
        return
    for listed in snapshot.eks.addons:
        known = catalog.find(listed.name)
        if known is None or listed.name not in _eks_names(known):
            yield _eks_only(listed)
    if snapshot.eks.cluster.auto_mode:
        for addon, what in _AUTO_MODE.items():
            yield _managed(f"{addon}/auto-mode", addon, f"{what} of EKS Auto Mode", "EKS Auto Mode")
    for capability in snapshot.eks.capabilities:
        name = f"EKS capability {capability.type}"
        row = _managed(f"capability/{capability.name}", f"eks-capability-{capability.type.lower()}", name, name)
        yield replace(row, version=capability.version or None)


def _eks_only(listed: EksAddon) -> Installation:
    """An EKS add-on of which nothing is known but what EKS says."""
    owner = f"eks add-on {listed.name}"
    return Installation(
        id="/".join(filter(None, (listed.name, listed.namespace))), addon=listed.name, name=listed.name,
        version=listed.version or None, version_unknown_reason="" if listed.version else "EKS says none",
        method=Method.EKS, owner=owner, configuration=f"configurationValues of {owner}",
        claims=(Claim(method=Method.EKS, owner=owner, evidence="EKS lists the add-on"),),
        namespaces=(listed.namespace,) if listed.namespace else (),
        evidence=(Evidence(kind="eks", subject=owner, detail="ListAddons"),),
    )  # fmt: skip


def _managed(row_id: str, addon: str, name: str, owner: str) -> Installation:
    return Installation(
        id=row_id, addon=addon, name=name, version=None, version_unknown_reason="AWS manages its version",
        method=Method.BUILT_IN, owner=owner,
        evidence=(Evidence(kind="eks", subject=owner, detail="DescribeCluster, ListCapabilities"),),
    )  # fmt: skip


# ── What belongs to no add-on, and what is wrong ────────────────────────────────────────────────────────────────


def _unrecognised(workloads: Iterable[Workload]) -> Iterator[Unrecognised]:
    """Workloads that look like add-ons: in a system namespace, of system priority, or on every node."""
    for workload in sorted(workloads, key=lambda w: (w.namespace, w.name)):
        why = _looks_like_an_addon(workload)
        if why:
            shown = tuple(dict.fromkeys(container.image for container in workload.template.containers))
            yield Unrecognised(ref=workload.ref, images=shown, why=why)


def _looks_like_an_addon(workload: Workload) -> str:
    if workload.kind == "Job" or _is_control_plane(workload):
        return ""
    if workload.template.priority_class in _SYSTEM_PRIORITIES:
        return f"priority class {workload.template.priority_class}"
    if workload.namespace == "kube-system" or workload.namespace.endswith("-system"):
        return f"namespace {workload.namespace}"
    return "a DaemonSet: runs on every node" if workload.kind == "DaemonSet" else ""


def _is_control_plane(workload: Workload) -> bool:
    both = {**workload.template.labels, **workload.labels}
    return both.get("tier") == "control-plane" or any(
        images.parse(container.image).path.rpartition("/")[2] in _CONTROL_PLANE
        for container in workload.template.containers
    )


def _findings(
    groups: list[_Group], rows: list[Installation], snapshot: Snapshot, catalog: Catalog
) -> Iterator[Finding]:
    yield from _fights(rows)
    yield from _duplicates(rows, catalog)
    yield from _orphaned_crds(groups, snapshot, catalog)
    if snapshot.gap("services") is None and not snapshot.cluster.namespace:
        yield from _orphaned_backends(snapshot)


def _fights(rows: list[Installation]) -> Iterator[Finding]:
    for row in rows:
        against = fighting(row.claims)
        # The releases of one add-on in several charts (base, istiod, gateway) go together.
        if against and {claim.method for claim in against} != {Method.HELM}:
            shown = (Evidence(kind="owner", subject=claim.owner, detail=claim.evidence) for claim in against)
            yield finding("INV001", row.id, *shown)


def _duplicates(rows: list[Installation], catalog: Catalog) -> Iterator[Finding]:
    by_addon: dict[str, list[Installation]] = {}
    for row in rows:
        by_addon.setdefault(row.addon, []).append(row)
    for addon, copies in by_addon.items():
        if len(copies) > 1 and catalog.addons[addon].singleton:
            shown = (
                Evidence(kind="installation", subject=row.id, detail=f"{row.version or 'version unknown'}, {row.owner}")
                for row in copies
            )
            yield finding("INV002", addon, *shown)


def _orphaned_crds(groups: list[_Group], snapshot: Snapshot, catalog: Catalog) -> Iterator[Finding]:
    """CRDs of the catalogue's groups whose add-on does not run here; needs to have seen the workloads."""
    narrowed = bool(snapshot.cluster.namespace)
    if narrowed or snapshot.gap("workloads") is not None or not (snapshot.workloads or snapshot.pods):
        return
    running = {group.addon.id for group in groups if group.matches or group.eks}
    for addon in catalog.addons.values():
        if addon.id in running:
            continue
        left = [crd for crd in snapshot.crds if crd.group in addon.fingerprints.crd_groups]
        # Several add-ons may serve one group; what another one that runs here serves is not orphaned.
        left = [crd for crd in left if not any(
            crd.group in catalog.addons[other].fingerprints.crd_groups for other in running)]  # fmt: skip
        if left:
            shown = (Evidence(kind="crd", subject=crd.name, detail=", ".join(crd.stored_versions)) for crd in left)
            yield finding("INV003", f"CRDs of {addon.id}", *shown)


def _orphaned_backends(snapshot: Snapshot) -> Iterator[Finding]:
    services = {(service.namespace, service.name) for service in snapshot.services}
    for configuration in snapshot.webhook_configurations:
        gone = [
            Evidence(kind="webhook", subject=hook.name,
                     detail=f"Service {hook.service.namespace}/{hook.service.name} does not exist, "
                            f"failurePolicy {hook.failure_policy}")
            for hook in configuration.webhooks
            if hook.service and (hook.service.namespace, hook.service.name) not in services
        ]  # fmt: skip
        if gone:
            subject = ObjectRef(kind=configuration.kind, name=configuration.name)
            fix = f"# reinstall what served it, or:\n{kubectl('delete', subject)}"
            refuses = any(hook.failure_policy == "Fail" for hook in configuration.webhooks)
            severity = Severity.REQUIRED if refuses else Severity.RECOMMENDED
            yield finding("INV004", str(subject), *gone, fix=fix, severity=severity)
    for api in snapshot.api_services:
        if api.service and (api.service.namespace, api.service.name) not in services:
            gone_service = f"Service {api.service.namespace}/{api.service.name} does not exist"
            fix = f"# reinstall what served it, or:\n{kubectl('delete', 'apiservice', api.name)}"
            shown_api = Evidence(kind="apiservice", subject=api.name, detail=gone_service)
            yield finding("INV005", f"APIService/{api.name}", shown_api, fix=fix)
