"""sandbox: a developer's identity, which may list what runs and next to nothing else; AWS answers it not at all."""

from addonctl import model
from addonctl.model import GapReason
from tests.stories.world import EKS, World, helm, image

_FORBIDDEN: tuple[tuple[str, str], ...] = (
    ("nodes", "nodes"),
    ("pods", "pods"),
    ("revisions", "controllerrevisions.apps, list replicasets.apps"),
    ("endpoint_slices", "endpointslices.discovery.k8s.io"),
    ("disruption_budgets", "poddisruptionbudgets.policy"),
    ("webhook_configurations", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
    ("api_services", "apiservices.apiregistration.k8s.io"),
    ("crds", "customresourcedefinitions.apiextensions.k8s.io"),
    ("service_accounts", "serviceaccounts"),
    ("roles", "clusterroles.rbac.authorization.k8s.io"),
    ("role_bindings", "clusterrolebindings.rbac.authorization.k8s.io"),
    ("leases", "leases.coordination.k8s.io"),
    ("events", "events"),
    ("quotas", "resourcequotas"),
    ("config_maps", "configmaps"),
    ("helm_releases", "secrets"),
)


def snapshot() -> model.Snapshot:
    world = World("sandbox", "1.35")
    world.nodes(2, "small")
    world.network(kube_proxy="v1.35.3-eksbuild.18", coredns="v1.13.2-eksbuild.11")
    server = world.deployment("kube-system", "metrics-server", image("eks/metrics-server:v0.9.0-eksbuild.6"), by=EKS)
    world.service(server)
    by = helm("cert-manager", "cert-manager")
    manager = "quay.io/jetstack/cert-manager-controller:v1.20.1"
    world.deployment("cert-manager", "cert-manager", manager, by=by, replicas=1)
    return world.snapshot(*map(_forbidden, _FORBIDDEN), _AWS)


_AWS = model.Gap(
    part="eks",
    reason=GapReason.NO_CREDENTIALS,
    detail="AWS was not read: no credentials were found",
    permission="",
)


def _forbidden(of: tuple[str, str]) -> model.Gap:
    """As the reader words it."""
    part, resource = of
    first = resource.partition(",")[0]
    name, _, group = first.partition(".")
    path = f"/apis/{group}/v1/{name}" if group else f"/api/v1/{name}"
    answer = f"https://sandbox.example.com{path} answered 403: {first} is forbidden"
    more = " (and 1 more)" if "," in resource else ""
    return model.Gap(part=part, reason=GapReason.FORBIDDEN, detail=answer + more, permission=f"list {resource}")
