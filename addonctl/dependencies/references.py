"""What an object refers to: typed edges between objects, one function per kind of reference, listed in EDGES.

Decided from a View; only which Services are cluster DNS comes from the Catalog. Called by find_dependencies.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from addonctl.catalog import Catalog, ClusterService
from addonctl.model import (
    Affects,
    Edge,
    EdgeType,
    KubernetesObject,
    ObjectRef,
    RoleBinding,
    Strength,
    View,
    Webhook,
    WebhookConfiguration,
    Workload,
)

_METRICS_API = "metrics.k8s.io"
_ACCOUNT_USER = "system:serviceaccount:"


def find_references(view: View, catalog: Catalog) -> list[Edge]:
    """All edges between objects except those of admission, which depend on the owners of the objects."""
    return [*(edge for find in EDGES for edge in find(view)), *_resolving_names(view, catalog)]


def role_of(binding: RoleBinding) -> ObjectRef:
    """The role that a binding grants; a Role is in the binding's namespace."""
    return ObjectRef.of(binding.role.kind, binding.role.name, binding.namespace if binding.role.kind == "Role" else "")


# ── Workloads ───────────────────────────────────────────────────────────────────────────────────────────────────


def _owner_references(view: View) -> Iterator[Edge]:
    things: list[KubernetesObject] = [*view.snapshot.workloads, *view.snapshot.others]
    for thing in things:
        for owner in thing.owners:
            target = view.located(owner, thing.namespace)
            yield Edge(source=thing.ref, target=target, type=EdgeType.OWNER, evidence="metadata.ownerReferences")


def _pod_templates(view: View) -> Iterator[Edge]:
    for workload in view.workloads.values():
        source, template = workload.ref, workload.template
        if template.service_account:
            target = ObjectRef.of("ServiceAccount", template.service_account, workload.namespace)
            yield Edge(source=source, target=target, type=EdgeType.SERVICE_ACCOUNT, evidence="spec.serviceAccountName")
        yield from _mounted(workload)
        if template.priority_class:
            yield Edge(
                source=source,
                target=ObjectRef.of("PriorityClass", template.priority_class),
                type=EdgeType.PRIORITY_CLASS,
                affects=Affects.CHANGE,
                evidence="spec.priorityClassName",
            )


def _mounted(workload: Workload) -> Iterator[Edge]:
    template = workload.template
    for kind, names, edge_type in (
        ("ConfigMap", template.config_maps, EdgeType.CONFIG_MAP),
        ("Secret", template.secrets, EdgeType.SECRET),
        ("PersistentVolumeClaim", template.claims, EdgeType.CLAIM),
    ):
        for name in names:
            yield Edge(
                source=workload.ref,
                target=ObjectRef.of(kind, name, workload.namespace),
                type=edge_type,
                strength=Strength.SOFT if f"{kind}/{name}" in template.optional else Strength.HARD,
                evidence="volumes and env of the pod template",
            )


def _autoscalers(view: View) -> Iterator[Edge]:
    metrics = [api.ref for api in view.snapshot.api_services if api.group == _METRICS_API]
    for scaler in view.snapshot.autoscalers:
        if scaler.target is not None:
            yield Edge(
                source=scaler.ref,
                target=scaler.target,
                type=EdgeType.SCALE_TARGET,
                strength=Strength.SOFT,
                evidence="spec.scaleTargetRef",
            )
        for api in metrics:
            yield Edge(
                source=scaler.ref,
                target=api,
                type=EdgeType.METRICS,
                strength=Strength.SOFT,
                evidence="resource metrics",
            )


def _resolving_names(view: View, catalog: Catalog) -> Iterator[Edge]:
    """Pods on the pod network use cluster DNS for every name; which of them need it now is not known.

    Not for files: they do not show which DNS their cluster has.
    """
    known = () if view.from_files else dict.fromkeys(_dns_services(catalog))
    for dns in (ref for ref in known if ref in view.services):
        answering = {workload.ref for workload in view.behind.get(dns, ())}
        for ref, workload in view.workloads.items():
            if ref not in answering and not workload.template.host_network:
                yield Edge(
                    source=ref,
                    target=dns,
                    type=EdgeType.DNS,
                    strength=Strength.SOFT,
                    evidence="its pods resolve names",
                )


