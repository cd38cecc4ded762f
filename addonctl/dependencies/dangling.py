"""What is needed and is not there: what add-ons refer to and came with, the roles of their accounts, system add-ons.

Decided from a Snapshot that holds a whole cluster, the edges and owners that dependencies.py found in it, the
installers' own records and the Catalog. Called by dependencies.py.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from addonctl.catalog import AddOn, Catalog
from addonctl.findings import finding
from addonctl.model import (
    Edge,
    EdgeType,
    Evidence,
    Finding,
    HelmRelease,
    Installation,
    Inventory,
    Method,
    ObjectRef,
    Role,
    Severity,
    Snapshot,
    Strength,
    selects,
)
from addonctl.remediation import command, restore

# What is read as a whole, so that what is not in it does not exist: kind → part of the snapshot.
_READ_WHOLE = {
    "ServiceAccount": "service_accounts", "PersistentVolumeClaim": "volume_claims", "Role": "roles",
    "ClusterRole": "roles", "RoleBinding": "role_bindings", "ClusterRoleBinding": "role_bindings",
    "StorageClass": "storage_classes", "CSIDriver": "csi_drivers", "Deployment": "workloads",
    "StatefulSet": "workloads", "DaemonSet": "workloads", "Service": "services", "APIService": "api_services",
    "CustomResourceDefinition": "crds", "MutatingWebhookConfiguration": "webhook_configurations",
    "ValidatingWebhookConfiguration": "webhook_configurations", "PodDisruptionBudget": "disruption_budgets",
    "HorizontalPodAutoscaler": "autoscalers", "IngressClass": "ingress_classes", "ConfigMap": "config_maps",
}  # fmt: skip
# Without these an add-on goes on, guarded or chosen less.
_SPARED = frozenset({
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "PodDisruptionBudget", "StorageClass",
    "HorizontalPodAutoscaler", "IngressClass",
})  # fmt: skip
_NEEDED = (
    EdgeType.SERVICE_ACCOUNT, EdgeType.CLAIM, EdgeType.RBAC, EdgeType.STORAGE_CLASS, EdgeType.CSI_DRIVER,
    EdgeType.SCALE_TARGET, EdgeType.CONVERSION, EdgeType.CONFIG_MAP,
)  # fmt: skip

_Name = tuple[str, str, str]  # kind, namespace, name


def missing(
    snapshot: Snapshot, inventory: Inventory, catalog: Catalog, edges: Sequence[Edge], owners: Mapping[ObjectRef, str]
) -> Iterator[Finding]:
    """Findings about what is not there; none where the input need not hold all of a cluster."""
    if snapshot.cluster.source == "files" or snapshot.cluster.namespace:
        return  # what is referred to may well be where nobody looked
    seen = _Seen(snapshot, catalog)
    broken = list(_broken(seen, edges, owners))
    yield from dict.fromkeys(map(_reference, broken))
    yield from _own_objects(seen, inventory, catalog, {edge.target for edge in broken})
    yield from _without_permission(snapshot, edges, inventory, catalog)
    yield from _system_addons(snapshot, inventory, catalog)


class _Seen:
    """The names of what was read, and of what would have been."""

    def __init__(self, snapshot: Snapshot, catalog: Catalog) -> None:
        self.snapshot = snapshot
        self._there = {(ref.kind, ref.namespace, ref.name) for ref, _ in snapshot.objects()}
        self._there |= {("ConfigMap", config.namespace, config.name) for config in snapshot.config_maps}
        self._config_maps = {name for addon in catalog.addons.values() for name in addon.config_maps}

    def lacks(self, kind: str, namespace: str, name: str) -> bool:
        """Whether an object surely does not exist."""
        if kind == "ConfigMap" and f"{namespace}/{name}" not in self._config_maps:
            return False  # of these only the catalogue's are read
        part = _READ_WHOLE.get(kind)
        return part is not None and self.snapshot.gap(part) is None and (kind, namespace, name) not in self._there


# ── What is referred to ─────────────────────────────────────────────────────────────────────────────────────────


def _broken(seen: _Seen, edges: Sequence[Edge], owners: Mapping[ObjectRef, str]) -> Iterator[Edge]:
    """References of add-ons, and of classes of storage, to objects that are not there."""
    for edge in edges:
        target = edge.target
        anybodys = edge.type in (EdgeType.CSI_DRIVER, EdgeType.CONVERSION)
        # What is bound goes on without its class; what is optional is not needed.
        spared = edge.strength is Strength.SOFT and edge.type in (EdgeType.STORAGE_CLASS, EdgeType.CONFIG_MAP)
        matters = edge.type in _NEEDED and ((edge.source in owners and not spared) or anybodys)
        if matters and seen.lacks(target.kind, target.namespace, target.name):
            yield edge


def _reference(edge: Edge) -> Finding:
    evidence = Evidence(kind=edge.type.value, subject=str(edge.source), detail=f"{edge.target}: {edge.evidence}")
    soft = edge.strength is Strength.SOFT or edge.type is EdgeType.CSI_DRIVER
    severity = Severity.RECOMMENDED if soft else None
    return finding("DEP003", f"{edge.source} needs {edge.target}", evidence, severity=severity)


# ── What an add-on came with ────────────────────────────────────────────────────────────────────────────────────


def _own_objects(seen: _Seen, inventory: Inventory, catalog: Catalog, said: Collection[ObjectRef]) -> Iterator[Finding]:
    """Objects of an add-on that runs: what its installer recorded, and what every copy of it comes with.

    Of the latter one may do without by its settings, unless the whole cluster lives on it. `said`: what is told to
    lack already.
    """
    told = {(ref.kind, ref.namespace, ref.name) for ref in said}
    for row in inventory.installations:
        entry = catalog.addons.get(row.addon)
        recorded = dict(one for claim in row.claims for one in _recorded(seen.snapshot, claim.owner))
        usual = dict.fromkeys(_usual(row, entry, seen.snapshot) if entry else (), "every installation of it has it")
        gone = {name: why for name, why in (usual | recorded).items() if name not in told and seen.lacks(*name)}
        if gone and row.workloads:
            surely = any(name in recorded or (entry and entry.system) for name in gone if name[0] not in _SPARED)
            yield _lacks_own(row, seen.snapshot, gone, None if surely else Severity.RECOMMENDED)


def _lacks_own(row: Installation, snapshot: Snapshot, gone: Mapping[_Name, str], severity: Severity | None) -> Finding:
    """`gone`: what lacks, and who says that it should be there."""
    refs = [ObjectRef(kind=kind, namespace=namespace, name=name) for kind, namespace, name in gone]
    shown = (
        Evidence(kind="record", subject=str(ref), detail=why) for ref, why in zip(refs, gone.values(), strict=True)
    )
    more = f" and {len(refs) - 1} more of its own" if len(refs) > 1 else ""
    subject = f"{row.id} needs {refs[0]}{more}"
    return finding("DEP003", subject, *shown, fix=restore(row, snapshot), severity=severity)


def _recorded(snapshot: Snapshot, owner: str) -> Iterator[tuple[_Name, str]]:
    """What the record of an installer names: a Helm release's manifest, an Application's resources."""
    what, _, name = owner.rpartition(" ")
    for release in snapshot.helm_releases if what in ("helm release", "flux helmrelease") else ():
        if release.status == "deployed" and _kept_by(owner, release, snapshot):
            why = f"it is in the manifest of helm release {release.namespace}/{release.name}"
            yield from (((o.kind, _namespace(o.kind, o.namespace, release.namespace), o.name), why)
                        for o in release.objects)  # fmt: skip
    for app in snapshot.applications if what == "argocd application" else ():
        if f"{app.namespace}/{app.name}" == name and app.destination_in_cluster:
            yield from (((r.kind, r.namespace, r.name), f"{owner} has it") for r in app.resources)


def _kept_by(owner: str, release: HelmRelease, snapshot: Snapshot) -> bool:
    name = owner.rpartition(" ")[2]
    if owner.startswith("helm"):
        return f"{release.namespace}/{release.name}" == name
    return any(
        f"{each.namespace}/{each.name}" == name
        and (each.target_namespace, each.release) == (release.namespace, release.name)
        for each in snapshot.flux_helm_releases
    )  # fmt: skip


_CLUSTER_WIDE = frozenset({
    "ClusterRole", "ClusterRoleBinding", "StorageClass", "CSIDriver", "APIService", "CustomResourceDefinition",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "IngressClass",
})  # fmt: skip


def _namespace(kind: str, written: str, home: str) -> str:
    """Where an object is: charts leave its namespace out, or write one where there is none."""
    return "" if kind in _CLUSTER_WIDE else written or home


def _usual(row: Installation, entry: AddOn, snapshot: Snapshot) -> Iterator[_Name]:
    """What the catalogue says that every copy has. A Service under another name does as well."""
    home = row.namespaces[0] if row.namespaces else ""
    for kind, namespace, name in entry.own_objects():
        if kind != "Service" or not _served(row, snapshot):
            yield kind, _namespace(kind, namespace, home), name


def _served(row: Installation, snapshot: Snapshot) -> bool:
    """Whether a Service leads to any of its workloads."""
    mine = [workload for workload in snapshot.workloads if workload.ref in row.workloads]
    return any(
        service.selector and service.namespace == workload.namespace
        and selects(service.selector, (), workload.template.labels)
        for service in snapshot.services for workload in mine
    )  # fmt: skip


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────


def _without_permission(
    snapshot: Snapshot, edges: Sequence[Edge], inventory: Inventory, catalog: Catalog
) -> Iterator[Finding]:
    """Add-ons that talk to the API server, under accounts to which no role is bound."""
    if any(snapshot.gap(part) for part in ("role_bindings", "roles", "service_accounts")):
        return
    empty = {_role(role) for role in snapshot.roles if not role.rules}
    granted = {edge.source for edge in edges if edge.type is EdgeType.RBAC and edge.target not in empty}
    groups = {s.name for binding in snapshot.role_bindings for s in binding.subjects if s.kind == "Group"}
    accounts = {edge.source: edge.target for edge in edges if edge.type is EdgeType.SERVICE_ACCOUNT}
    said: set[ObjectRef] = set()
    for row in inventory.installations:
        entry = catalog.addons.get(row.addon)
        used = [accounts[ref] for ref in row.workloads if ref in accounts]
        if entry is None or not entry.needs_rbac or not used or any(account in granted for account in used):
            continue
        if any(f"system:serviceaccounts:{account.namespace}" in groups for account in used):
            continue
        hollow = [edge for edge in edges if edge.source in used and edge.target in empty]
        why = f"{hollow[0].target} allows nothing" if hollow else "no RoleBinding or ClusterRoleBinding names it"
        evidence = Evidence(kind="rbac", subject=str(used[0]), detail=why)
        yield finding("DEP004", str(used[0]), evidence, fix=restore(row, snapshot))
        said.add(used[0])
    mine = {accounts[ref] for row in inventory.installations for ref in row.workloads if ref in accounts}
    yield from _unbound_roles(snapshot, mine - said)


def _role(role: Role) -> ObjectRef:
    kind = "Role" if role.namespace else "ClusterRole"
    return ObjectRef(kind=kind, name=role.name, namespace=role.namespace, group="rbac.authorization.k8s.io")


def _unbound_roles(snapshot: Snapshot, used: Iterable[ObjectRef]) -> Iterator[Finding]:
    """Roles that are called after an add-on's account, and that no binding gives to anybody."""
    bound = {(binding.role.kind, binding.role.name) for binding in snapshot.role_bindings}
    accounts = sorted(used, key=str)
    for role in snapshot.roles:
        ref = _role(role)
        if (ref.kind, role.name) in bound:
            continue
        for account in accounts:
            if role.name in (account.name, f"system:{account.name}") and role.namespace in ("", account.namespace):
                detail = f"{ref.kind} {role.name} is bound to nobody"
                yield finding("DEP004", str(account), Evidence(kind="rbac", subject=str(account), detail=detail))


