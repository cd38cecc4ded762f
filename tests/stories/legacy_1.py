"""legacy-1: nobody has looked after it for two years. AWS will upgrade it by force tomorrow.

What was uninstalled left CRDs, a webhook and an API behind; releases failed half-way or hang; versions are long out of
support; what add-ons refer to is gone.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from addonctl import model
from addonctl.model import Applier, HelmObject, ObjectRef
from tests.stories.world import KUBECTL, NOW, SETTLED, World, helm, image


def snapshot() -> model.Snapshot:
    world = World("legacy-1", "1.31")
    world.nodes(2, "workers", kubelet="1.29")
    _network(world)
    _ingress(world)
    _cert_manager(world)
    _autoscaler(world)
    _left_behind(world)
    return world.snapshot()


def _network(world: World) -> None:
    """The three that a cluster starts with, never made EKS add-ons."""
    world.daemon_set("kube-system", "aws-node", image("amazon-k8s-cni:v1.18.1-eksbuild.1"), by=KUBECTL)
    world.daemon_set("kube-system", "kube-proxy", image("eks/kube-proxy:v1.29.0-eksbuild.1"), by=KUBECTL)
    world.coredns("v1.10.1-eksbuild.7", spread=False)
    world.parts["workloads"][-1] = replace(world.parts["workloads"][-1], **KUBECTL.on("apps/v1"))


def _ingress(world: World) -> None:
    """Its last upgrade hangs since the day on which somebody closed the laptop."""
    namespace, by = "ingress-nginx", helm("ingress", "ingress-nginx")
    nginx = world.deployment(
        namespace, "ingress-nginx-controller", "registry.k8s.io/ingress-nginx/controller:v1.9.4", by=by, replicas=1
    )
    removed = HelmObject(api_version="policy/v1beta1", kind="PodSecurityPolicy", name="ingress-nginx")
    world.helm_release(
        namespace,
        "ingress",
        "ingress-nginx",
        "4.8.3",
        nginx.ref,
        removed,
        revision=5,
        status="pending-upgrade",
        updated=SETTLED,
    )


def _cert_manager(world: World) -> None:
    """Its first installation of this version failed; its account is gone, and its CRDs keep an old version."""
    namespace, by = "cert-manager", helm("cert-manager", "cert-manager")
    images = "quay.io/jetstack/cert-manager"
    made = world.deployment(namespace, "cert-manager", f"{images}-controller:v1.11.0", by=by, replicas=1)
    webhook = world.deployment(namespace, "cert-manager-webhook", f"{images}-webhook:v1.11.0", by=by, replicas=1)
    world.parts["service_accounts"] = [
        each for each in world.parts["service_accounts"] if each.name != "cert-manager-webhook"
    ]
    service = world.service(webhook)
    versions = (
        model.CrdVersion(name="v1", storage=True, has_status=True),
        model.CrdVersion(name="v1alpha2", served=False),
    )
    kinds = ("Certificate", "CertificateRequest", "Issuer", "ClusterIssuer")
    old: dict[str, Any] = {"versions": versions, "stored_versions": ("v1alpha2", "v1")}
    world.crds("cert-manager.io", *kinds, by=by, count=3, **old)
    world.crds("acme.cert-manager.io", "Order", "Challenge", by=by)
    world.webhook("Validating", "cert-manager-webhook", "webhook.cert-manager.io", service, "secrets", by=by)
    world.helm_release(
        namespace,
        "cert-manager",
        "cert-manager",
        "v1.11.0",
        made.ref,
        webhook.ref,
        service,
        revision=1,
        status="failed",
        deployed_revision=None,
        updated=SETTLED,
    )


def _autoscaler(world: World) -> None:
    scaler = world.deployment(
        "kube-system",
        "cluster-autoscaler",
        "registry.k8s.io/autoscaling/cluster-autoscaler:v1.26.2",
        by=KUBECTL,
        replicas=1,
    )
    held = model.Lease(
        namespace="kube-system",
        name="cluster-autoscaler",
        holder=f"{scaler.name}-5c9f7d8b4-x2x4z",
        renewed=NOW - timedelta(hours=7),
        duration_s=15,
    )
    world.add("leases", held)


def _left_behind(world: World) -> None:
    world.crds(
        "velero.io", "Backup", "Restore", "Schedule", "BackupStorageLocation", by=helm("velero", "velero"), count=2
    )
    gone = ObjectRef.of("Service", "vpa-webhook", "kube-system")
    world.webhook("Mutating", "vpa-webhook-config", "vpa.k8s.io", gone, "pods", by=KUBECTL, policy="Ignore")
    world.api_service("v1beta1", "custom.metrics.k8s.io", ObjectRef.of("Service", "prometheus-adapter", "monitoring"))
    old = "flowcontrol.apiserver.k8s.io/v1beta3"
    flow = model.OtherObject(
        api_version="flowcontrol.apiserver.k8s.io/v1",
        kind="FlowSchema",
        name="batch-jobs",
        appliers=(Applier(manager="kubectl-client-side-apply", api_version=old),),
    )
    world.add("others", flow)
