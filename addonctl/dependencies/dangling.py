"""What is missing: references and installed objects of add-ons, roles of their ServiceAccounts, system add-ons.

Decided from a View of a whole cluster, the edges and owners from find_dependencies, the installers' own records and the
Catalog. Called by assessment.py.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from addonctl import resources
from addonctl.catalog import AddOn, Catalog
from addonctl.dependencies.needed_rights import missing_rights
from addonctl.dependencies.references import role_of
from addonctl.findings import finding, makes
from addonctl.model import (
    Action,
    Apply,
    CreateAddon,
    Edge,
    EdgeType,
    Evidence,
    Finding,
    HelmRelease,
    Installation,
    InstallationRef,
    Inventory,
    MissingRef,
    Note,
    ObjectRef,
    Owner,
    Role,
    Severity,
    Snapshot,
    Strength,
    View,
    owners,
)
from addonctl.remediation import restore

# Without these an add-on keeps working: less protected, or no longer the default.
_SPARED = frozenset(
    {
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "PodDisruptionBudget",
        "StorageClass",
        "HorizontalPodAutoscaler",
        "IngressClass",
    }
)
_CREATE = Note("Create it, or apply the add-on again the way it was installed.")
_NEEDED = frozenset(
    {
        EdgeType.SERVICE_ACCOUNT,
        EdgeType.CLAIM,
        EdgeType.RBAC,
        EdgeType.STORAGE_CLASS,
        EdgeType.CSI_DRIVER,
        EdgeType.SCALE_TARGET,
        EdgeType.CONFIG_MAP,
    }
)


def find_dangling(
    view: View, inventory: Inventory, catalog: Catalog, edges: Sequence[Edge], owned: Mapping[ObjectRef, str]
) -> tuple[Finding, ...]:
    """Findings about what is missing; of what the input may just not contain, none if it may be part of a cluster.

    `edges` and `owned` (object → installation) are those of find_dependencies.
    """
    lacking = tuple(missing_rights(view, edges, inventory, catalog))
    if not view.is_whole:
        return lacking  # the target may be in a namespace that was not read
    return (
        *lacking,
        *_missing(view, inventory, catalog, edges, owned),
        *_without_permission(view, edges, inventory, catalog),
        *_system_addons(view, inventory, catalog),
    )


@makes("DEP003")
def _missing(
    view: View, inventory: Inventory, catalog: Catalog, edges: Sequence[Edge], owned: Mapping[ObjectRef, str]
) -> Iterator[Finding]:
    broken = [edge for edge in edges if _matters(edge, owned) and _is_missing(view, catalog, edge.target)]
    yield from _references(view, inventory, owned, broken)
    yield from _own_objects(view, inventory, catalog, {edge.target for edge in broken})


def _is_missing(view: View, catalog: Catalog, ref: ObjectRef) -> bool:
    """Whether an object certainly does not exist; for kinds that are read by name, only if it was requested."""
    known = resources.find(ref.group, ref.kind)
    if known is not None and known.by_name and f"{ref.namespace}/{ref.name}" not in catalog.config_maps:
        return False
    return view.absent(ref)


# ── Missing targets of references ───────────────────────────────────────────────────────────────────────────────


def _matters(edge: Edge, owned: Mapping[ObjectRef, str]) -> bool:
    """References from add-ons and, whoever owns them, from classes to drivers."""
    if edge.type is EdgeType.CSI_DRIVER:
        return True
    # A bound volume no longer needs its class, and optional references are not needed.
    spared = edge.strength is Strength.SOFT and edge.type in (EdgeType.STORAGE_CLASS, EdgeType.CONFIG_MAP)
    return edge.type in _NEEDED and edge.source in owned and not spared


def _references(
    view: View, inventory: Inventory, owned: Mapping[ObjectRef, str], broken: Iterable[Edge]
) -> Iterator[Finding]:
    """One finding for all references of one object to another."""
    rows = {row.id: row for row in inventory.installations}
    found: dict[tuple[ObjectRef, ObjectRef], list[Edge]] = {}
    for edge in broken:
        found.setdefault((edge.source, edge.target), []).append(edge)
    for (source, target), same in found.items():
        soft = all(edge.strength is Strength.SOFT or edge.type is EdgeType.CSI_DRIVER for edge in same)
        evidence = [
            Evidence(kind=edge.type.value, subject=str(source), detail=f"{target}: {edge.evidence}", ref=source)
            for edge in same
        ]
        severity = Severity.RECOMMENDED if soft else None
        row = rows.get(owned.get(source, ""))
        fix = (_CREATE, *restore(row, view)) if row is not None else ()
        yield finding("DEP003", MissingRef(source, target), *evidence, fix=fix, severity=severity)


# ── Missing objects of an installation ──────────────────────────────────────────────────────────────────────────


def _own_objects(
    view: View, inventory: Inventory, catalog: Catalog, reported: Collection[ObjectRef]
) -> Iterator[Finding]:
    """Missing objects of a running add-on: those that its installer recorded, and those that every copy has.

    The latter may be disabled by its settings, unless the whole cluster depends on it. `reported`: already known to be
    missing.
    """
    records = _Records(view)
    for row in inventory.installations:
        entry = catalog.addons.get(row.addon)
        recorded = {ref: why for claim in row.claims for ref, why in records.of(claim.owner)}
        usual = dict.fromkeys(_usual(view, row, entry) if entry else (), "every installation of it has it")
        gone = {
            ref: why
            for ref, why in (usual | recorded).items()
            if ref not in reported and _is_missing(view, catalog, ref)
        }
        if gone and row.workloads:
            surely = any(ref in recorded or (entry and entry.system) for ref in gone if ref.kind not in _SPARED)
            yield _own_object(view, row, gone, None if surely else Severity.RECOMMENDED)


def _own_object(view: View, row: Installation, gone: Mapping[ObjectRef, str], severity: Severity | None) -> Finding:
    """`gone`: the missing objects, each with the evidence that it should exist."""
    shown = (Evidence(kind="record", subject=str(ref), detail=why, ref=ref) for ref, why in gone.items())
    subject = MissingRef(InstallationRef(row.id, row.addon), next(iter(gone)), len(gone) - 1)
    return finding("DEP003", subject, *shown, fix=restore(row, view), severity=severity)


@dataclass(frozen=True)
class _Records:
    """The objects in installers' records: a Helm release's manifest, an Application's resources."""

    view: View

    @cached_property
    def _releases(self) -> Mapping[tuple[str, str], HelmRelease]:
        deployed = (release for release in self.view.helm_releases if release.status == "deployed")
        return {(release.namespace, release.name): release for release in deployed}

    @cached_property
    def _kept_by_flux(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        return {(o.namespace, o.name): (o.target_namespace, o.release) for o in self.view.flux_helm_releases}

    @cached_property
    def _applications(self) -> Mapping[tuple[str, str], tuple[ObjectRef, ...]]:
        return {(app.namespace, app.name): app.resources for app in self.view.applications}

    def of(self, owner: Owner) -> Iterator[tuple[ObjectRef, str]]:
        """Each object, with the evidence that it should exist."""
        match owner:
            case owners.HelmRelease(namespace=namespace, name=name):
                yield from self._in_release(namespace, name)
            case owners.FluxHelmRelease(namespace=namespace, name=name):
                yield from self._in_release(*self._kept_by_flux.get((namespace, name), ("", "")))
            case owners.ArgoApplication(namespace=namespace, name=name):
                for ref in self._applications.get((namespace, name), ()):
                    yield self.view.located(ref, ""), f"{owner} lists it"

    def _in_release(self, namespace: str, name: str) -> Iterator[tuple[ObjectRef, str]]:
        release = self._releases.get((namespace, name))
        for each in release.objects if release else ():
            written = ObjectRef(
                group=each.api_version.rpartition("/")[0], kind=each.kind, namespace=each.namespace, name=each.name
            )
            # Charts omit the namespace, or set one on cluster-scoped objects.
            yield self.view.located(written, namespace), f"it is in the manifest of helm release {namespace}/{name}"


def _usual(view: View, row: Installation, entry: AddOn) -> Iterator[ObjectRef]:
    """The objects that every copy has, by the catalog. A Service with another name counts as well."""
    home = row.namespaces[0] if row.namespaces else ""
    served = any(ref in view.services_of for ref in row.workloads)
    for kind, namespace, name in entry.own_objects():
        if kind != "Service" or not served:
            yield view.located(ObjectRef.of(kind, name, namespace), home)


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────

# What every account is granted: to ask who it is and what it may do and, on clusters created before Kubernetes 1.25, to
# use EKS's PodSecurityPolicy, which no longer exists.
_REVIEWS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
_EVERYBODYS = frozenset({"podsecuritypolicies"})


@makes("DEP004")
def _without_permission(view: View, edges: Sequence[Edge], inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """Add-ons that call the API server with ServiceAccounts to which no role is bound; and roles that are not bound."""
    if view.gap("role_bindings", "roles", "service_accounts") is not None:
        return
    grants = _Grants(view, edges)
    accounts = {edge.source: edge.target for edge in edges if edge.type is EdgeType.SERVICE_ACCOUNT}
    powerless: dict[ObjectRef, Finding] = {}
    for row in inventory.installations:
        entry = catalog.addons.get(row.addon)
        used = [accounts[ref] for ref in row.workloads if ref in accounts]
        if entry is None or not entry.needs_rbac or not used or any(map(grants.allow, used)):
            continue
        why = next((f"{role} allows nothing" for account in used for role in grants.hollow_of(account)), "")
        detail = why or "no RoleBinding or ClusterRoleBinding names it"
        evidence = Evidence(kind="rbac", subject=str(used[0]), detail=detail, ref=used[0])
        powerless.setdefault(used[0], finding("DEP004", used[0], evidence, fix=restore(row, view)))
    yield from powerless.values()
    used_at_all = {accounts[ref] for row in inventory.installations for ref in row.workloads if ref in accounts}
    yield from _unbound_roles(view, used_at_all - set(powerless))


class _Grants:
    """The permissions of ServiceAccounts, by the roles bound to them or to a group that they are in."""

    def __init__(self, view: View, edges: Sequence[Edge]) -> None:
        empty = {role.ref for role in view.snapshot.roles if not role.rules}
        telling = {role.ref for role in view.snapshot.roles if _allows_work(role)}
        bound = [edge for edge in edges if edge.type is EdgeType.RBAC]
        self._accounts = {edge.source for edge in bound if edge.target not in empty}
        self._groups = {
            subject.name
            for binding in view.snapshot.role_bindings
            if role_of(binding) in telling
            for subject in binding.subjects
            if subject.kind == "Group"
        }
        self._hollow: dict[ObjectRef, list[ObjectRef]] = {}
        for edge in bound:
            if edge.target in empty:
                self._hollow.setdefault(edge.source, []).append(edge.target)

    def allow(self, account: ObjectRef) -> bool:
        """Whether a ServiceAccount has a role that allows anything."""
        return account in self._accounts or not self._groups.isdisjoint(_groups_of(account))

    def hollow_of(self, account: ObjectRef) -> Sequence[ObjectRef]:
        """The roles of a ServiceAccount that allow nothing."""
        return self._hollow.get(account, ())


def _groups_of(account: ObjectRef) -> tuple[str, ...]:
    """The groups that Kubernetes puts every ServiceAccount into."""
    return "system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{account.namespace}"


def _allows_work(role: Role) -> bool:
    """Whether a role allows more than Kubernetes and EKS grant to everyone."""
    return any(set(rule.resources) - _EVERYBODYS and not set(rule.groups) <= _REVIEWS for rule in role.rules)


def _unbound_roles(view: View, used: Iterable[ObjectRef]) -> Iterator[Finding]:
    """ServiceAccounts with a role of the same name that is not bound to anything."""
    bound = {role_of(binding) for binding in view.snapshot.role_bindings}
    unbound: dict[str, list[ObjectRef]] = {}
    for role in view.snapshot.roles:
        if role.ref not in bound:
            unbound.setdefault(role.name, []).append(role.ref)
    for account in sorted(used, key=str):
        named = (*unbound.get(account.name, ()), *unbound.get(f"system:{account.name}", ()))
        evidence = [
            Evidence(kind="rbac", subject=str(account), detail=f"{role} is not bound to anything", ref=account)
            for role in named
            if role.namespace in ("", account.namespace)
        ]
        if evidence:
            yield finding("DEP004", account, *evidence)


# ── Add-ons that every cluster has ──────────────────────────────────────────────────────────────────────────────

_SYSTEM = "kube-system"


@makes("INV006")
def _system_addons(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """System add-ons of which only the ServiceAccount is left, and that nothing else replaces."""
    if view.gap("workloads", "service_accounts", "nodes") is not None or not _has_nodes(view):
        return
    rows = {row.addon: row for row in inventory.installations}
    present = {row.addon for row in inventory.installations if row.workloads or _built_in(row)}
    accounts = {account.name for account in view.snapshot.service_accounts if account.namespace == _SYSTEM}
    unknown = any(each.ref.kind == "DaemonSet" for each in inventory.unrecognised)  # perhaps an unknown CNI
    for addon in catalog.addons.values():
        if not addon.system or present & {addon.id, *_alternatives(addon, catalog)}:
            continue
        gone = next((each for each in addon.fingerprints.workloads if each.name in accounts), None)
        if gone is not None and not (unknown and gone.kind == "DaemonSet"):
            row = rows.get(addon.id)
            fix = restore(row, view) if row else (_install(addon, view.snapshot),)
            yield _system_addon(ObjectRef.of(gone.kind, gone.name, _SYSTEM), fix)


def _system_addon(workload: ObjectRef, fix: Iterable[Action]) -> Finding:
    account = ObjectRef.of("ServiceAccount", workload.name, workload.namespace)
    detail = f"its account is still there, its {workload.kind} {workload.name} is not"
    evidence = Evidence(kind="service-account", subject=str(account), detail=detail, ref=account)
    return finding("INV006", workload, evidence, fix=fix)


def _built_in(row: Installation) -> bool:
    return isinstance(row.owner, owners.AwsManaged)


def _has_nodes(view: View) -> bool:
    """Whether there are nodes on which AWS does not have these built in."""
    return any(node.compute_type in ("ec2", "hybrid") for node in view.snapshot.nodes)


def _alternatives(addon: AddOn, catalog: Catalog) -> set[str]:
    """What can replace an add-on."""
    return {name for service in addon.provides for name in catalog.providing(service)}


def _install(addon: AddOn, snapshot: Snapshot) -> Action:
    if snapshot.eks is None or addon.install.eks is None:
        return Apply(what=f"the manifests of {addon.name}, as they were installed")
    return CreateAddon(cluster=snapshot.cluster.eks_name, addon=addon.install.eks.name)
