"""payments: the control plane came from 1.33 to 1.34 an hour ago, and the upgrade of what runs on it has stalled.

Half of the nodes are new, kube-proxy is a minor behind, CoreDNS is being updated, the EBS driver's update failed over
settings that somebody had changed by hand, a new version of cert-manager's webhook does not get ready, and Kyverno's
release is written in an API version that Kubernetes 1.34 no longer has.
"""

from dataclasses import replace
from datetime import timedelta

from addonctl import model
from addonctl.model import Condition
from tests.stories.world import ACCOUNT, EKS, NOW, World, helm, image

_AN_HOUR_AGO = NOW - timedelta(hours=1)


def snapshot() -> model.Snapshot:
    world = World("payments", "1.34", upgrade_policy="STANDARD")
    world.nodes(2, "workers-1-33", kubelet="1.33")
    world.nodes(2, "workers-1-34")
    _network(world)
    _storage(world)
    _cert_manager(world)
    _kyverno(world)
    return world.snapshot()


def _network(world: World) -> None:
    old, new = "v1.11.4-eksbuild.40", "v1.12.4-eksbuild.18"
    world.network(kube_proxy="v1.33.10-eksbuild.18", coredns=old)
    update = model.EksUpdate(
        id="0d3c1f5e",
        type="AddonUpdate",
        status="InProgress",
        addon="coredns",
        created=NOW - timedelta(minutes=12),
        params={"AddonVersion": new, "ResolveConflicts": "PRESERVE"},
    )
    world.eks_addons["coredns"] = replace(world.eks_addons["coredns"], status="UPDATING", updates=(update,))


def _storage(world: World) -> None:
    version = "v1.64.0-eksbuild.1"
    conflict = model.EksIssue(
        code="ConfigurationConflict",
        message="Apply failed with 1 conflict: conflict with kubectl-edit: .spec.template.spec.containers[0].resources",
        resources=("ebs-csi-controller",),
    )
    world.eks_addon(
        "aws-ebs-csi-driver",
        version,
        "UPDATE_FAILED",
        service_account_role_arn=f"arn:aws:iam::{ACCOUNT}:role/payments-ebs-csi",
        is_configured=True,
        issues=(conflict,),
    )
    driver = image("eks/aws-ebs-csi-driver:v1.50.1-eksbuild.1")
    world.budget(world.deployment("kube-system", "ebs-csi-controller", driver, by=EKS))
    world.daemon_set("kube-system", "ebs-csi-node", driver, by=EKS)
    world.add("csi_drivers", model.CsiDriver(name="ebs.csi.aws.com", **EKS.on("storage.k8s.io/v1")))


def _cert_manager(world: World) -> None:
    """The pods of before serve on; the new one's readiness probe is never answered."""
    namespace, by = "cert-manager", helm("cert-manager", "cert-manager")
    images = "quay.io/jetstack/cert-manager"
    controller = world.deployment(namespace, "cert-manager", f"{images}-controller:v1.18.2", by=by, replicas=1)
    stuck = (
        Condition(type="Available", status="True", reason="MinimumReplicasAvailable"),
        Condition(
            type="Progressing",
            status="False",
            reason="ProgressDeadlineExceeded",
            message='ReplicaSet "cert-manager-webhook-6c4b9" has timed out progressing.',
        ),
    )
    webhook = world.deployment(
        namespace, "cert-manager-webhook", f"{images}-webhook:v1.18.2", by=by, updated=1, total=3, conditions=stuck
    )
    not_ready = Condition(
        type="Ready",
        status="False",
        reason="ContainersNotReady",
        message="containers with unready status: [cert-manager-webhook]",
    )
    world.replica_set(webhook, ready=1, number=4, created=_AN_HOUR_AGO, conditions=(not_ready,))
    service = world.service(webhook)
    world.crds("cert-manager.io", "Certificate", "CertificateRequest", "Issuer", "ClusterIssuer", by=by, count=6)
    world.crds("acme.cert-manager.io", "Order", "Challenge", by=by)
    world.webhook("Validating", "cert-manager-webhook", "webhook.cert-manager.io", service, "secrets", by=by)
    world.helm_release(
        namespace,
        "cert-manager",
        "cert-manager",
        "v1.18.2",
        controller.ref,
        webhook.ref,
        service,
        revision=5,
        status="failed",
        updated=_AN_HOUR_AGO + timedelta(minutes=10),
    )


def _kyverno(world: World) -> None:
    namespace, by = "kyverno", helm("kyverno", "kyverno")
    admission = world.deployment(
        namespace, "kyverno-admission-controller", "ghcr.io/kyverno/kyverno:v1.15.2", by=by, replicas=3
    )
    service = world.service(admission, "kyverno-svc")
    world.crds("kyverno.io", "ClusterPolicy", "Policy", "UpdateRequest", by=by, count=4)
    world.webhook(
        "Validating", "kyverno-resource-validating-webhook-cfg", "validate.kyverno.svc-fail", service, "pods", by=by
    )
    ended = model.HelmObject(
        api_version="admissionregistration.k8s.io/v1beta1", kind="ValidatingAdmissionPolicy", name="no-latest-tag"
    )
    world.helm_release(namespace, "kyverno", "kyverno", "3.5.2", admission.ref, service, ended)
