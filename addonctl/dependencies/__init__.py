"""What depends on what: typed edges between objects, and from them between add-ons.

Decided from a Snapshot, its Inventory and the Catalog. An edge says what hurts when its target fails, and whether it
hurts what runs or only what changes. From the edges come the blast radius of an add-on, the order of updates, and
cycles. Called by assessment.py and by `addonctl deps`.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from addonctl.catalog import Catalog
from addonctl.dependencies.dangling import missing
from addonctl.findings import finding
from addonctl.model import (
    Edge,
    EdgeType,
    Evidence,
    Finding,
    Installation,
    Inventory,
    KubernetesObject,
    LabelExpression,
    Method,
    ObjectRef,
    RoleBinding,
    Rule,
    ServiceTarget,
    Snapshot,
    Strength,
    Webhook,
    WebhookConfiguration,
    Workload,
    selects,
)
from addonctl.workloads import all_workloads

# How much of an add-on's failure reaches what depends on it.
_WEIGHTS = {
    (Strength.HARD, "running"): 1.0, (Strength.HARD, "change"): 0.5,
    (Strength.SOFT, "running"): 0.3, (Strength.SOFT, "change"): 0.1,
}  # fmt: skip
_WEIGHT_MIN = 0.05  # below it, an effect through several others is not worth a line
_METRICS_API = "metrics.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One add-on depends on another; `source` and `target` are ids of installations, `via` the edges that say so."""

    source: str
    target: str
    strength: Strength
    hurts: str
    via: tuple[Edge, ...]

    @property
    def weight(self) -> float:
        return weight(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What the failure of an add-on does to another: `weight` from 1 (it stops) towards 0, and the way there."""

    id: str
    weight: float
    path: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """All edges of a cluster. `order`: installations in the order in which updates disturb least, targets first."""

    edges: tuple[Edge, ...]
    addons: tuple[Dependency, ...]
    order: tuple[str, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    findings: tuple[Finding, ...] = ()
    owners: Mapping[ObjectRef, str] = field(default_factory=dict)  # object → installation

    @cached_property
    def _dependents(self) -> Mapping[str, list[tuple[str, float]]]:
        found: dict[str, list[tuple[str, float]]] = {}
        for dependency in self.addons:
            found.setdefault(dependency.target, []).append((dependency.source, dependency.weight))
        return found

    def blast_radius(self, installation: str) -> tuple[Impact, ...]:
        """Whom the failure of `installation` hurts, the worst first."""
        hurt = reached(installation, self._dependents)
        listed = (Impact(id=name, weight=weight, path=path) for name, (weight, path) in hurt.items())
        return tuple(sorted(listed, key=lambda impact: (-impact.weight, impact.id)))


_Node = TypeVar("_Node", bound=Hashable)


def weight(of: Edge | Dependency) -> float:
    """How much of a failure passes along an edge, from 1 (the source stops) towards 0."""
    return _WEIGHTS[of.strength, of.hurts]


def reached(
    start: _Node, dependents: Mapping[_Node, Iterable[tuple[_Node, float]]]
) -> dict[_Node, tuple[float, tuple[_Node, ...]]]:
    """Weighted reverse reachability: whom the failure of `start` hurts, how much, and the way there.

    `dependents` lists for each node who depends on it, and how much of its failure reaches them. Weights multiply
    along the way; what is too small to be worth a line is left out.
    """
    best: dict[_Node, tuple[float, tuple[_Node, ...]]] = {start: (1.0, (start,))}
    queue = [start]
    while queue:
        node = queue.pop(0)
        so_far, path = best[node]
        for source, share in dependents.get(node, ()):
            known = best.get(source)
            if so_far * share >= _WEIGHT_MIN and (known is None or known[0] < so_far * share):
                best[source] = (so_far * share, (*path, source))
                queue.append(source)
    del best[start]
    return best


def find_dependencies(snapshot: Snapshot, inventory: Inventory, catalog: Catalog) -> Dependencies:
    """The edges of a snapshot between objects and between its installations."""
    world = _World(snapshot)
    static = [edge for find in EDGES for edge in find(world)]
    owners = dict(_owned(world, inventory, catalog, static))
    guarded = list(_admission(world, owners))
    edges = tuple(dict.fromkeys((*static, *guarded)))
    between = [*_crossing(edges, owners), *_requirements(inventory, catalog), *_platform(world, inventory, catalog)]
    addons = _joined(between)
    order, cycles = _ordered(inventory, addons)
    return Dependencies(
        edges=edges, addons=addons, order=order, cycles=cycles, owners=owners,
        findings=tuple(_findings(world, edges, owners, cycles, inventory, catalog)),
    )  # fmt: skip


_NAME = "kubernetes.io/metadata.name"


class _World:
    """A snapshot with the indexes that finding edges takes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.workloads = list(all_workloads(snapshot))
        self.by_namespace: dict[str, list[Workload]] = {}
        for workload in self.workloads:
            self.by_namespace.setdefault(workload.namespace, []).append(workload)
        self.crds = {(crd.group, crd.kind): crd for crd in snapshot.crds}
        self.namespaces = {namespace.name: namespace.labels for namespace in snapshot.namespaces}

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace; Kubernetes gives every one its name."""
        return {_NAME: name, **self.namespaces.get(name, {})}

    def knows_labels(self, namespace: str, hook: Webhook) -> bool:
        """Whether enough of a namespace was read to tell if a webhook's selector selects it."""
        unread = self.snapshot.gap("namespaces") is not None or self.snapshot.cluster.source == "files"
        asked_for = {*hook.namespace_labels, *(expression.key for expression in hook.namespace_expressions)}
        return namespace in self.namespaces or not unread or asked_for <= {_NAME}

    def selected(
        self, namespace: str, labels: Mapping[str, str], expressions: Iterable[LabelExpression] = ()
    ) -> list[Workload]:
        """The workloads of a namespace whose pods a selector selects."""
        return [w for w in self.by_namespace.get(namespace, ()) if selects(labels, expressions, w.template.labels)]


# ── Edges between objects, one function a kind of reference ─────────────────────────────────────────────────────


def _ref(kind: str, thing: KubernetesObject, group: str = "") -> ObjectRef:
    return ObjectRef(kind=kind, name=thing.name, namespace=thing.namespace, group=group)


def _service(target: ServiceTarget) -> ObjectRef:
    return ObjectRef(kind="Service", name=target.name, namespace=target.namespace)


def _owners(world: _World) -> Iterator[Edge]:
    for thing, ref in (
        *((workload, workload.ref) for workload in world.snapshot.workloads),
        *((other, other.ref) for other in world.snapshot.others),
    ):
        for owner in thing.owners:
            target = ObjectRef(kind=owner.kind, name=owner.name, namespace=thing.namespace, group=owner.group)
            yield Edge(source=ref, target=target, type=EdgeType.OWNER, evidence="metadata.ownerReferences")


def _pod_references(world: _World) -> Iterator[Edge]:
    for workload in world.workloads:
        template, source = workload.template, workload.ref
        if template.service_account:
            target = ObjectRef(kind="ServiceAccount", name=template.service_account, namespace=workload.namespace)
            yield Edge(source=source, target=target, type=EdgeType.SERVICE_ACCOUNT, evidence="spec.serviceAccountName")
        for kind, names, edge_type in (
            ("ConfigMap", template.config_maps, EdgeType.CONFIG_MAP),
            ("Secret", template.secrets, EdgeType.SECRET),
            ("PersistentVolumeClaim", template.claims, EdgeType.CLAIM),
        ):
            for name in names:
                strength = Strength.SOFT if f"{kind}/{name}" in template.optional else Strength.HARD
                target = ObjectRef(kind=kind, name=name, namespace=workload.namespace)
                evidence = "volumes and env of the pod template"
                yield Edge(source=source, target=target, type=edge_type, strength=strength, evidence=evidence)
        if template.priority_class:
            target = ObjectRef(kind="PriorityClass", name=template.priority_class, group="scheduling.k8s.io")
            yield Edge(
                source=source, target=target, type=EdgeType.PRIORITY_CLASS, hurts="change",
                evidence="spec.priorityClassName",
            )  # fmt: skip


def _pull_secrets(world: _World) -> Iterator[Edge]:
    for account in world.snapshot.service_accounts:
        for name in account.image_pull_secrets:
            target = ObjectRef(kind="Secret", name=name, namespace=account.namespace)
            source = _ref("ServiceAccount", account)
            yield Edge(source=source, target=target, type=EdgeType.SECRET, hurts="change", evidence="imagePullSecrets")


def _selectors(world: _World) -> Iterator[Edge]:
    for service in world.snapshot.services:
        for workload in world.selected(service.namespace, service.selector) if service.selector else ():
            evidence = f"selector {_labels(service.selector)}"
            yield Edge(source=_ref("Service", service), target=workload.ref, type=EdgeType.SELECTOR, evidence=evidence)
    for budget in world.snapshot.disruption_budgets:
        if budget.selector is None:
            continue
        for workload in world.selected(budget.namespace, budget.selector, budget.expressions):
            yield Edge(
                source=_ref("PodDisruptionBudget", budget, "policy"), target=workload.ref, type=EdgeType.SELECTOR,
                strength=Strength.SOFT, evidence=f"selector {_labels(budget.selector)}",
            )  # fmt: skip


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _autoscalers(world: _World) -> Iterator[Edge]:
    metrics = [api for api in world.snapshot.api_services if api.group == _METRICS_API]
    for scaler in world.snapshot.autoscalers:
        source = _ref("HorizontalPodAutoscaler", scaler, "autoscaling")
        if scaler.target is not None:
            yield Edge(
                source=source, target=scaler.target, type=EdgeType.SCALE_TARGET, strength=Strength.SOFT,
                evidence="spec.scaleTargetRef",
            )  # fmt: skip
        for api in metrics:
            target = _ref("APIService", api, "apiregistration.k8s.io")
            yield Edge(
                source=source, target=target, type=EdgeType.METRICS, strength=Strength.SOFT, evidence="resource metrics"
            )


def _names_resolved(world: _World) -> Iterator[Edge]:
    """Pods on the pod network ask the cluster's DNS for every name; who of them needs one now, nothing tells.

    Whether their cluster has the DNS that is among them, files do not say.
    """
    known = world.snapshot.services if world.snapshot.cluster.source != "files" else ()
    for dns in (service for service in known if (service.namespace, service.name) == _DNS_SERVICE):
        for workload in world.workloads:
            answers = workload.namespace == dns.namespace and selects(dns.selector, (), workload.template.labels)
            if not (answers or workload.template.host_network):
                yield Edge(
                    source=workload.ref, target=_ref("Service", dns), type=EdgeType.DNS, strength=Strength.SOFT,
                    evidence="its pods resolve names",
                )  # fmt: skip


_DNS_SERVICE = ("kube-system", "kube-dns")


def _webhook_backends(world: _World) -> Iterator[Edge]:
    for configuration in world.snapshot.webhook_configurations:
        source = _ref(configuration.kind, configuration, "admissionregistration.k8s.io")
        backends: dict[ServiceTarget, list[Webhook]] = {}
        for hook in configuration.webhooks:
            if hook.service is not None:
                backends.setdefault(ServiceTarget(namespace=hook.service.namespace, name=hook.service.name), []).append(
                    hook
                )
        for target, hooks in backends.items():
            fails = any(hook.failure_policy == "Fail" for hook in hooks)
            yield Edge(
                source=source, target=_service(target), type=EdgeType.WEBHOOK,
                strength=Strength.HARD if fails else Strength.SOFT,
                evidence=", ".join(f"{hook.name} (failurePolicy {hook.failure_policy})" for hook in hooks),
            )  # fmt: skip


def _api_services(world: _World) -> Iterator[Edge]:
    for api in world.snapshot.api_services:
        if api.service is not None:
            source = _ref("APIService", api, "apiregistration.k8s.io")
            yield Edge(source=source, target=_service(api.service), type=EdgeType.API_SERVICE, evidence="spec.service")


def _crds(world: _World) -> Iterator[Edge]:
    for crd in world.snapshot.crds:
        if crd.conversion is not None:
            source = _ref("CustomResourceDefinition", crd, "apiextensions.k8s.io")
            yield Edge(
                source=source, target=_service(crd.conversion), type=EdgeType.CONVERSION,
                evidence="spec.conversion.webhook",
            )  # fmt: skip
    for other in world.snapshot.others:
        of = world.crds.get((other.group, other.kind))
        if of is not None:
            target = _ref("CustomResourceDefinition", of, "apiextensions.k8s.io")
            yield Edge(
                source=other.ref, target=target, type=EdgeType.CUSTOM_RESOURCE, hurts="change",
                evidence=other.api_version,
            )  # fmt: skip


def _permissions(world: _World) -> Iterator[Edge]:
    for binding in world.snapshot.role_bindings:
        role = binding.role
        namespace = binding.namespace if role.kind == "Role" else ""
        target = ObjectRef(kind=role.kind, name=role.name, namespace=namespace, group="rbac.authorization.k8s.io")
        for subject in binding.subjects:
            source = _account(subject, binding.namespace)
            if source is not None:
                yield Edge(source=source, target=target, type=EdgeType.RBAC, evidence=_binding_name(binding))


_ACCOUNT_USER = "system:serviceaccount:"


def _account(subject: ObjectRef, namespace: str) -> ObjectRef | None:
    """The ServiceAccount that a subject is, which may be written as its user name."""
    if subject.kind == "ServiceAccount":
        return ObjectRef(kind="ServiceAccount", name=subject.name, namespace=subject.namespace or namespace)
    if subject.kind == "User" and subject.name.startswith(_ACCOUNT_USER):
        where, _, name = subject.name.removeprefix(_ACCOUNT_USER).partition(":")
        return ObjectRef(kind="ServiceAccount", name=name, namespace=where)
    return None


def _binding_name(binding: RoleBinding) -> str:
    kind = "RoleBinding" if binding.namespace else "ClusterRoleBinding"
    return str(_ref(kind, binding))


def _identities(world: _World) -> Iterator[Edge]:
    for account in world.snapshot.service_accounts:
        if account.role_arn:
            target = ObjectRef(kind="IAMRole", name=account.role_arn)
            source = _ref("ServiceAccount", account)
            yield Edge(
                source=source, target=target, type=EdgeType.IRSA, evidence="annotation eks.amazonaws.com/role-arn"
            )
    for identity in world.snapshot.eks.pod_identities if world.snapshot.eks else ():
        source = ObjectRef(kind="ServiceAccount", name=identity.service_account, namespace=identity.namespace)
        target = ObjectRef(kind="IAMRole", name=identity.role_arn)
        yield Edge(source=source, target=target, type=EdgeType.POD_IDENTITY, evidence="EKS pod identity association")


def _storage(world: _World) -> Iterator[Edge]:
    def of_class(source: ObjectRef, name: str, *, bound: bool = False) -> Edge:
        target = ObjectRef(kind="StorageClass", name=name, group="storage.k8s.io")
        return Edge(
            source=source, target=target, type=EdgeType.STORAGE_CLASS, hurts="change", evidence="storageClassName",
            strength=Strength.SOFT if bound else Strength.HARD,  # a volume that is there goes on without its class
        )  # fmt: skip

    for claim in world.snapshot.volume_claims:
        if claim.storage_class:
            yield of_class(_ref("PersistentVolumeClaim", claim), claim.storage_class, bound=claim.phase == "Bound")
    for workload in world.workloads:
        for name in workload.storage_classes:
            yield of_class(workload.ref, name)
    drivers: list[tuple[str, str, KubernetesObject, str]] = [
        ("StorageClass", "storage.k8s.io", c, c.provisioner) for c in world.snapshot.storage_classes
    ]
    drivers += [
        ("VolumeSnapshotClass", "snapshot.storage.k8s.io", c, c.driver) for c in world.snapshot.volume_snapshot_classes
    ]
    for kind, group, thing, driver in drivers:
        if "." in driver and "/" not in driver:  # a CSI driver is called by a domain name
            target = ObjectRef(kind="CSIDriver", name=driver, group="storage.k8s.io")
            yield Edge(
                source=_ref(kind, thing, group), target=target, type=EdgeType.CSI_DRIVER, evidence=f"driver {driver}"
            )


def _ingresses(world: _World) -> Iterator[Edge]:
    for ingress in world.snapshot.ingresses:
        source = _ref("Ingress", ingress, "networking.k8s.io")
        for name in ingress.services:
            target = ObjectRef(kind="Service", name=name, namespace=ingress.namespace)
            yield Edge(source=source, target=target, type=EdgeType.INGRESS, evidence="spec.rules")
        for name in ingress.secrets:
            target = ObjectRef(kind="Secret", name=name, namespace=ingress.namespace)
            yield Edge(source=source, target=target, type=EdgeType.SECRET, evidence="spec.tls")
        if ingress.ingress_class:
            target = ObjectRef(kind="IngressClass", name=ingress.ingress_class, group="networking.k8s.io")
            yield Edge(source=source, target=target, type=EdgeType.INGRESS_CLASS, evidence="spec.ingressClassName")


def _policies(world: _World) -> Iterator[Edge]:
    group = "admissionregistration.k8s.io"
    for binding in world.snapshot.admission_policy_bindings:
        target = ObjectRef(kind="ValidatingAdmissionPolicy", name=binding.policy, group=group)
        source = _ref("ValidatingAdmissionPolicyBinding", binding, group)
        yield Edge(source=source, target=target, type=EdgeType.POLICY_BINDING, evidence="spec.policyName")


EDGES: tuple[Callable[[_World], Iterable[Edge]], ...] = (
    _owners, _pod_references, _pull_secrets, _selectors, _autoscalers, _names_resolved, _webhook_backends,
    _api_services, _crds, _permissions, _identities, _storage, _ingresses, _policies,
)  # fmt: skip


# ── Admission ───────────────────────────────────────────────────────────────────────────────────────────────────


def admits(hook: Webhook, namespace: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a webhook is asked when a pod with `labels` is made in a namespace with labels `namespace`."""
    return (
        any(_matches_pods(rule) for rule in hook.rules)
        and selects(hook.namespace_labels, hook.namespace_expressions, namespace)
        and selects(hook.object_labels, hook.object_expressions, labels)
    )


def _matches_pods(rule: Rule) -> bool:
    return (
        bool({"", "*"} & set(rule.groups))
        and bool({"pods", "*", "*/*"} & set(rule.resources))
        and bool({"CREATE", "*"} & set(rule.operations))
        and rule.scope != "Cluster"
    )


def _admission(world: _World, owners: Mapping[ObjectRef, str]) -> Iterator[Edge]:
    """Workloads whose pods a webhook is asked for before they start.

    Of those that are no add-on's, many, only where the webhook's silence refuses them.
    """
    hooks = [
        (configuration, hook)
        for configuration in world.snapshot.webhook_configurations
        for hook in configuration.webhooks
        if any(_matches_pods(rule) for rule in hook.rules)
    ]
    refusing = [(configuration, hook) for configuration, hook in hooks if hook.failure_policy == "Fail"]
    for workload in world.workloads if hooks else ():
        namespace = world.namespace_labels(workload.namespace)
        for configuration, hook in hooks if workload.ref in owners else refusing:
            known = world.knows_labels(workload.namespace, hook)
            if known and admits(hook, namespace, workload.template.labels):
                yield _admission_edge(workload, configuration, hook)


def _admission_edge(workload: Workload, configuration: WebhookConfiguration, hook: Webhook) -> Edge:
    # With match conditions (CEL) the webhook may not be asked after all.
    hard = hook.failure_policy == "Fail" and not hook.has_match_conditions
    return Edge(
        source=workload.ref, target=_ref(configuration.kind, configuration, "admissionregistration.k8s.io"),
        type=EdgeType.ADMISSION, strength=Strength.HARD if hard else Strength.SOFT, hurts="change",
        evidence=f"{hook.name} (failurePolicy {hook.failure_policy}) is asked for its pods",
    )  # fmt: skip


# ── Edges between add-ons ───────────────────────────────────────────────────────────────────────────────────────

# What belongs to the add-on that it leads to: who asks a webhook configuration asks what serves it.
_SERVED_BY = (EdgeType.SELECTOR, EdgeType.WEBHOOK, EdgeType.API_SERVICE, EdgeType.CONVERSION)


def _owned(world: _World, inventory: Inventory, catalog: Catalog, edges: list[Edge]) -> Iterator[tuple[ObjectRef, str]]:
    """Which object belongs to which installation: workloads, what leads to them, and what the catalogue names."""
    owned = {ref: row.id for row in inventory.installations for ref in row.workloads}
    first: dict[str, str] = {}
    for row in inventory.installations:
        first.setdefault(row.addon, row.id)
    for other in world.snapshot.crds:
        for addon in catalog.addons.values():
            if addon.id in first and other.group in addon.fingerprints.crd_groups:
                owned.setdefault(_ref("CustomResourceDefinition", other, "apiextensions.k8s.io"), first[addon.id])
    for addon_id, row_id in first.items():
        entry = catalog.addons.get(addon_id)
        for driver in entry.fingerprints.csi_drivers if entry else ():
            owned.setdefault(ObjectRef(kind="CSIDriver", name=driver, group="storage.k8s.io"), row_id)
    _own_by_labels(world, owned)
    for _ in _SERVED_BY:  # a chain is at most this long: webhook configuration → Service → Deployment
        for edge in edges:
            if edge.type in _SERVED_BY and edge.target in owned:
                owned.setdefault(edge.source, owned[edge.target])
    for edge in edges:  # what its pods run as
        if edge.type is EdgeType.SERVICE_ACCOUNT and edge.source in owned:
            owned.setdefault(edge.target, owned[edge.source])
    _own_by_scale(edges, owned)
    yield from owned.items()


# Labels by which a Service whose selector is wrong still says whose it is.
_NAMES = ("k8s-app", "app.kubernetes.io/name", "app")


def _own_by_labels(world: _World, owned: dict[ObjectRef, str]) -> None:
    """Services that select nothing belong to the add-on whose workload is labelled as they are."""
    for service in world.snapshot.services:
        ref = _ref("Service", service)
        if ref in owned or not service.selector or world.selected(service.namespace, service.selector):
            continue
        for workload in world.by_namespace.get(service.namespace, ()):
            labels = {**workload.template.labels, **workload.labels}
            named = [key for key in _NAMES if key in service.labels and key in labels]
            if workload.ref in owned and named and all(service.labels[key] == labels[key] for key in named):
                owned.setdefault(ref, owned[workload.ref])


def _own_by_scale(edges: list[Edge], owned: dict[ObjectRef, str]) -> None:
    """Autoscalers and claims belong to the add-on whose workload they serve; classes to nobody."""
    for edge in edges:
        if edge.type is EdgeType.SCALE_TARGET and edge.target in owned:
            owned.setdefault(edge.source, owned[edge.target])
        if edge.type is EdgeType.CLAIM and edge.source in owned:
            owned.setdefault(edge.target, owned[edge.source])


def _crossing(edges: tuple[Edge, ...], owners: Mapping[ObjectRef, str]) -> Iterator[Dependency]:
    """Edges that lead from one add-on into another, straight or over objects that are nobody's (a StorageClass)."""
    onward: dict[ObjectRef, list[Edge]] = {}
    for edge in edges:
        if edge.source not in owners:
            onward.setdefault(edge.source, []).append(edge)
    for edge in edges:
        source = owners.get(edge.source)
        if source is None or edge.type is EdgeType.SERVICE_ACCOUNT:  # several may share an account
            continue
        for path in _paths(edge, owners, onward):
            target = owners[path[-1].target]
            if target != source:
                soft = any(step.strength is Strength.SOFT for step in path)
                hurts = "change" if any(step.hurts == "change" for step in path) else "running"
                strength = Strength.SOFT if soft else Strength.HARD
                yield Dependency(source=source, target=target, strength=strength, hurts=hurts, via=path)


def _paths(
    edge: Edge, owners: Mapping[ObjectRef, str], onward: Mapping[ObjectRef, list[Edge]], seen: tuple[Edge, ...] = ()
) -> Iterator[tuple[Edge, ...]]:
    path = (*seen, edge)
    if edge.target in owners:
        yield path
        return
    for step in onward.get(edge.target, ()) if len(path) < len(("claim", "class", "driver", "owner")) else ():
        yield from _paths(step, owners, onward, path)


def _requirements(inventory: Inventory, catalog: Catalog) -> Iterator[Dependency]:
    """What the catalogue says that an add-on needs, where it is there."""
    present: dict[str, str] = {}
    for row in inventory.installations:
        present.setdefault(row.addon, row.id)
    for row in inventory.installations:
        entry = catalog.addons.get(row.addon)
        for need in entry.requires if entry else ():
            met = next((present[name] for name in (need.addon, *need.alternatives) if name in present), None)
            if met is not None and met != row.id:
                strength = Strength.HARD if need.hard else Strength.SOFT
                yield _required(row, met, need.text, strength, "running")


def _required(row: Installation, target: str, why: str, strength: Strength, hurts: str) -> Dependency:
    edge = Edge(
        source=ObjectRef(kind="AddOn", name=row.id), target=ObjectRef(kind="AddOn", name=target),
        type=EdgeType.REQUIREMENT, strength=strength, hurts=hurts, evidence=why,
    )  # fmt: skip
    return Dependency(source=row.id, target=target, strength=strength, hurts=hurts, via=(edge,))


# What every pod on the pod network needs, and when: the data path stays when its agent stops; new pods wait for it.
_POD_NETWORK = ("aws-vpc-cni", "cilium", "calico")
_SERVICE_NETWORK = ("kube-proxy", "cilium")
_DNS = ("coredns",)


def _platform(world: _World, inventory: Inventory, catalog: Catalog) -> Iterator[Dependency]:
    present: dict[str, str] = {}
    for row in inventory.installations:
        if row.method is not Method.BUILT_IN:
            present.setdefault(row.addon, row.id)
    workloads = {workload.ref: workload for workload in world.workloads}
    for row in inventory.installations:
        on_pod_network = [ref for ref in row.workloads if ref in workloads and not workloads[ref].template.host_network]
        if not on_pod_network:
            continue
        for names, why in (
            (_POD_NETWORK, "its pods get their addresses from the pod network"),
            (_SERVICE_NETWORK, "its pods reach the API server by its Service address"),
        ):
            target = next((present[name] for name in names if name in present), None)
            if target is not None and target != row.id:
                yield _required(row, target, why, Strength.HARD, "change")
        dns = next((present[name] for name in _DNS if name in present), None)
        if dns is not None and dns != row.id and _calls_aws(row, catalog):
            yield _required(row, dns, "it calls AWS's APIs, whose names its pods resolve", Strength.HARD, "running")


def _calls_aws(row: Installation, catalog: Catalog) -> bool:
    entry = catalog.addons.get(row.addon)
    return bool(entry and entry.install.eks and entry.install.eks.requires_iam)


def _joined(found: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """One dependency a pair of add-ons: as strong as its strongest edge."""
    pairs: dict[tuple[str, str], list[Dependency]] = {}
    for dependency in found:
        pairs.setdefault((dependency.source, dependency.target), []).append(dependency)
    joined = []
    for (source, target), same in sorted(pairs.items()):
        same.sort(key=lambda dependency: -dependency.weight)
        strongest = same[0]
        via = tuple(dict.fromkeys(edge for dependency in same for edge in dependency.via))
        joined.append(Dependency(
            source=source, target=target, strength=strongest.strength, hurts=strongest.hurts, via=via))  # fmt: skip
    return tuple(joined)


# ── Order and cycles ────────────────────────────────────────────────────────────────────────────────────────────


def _ordered(
    inventory: Inventory, addons: tuple[Dependency, ...]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """(what to update first to last, cycles). A cycle is opened where it is weakest."""
    kept = {(dependency.source, dependency.target): dependency for dependency in addons}
    cycles: list[tuple[str, ...]] = []
    while True:
        sorter: TopologicalSorter[str] = TopologicalSorter({row.id: () for row in inventory.installations})
        for source, target in kept:
            sorter.add(source, target)
        try:
            return tuple(sorter.static_order()), tuple(cycles)
        except CycleError as error:
            nodes: list[str] = error.args[1]
            # graphlib lists a cycle with each node a predecessor of the next: the next depends on it.
            steps = [(nodes[n + 1], nodes[n]) for n in range(len(nodes) - 1)]
            weakest = min((step for step in steps if step in kept), key=lambda step: kept[step].weight)
            if kept[weakest].strength is Strength.HARD:  # else it is opened without harm
                cycles.append(tuple(reversed(nodes)))
            del kept[weakest]


# ── Findings ────────────────────────────────────────────────────────────────────────────────────────────────────


def _findings(
    world: _World, edges: tuple[Edge, ...], owners: Mapping[ObjectRef, str], cycles: tuple[tuple[str, ...], ...],
    inventory: Inventory, catalog: Catalog,
) -> Iterator[Finding]:  # fmt: skip
    yield from missing(world.snapshot, inventory, catalog, edges, owners)
    yield from _self_guarded(edges, owners)
    for members, same in _joined_cycles(cycles):
        shown = (Evidence(kind="dependency", subject=cycle[0], detail=" → ".join(cycle)) for cycle in same)
        yield finding("DEP002", " ↔ ".join(sorted(members)), *shown)


def _joined_cycles(
    cycles: Iterable[tuple[str, ...]],
) -> list[tuple[set[str], list[tuple[str, ...]]]]:
    """Cycles that share an add-on are one knot."""
    knots: list[tuple[set[str], list[tuple[str, ...]]]] = []
    for cycle in cycles:
        apart = [knot for knot in knots if not knot[0] & set(cycle)]
        shared = [knot for knot in knots if knot[0] & set(cycle)]
        members = set(cycle).union(*(knot[0] for knot in shared))
        knots = [*apart, (members, [*(each for knot in shared for each in knot[1]), cycle])]
    return knots


def _self_guarded(edges: tuple[Edge, ...], owners: Mapping[ObjectRef, str]) -> Iterator[Finding]:
    """Webhooks that must answer before the pods that answer for them can start."""
    for edge in edges:
        if edge.type is not EdgeType.ADMISSION or edge.strength is not Strength.HARD:
            continue
        serves = owners.get(edge.target)
        if serves is not None and serves == owners.get(edge.source) and _backs(edges, edge.source, edge.target):
            namespace = edge.source.namespace
            evidence = Evidence(kind="webhook", subject=str(edge.target), detail=edge.evidence)
            fix = (
                f"Leave its own namespace out: add to namespaceSelector of {edge.target} "
                f"{{key: kubernetes.io/metadata.name, operator: NotIn, values: [{namespace}]}}."
            )
            yield finding("DEP001", str(edge.source), evidence, fix=fix)


def _backs(edges: tuple[Edge, ...], workload: ObjectRef, configuration: ObjectRef) -> bool:
    """Whether the pods of `workload` are what the webhook's Service leads to."""
    services = {e.target for e in edges if e.type is EdgeType.WEBHOOK and e.source == configuration}
    return any(e.type is EdgeType.SELECTOR and e.source in services and e.target == workload for e in edges)