def _dns_services(catalog: Catalog) -> Iterator[ObjectRef]:
    for addon_id in catalog.providing(ClusterService.CLUSTER_DNS):
        for kind, namespace, name in catalog.addons[addon_id].own_objects():
            if kind == "Service":
                yield ObjectRef.of(kind, name, namespace)


# ── Services, and who calls them ────────────────────────────────────────────────────────────────────────────────


def _selectors(view: View) -> Iterator[Edge]:
    for ref, workloads in view.behind.items():
        evidence = f"selector {_words(view.services[ref].selector)}"
        for workload in workloads:
            yield Edge(source=ref, target=workload.ref, type=EdgeType.SELECTOR, evidence=evidence)
    for budget in view.snapshot.disruption_budgets:
        for workload in view.guarded.get(budget.ref, ()):
            yield Edge(
                source=budget.ref,
                target=workload.ref,
                type=EdgeType.SELECTOR,
                strength=Strength.SOFT,
                evidence=f"selector {_words(budget.selector or {})}",
            )


def _words(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _webhook_backends(view: View) -> Iterator[Edge]:
    for configuration in view.snapshot.webhook_configurations:
        for target, hooks in _by_service(configuration).items():
            fails = any(hook.failure_policy == "Fail" for hook in hooks)
            yield Edge(
                source=configuration.ref,
                target=target,
                type=EdgeType.WEBHOOK,
                strength=Strength.HARD if fails else Strength.SOFT,
                evidence=", ".join(f"{hook.name} (failurePolicy {hook.failure_policy})" for hook in hooks),
            )


def _by_service(configuration: WebhookConfiguration) -> Mapping[ObjectRef, list[Webhook]]:
    found: dict[ObjectRef, list[Webhook]] = {}
    for hook in configuration.webhooks:
        if hook.service is not None:
            found.setdefault(hook.service.ref, []).append(hook)
    return found


def _api_services(view: View) -> Iterator[Edge]:
    for api in view.snapshot.api_services:
        if api.service is not None:
            target = api.service.ref
            yield Edge(source=api.ref, target=target, type=EdgeType.API_SERVICE, evidence="spec.service")


def _crds(view: View) -> Iterator[Edge]:
    for crd in view.snapshot.crds:
        if crd.conversion is not None:
            target = crd.conversion.ref
            yield Edge(source=crd.ref, target=target, type=EdgeType.CONVERSION, evidence="spec.conversion.webhook")
    for other in view.snapshot.others:
        definition = view.crds.get((other.group, other.kind))
        if definition is not None:
            yield Edge(
                source=other.ref,
                target=definition.ref,
                type=EdgeType.CUSTOM_RESOURCE,
                affects=Affects.CHANGE,
                evidence=other.api_version,
            )


def _ingresses(view: View) -> Iterator[Edge]:
    for ingress in view.snapshot.ingresses:
        source, namespace = ingress.ref, ingress.namespace
        for name in ingress.services:
            target = ObjectRef.of("Service", name, namespace)
            yield Edge(source=source, target=target, type=EdgeType.INGRESS, evidence="spec.rules")
        for name in ingress.secrets:
            target = ObjectRef.of("Secret", name, namespace)
            yield Edge(source=source, target=target, type=EdgeType.SECRET, evidence="spec.tls")
        if ingress.ingress_class:
            target = ObjectRef.of("IngressClass", ingress.ingress_class)
            yield Edge(source=source, target=target, type=EdgeType.INGRESS_CLASS, evidence="spec.ingressClassName")


# ── Accounts and permissions ────────────────────────────────────────────────────────────────────────────────────


def _permissions(view: View) -> Iterator[Edge]:
    for binding in view.snapshot.role_bindings:
        target, evidence = role_of(binding), str(binding.ref)
        for subject in binding.subjects:
            source = _account(subject, binding.namespace)
            if source is not None:
                yield Edge(source=source, target=target, type=EdgeType.RBAC, evidence=evidence)


def _account(subject: ObjectRef, namespace: str) -> ObjectRef | None:
    """The ServiceAccount that a subject refers to, possibly by its user name."""
    if subject.kind == "ServiceAccount":
        return ObjectRef.of("ServiceAccount", subject.name, subject.namespace or namespace)
    if subject.kind == "User" and subject.name.startswith(_ACCOUNT_USER):
        where, _, name = subject.name.removeprefix(_ACCOUNT_USER).partition(":")
        return ObjectRef.of("ServiceAccount", name, where)
    return None


def _identities(view: View) -> Iterator[Edge]:
    for account in view.snapshot.service_accounts:
        if account.role_arn:
            target = ObjectRef(kind="IAMRole", name=account.role_arn)
            evidence = "annotation eks.amazonaws.com/role-arn"
            yield Edge(source=account.ref, target=target, type=EdgeType.IRSA, evidence=evidence)
    for identity in view.snapshot.eks.pod_identities if view.snapshot.eks else ():
        source = ObjectRef.of("ServiceAccount", identity.service_account, identity.namespace)
        target = ObjectRef(kind="IAMRole", name=identity.role_arn)
        yield Edge(source=source, target=target, type=EdgeType.POD_IDENTITY, evidence="EKS pod identity association")


def _pull_secrets(view: View) -> Iterator[Edge]:
    for account in view.snapshot.service_accounts:
        for name in account.image_pull_secrets:
            yield Edge(
                source=account.ref,
                target=ObjectRef.of("Secret", name, account.namespace),
                type=EdgeType.SECRET,
                affects=Affects.CHANGE,
                evidence="imagePullSecrets",
            )


# ── Storage and policies ────────────────────────────────────────────────────────────────────────────────────────


def _storage_classes(view: View) -> Iterator[Edge]:
    for claim in view.snapshot.volume_claims:
        if claim.storage_class:  # an existing volume no longer needs its class
            yield _of_class(claim.ref, claim.storage_class, Strength.SOFT if claim.phase == "Bound" else Strength.HARD)
    for workload in view.workloads.values():
        for name in workload.storage_classes:
            yield _of_class(workload.ref, name, Strength.HARD)


def _of_class(source: ObjectRef, name: str, strength: Strength) -> Edge:
    return Edge(
        source=source,
        target=ObjectRef.of("StorageClass", name),
        type=EdgeType.STORAGE_CLASS,
        strength=strength,
        affects=Affects.CHANGE,
        evidence="storageClassName",
    )


def _csi_drivers(view: View) -> Iterator[Edge]:
    drivers = [(each.ref, each.provisioner) for each in view.snapshot.storage_classes]
    drivers += [(each.ref, each.driver) for each in view.snapshot.volume_snapshot_classes]
    for source, driver in drivers:
        if "." in driver and "/" not in driver:  # the name of a CSI driver is a domain name
            target = ObjectRef.of("CSIDriver", driver)
            yield Edge(source=source, target=target, type=EdgeType.CSI_DRIVER, evidence=f"driver {driver}")


def _policies(view: View) -> Iterator[Edge]:
    for binding in view.snapshot.admission_policy_bindings:
        target = ObjectRef.of("ValidatingAdmissionPolicy", binding.policy)
        yield Edge(source=binding.ref, target=target, type=EdgeType.POLICY_BINDING, evidence="spec.policyName")


EDGES: tuple[Callable[[View], Iterable[Edge]], ...] = (
    _owner_references,
    _pod_templates,
    _pull_secrets,
    _selectors,
    _autoscalers,
    _webhook_backends,
    _api_services,
    _crds,
    _permissions,
    _identities,
    _storage_classes,
    _csi_drivers,
    _ingresses,
    _policies,
)