# ── Add-ons that every cluster has ──────────────────────────────────────────────────────────────────────────────


def _system_addons(snapshot: Snapshot, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """System add-ons of which only the ServiceAccount is left, and whose work nothing else does."""
    if any(snapshot.gap(part) for part in ("workloads", "service_accounts", "nodes")):
        return
    rows = {row.addon: row for row in inventory.installations}
    present = {row.addon for row in inventory.installations if row.workloads or row.method is Method.BUILT_IN}
    unknown = any(each.ref.kind == "DaemonSet" for each in inventory.unrecognised)  # a CNI that nobody knows, perhaps
    for addon in catalog.addons.values():
        if not addon.system or present & {addon.id, *_alternatives(addon.id, catalog)} or not _has_nodes(snapshot):
            continue
        kinds = {each.name: each.kind for each in addon.fingerprints.workloads}
        left = next((a for a in snapshot.service_accounts if a.namespace == _SYSTEM and a.name in kinds), None)
        if left is None or (unknown and kinds[left.name] == "DaemonSet"):
            continue
        account = ObjectRef(kind="ServiceAccount", namespace=_SYSTEM, name=left.name)
        detail = f"its account is still there, its {kinds[left.name]} {left.name} is not"
        row = rows.get(addon.id)
        fix = restore(row, snapshot) if row else _install(addon, snapshot)
        evidence = Evidence(kind="service-account", subject=str(account), detail=detail)
        yield finding("INV006", f"{kinds[left.name]}/{_SYSTEM}/{left.name}", evidence, fix=fix)


_SYSTEM = "kube-system"


def _has_nodes(snapshot: Snapshot) -> bool:
    """Whether there are nodes on which AWS does not build these in."""
    return any(node.compute_type in ("ec2", "hybrid") for node in snapshot.nodes)


def _alternatives(addon: str, catalog: Catalog) -> set[str]:
    """What does the work of an add-on as well, by those who need it."""
    needs = (need for entry in catalog.addons.values() for need in entry.requires if need.addon == addon)
    return {name for need in needs for name in need.alternatives}


def _install(addon: AddOn, snapshot: Snapshot) -> str:
    if snapshot.eks is None or addon.install.eks is None:
        return f"# apply the manifests of {addon.name} again, as they were installed"
    cluster = snapshot.cluster.name
    return command("aws", "eks", "create-addon", "--cluster-name", cluster, "--addon-name", addon.install.eks.name)
