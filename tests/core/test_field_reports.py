"""Public reports of people whose add-ons failed, each rebuilt as the few objects that it shows.

Each entry names its thread, and what is to be said: the finding on the right add-on or object, and what helped there.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from addonctl import model
from addonctl.assessment import assess
from addonctl.catalog import Catalog
from addonctl.inventory import take_inventory
from addonctl.model import Condition, ObjectRef, Port, View
from addonctl.render import commands
from tests.builders import DAY, NOW, snapshot, workload

HOUR_AGO, DAYS_AGO = NOW - timedelta(hours=1), NOW - timedelta(days=9)
NODES = tuple(
    model.Node(name=name, labels={"topology.kubernetes.io/zone": "eu-central-1a"}, created=DAYS_AGO) for name in "ab"
)


def pod(name: str, namespace: str = "shop", **more: Any) -> model.Pod:
    given: dict[str, Any] = {"phase": "Pending", "node": "b", "created": HOUR_AGO}
    return model.Pod(name=name, namespace=namespace, **(given | more))


def runs(name: str, image: str, kind: str = "Deployment", **more: Any) -> model.Workload:
    given: dict[str, Any] = {"namespace": "kube-system", "desired": 1, "ready": 1, "available": 1}
    return workload(name, image, kind=kind, **(given | more))


def pod_of(of: model.Workload, **more: Any) -> model.Pod:
    """A ready pod of a workload on node a."""
    kind, name = ("ReplicaSet", f"{of.name}-5d78") if of.kind == "Deployment" else (of.kind, of.name)
    owner = ObjectRef(kind=kind, name=name, group="apps")
    given: dict[str, Any] = {
        "phase": "Running",
        "ready": True,
        "node": "a",
        "owners": (owner,),
        "labels": {"pod-template-hash": "5d78"},
    }
    return pod(f"{of.name}-x", of.namespace, **(given | more))


def warns(of: ObjectRef, reason: str, message: str, reporter: str = "kubelet", count: int = 9) -> model.Event:
    return model.Event(
        name=f"{of.name}.{reason}",
        namespace=of.namespace,
        subject=of,
        reason=reason,
        message=message,
        reporter=reporter,
        count=count,
        first_seen=HOUR_AGO,
        last_seen=NOW - timedelta(minutes=2),
    )


WEB = pod("web-1")
EFS = runs("efs-csi-node", "amazon/aws-efs-csi-driver:v2.1.0", "DaemonSet")
EBS = runs("ebs-csi-node", "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.64.0", "DaemonSet")
_CNI = runs("aws-node", "602401143452.dkr.ecr.eu-central-1.amazonaws.com/amazon-k8s-cni:v1.22.4", "DaemonSet")
CNI = replace(_CNI, template=replace(_CNI.template, service_account="aws-node"))
LBC = runs("aws-load-balancer-controller", "public.ecr.aws/eks/aws-load-balancer-controller:v2.13.0")
METRICS = runs("metrics-server", "registry.k8s.io/metrics-server/metrics-server:v0.8.0")
CERT = runs("cert-manager", "quay.io/jetstack/cert-manager-controller:v1.19.0", namespace="cert-manager")
HOOK = runs("cert-manager-webhook", "quay.io/jetstack/cert-manager-webhook:v1.19.0", namespace="cert-manager")
NOT_REGISTERED = (
    'MountVolume.MountDevice failed for volume "data" : kubernetes.io/csi: attacher.MountDevice failed to create '
    "newCsiDriverClient: driver name efs.csi.aws.com not found in the list of registered CSI drivers"
)
NO_ADDRESS = (
    'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "661d66": '
    'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
)
GPU = model.Taint(key="nvidia.com/gpu", value="true", effect="NoSchedule")
DISCOVERY = Condition(
    type="NamespaceDeletionDiscoveryFailure",
    status="True",
    reason="DiscoveryFailed",
    message="Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "metrics.k8s.io/v1beta1: the server is currently unable to handle the request",
)
CERT_TARGET = model.ServiceTarget(namespace="cert-manager", name="cert-manager-webhook")
CERT_SERVICE = model.Service(
    name="cert-manager-webhook", namespace="cert-manager", ports=(Port(name="https", number=443, target="10250"),)
)
CERT_SLICE = model.EndpointSlice(
    name="s",
    namespace="cert-manager",
    service="cert-manager-webhook",
    ready=1,
    ports=(Port(name="https", number=10250),),
)
CERT_HOOK = model.WebhookConfiguration(
    kind="ValidatingWebhookConfiguration",
    name="cert-manager-webhook",
    webhooks=(model.Webhook(name="webhook.cert-manager.io", service=CERT_TARGET),),
)
ISSUER = ObjectRef(group="cert-manager.io", kind="ClusterIssuer", name="letsencrypt")
LB_TARGET = model.ServiceTarget(namespace="kube-system", name="aws-load-balancer-webhook-service")
LB_SERVICE = model.Service(
    name="aws-load-balancer-webhook-service", namespace="kube-system", ports=(Port(name="w", number=443, target="w"),)
)
LB_SLICE = model.EndpointSlice(
    name="l", namespace="kube-system", service=LB_SERVICE.name, ready=2, ports=(Port(name="w", number=9443),)
)
LB_HOOK = model.WebhookConfiguration(
    kind="ValidatingWebhookConfiguration",
    name="aws-load-balancer-webhook",
    webhooks=(model.Webhook(name="vingress.elbv2.k8s.aws", service=LB_TARGET),),
)
INGRESS = model.Ingress(name="web", namespace="shop", ingress_class="alb", created=HOUR_AGO)
BALANCED = model.Service(name="web", namespace="shop", type="LoadBalancer", created=HOUR_AGO)
VOLUME = model.Volume(
    name="pvc-1", driver="ebs.csi.aws.com", claim=ObjectRef.of("PersistentVolumeClaim", "data", "shop")
)
CLAIMANT = pod("db-0", claims=("data",))
LEFT = model.VolumeAttachment(name="csi-1", attacher="ebs.csi.aws.com", node="gone", volume="pvc-1", created=HOUR_AGO)
NODE_CLAIM = model.OtherObject(
    api_version="karpenter.sh/v1",
    kind="NodeClaim",
    name="default-1",
    deleting=True,
    deleted=HOUR_AGO,
    finalizers=("karpenter.sh/termination",),
)
CRASH = model.ContainerStatus(name="aws-node", waiting="CrashLoopBackOff", restarts=9, last_exit="Error")


@dataclass(frozen=True)
class Report:
    """A thread, what it shows, and what is to be said: code, subject, words of the evidence and of the fix, cause."""

    thread: str
    code: str
    subject: str
    seen: str
    helps: str
    cause: str = ""
    parts: dict[str, Any] = field(default_factory=dict)


REPORTS = (
    Report(
        thread="kubernetes-sigs/aws-efs-csi-driver#122",
        code="HLT028",
        subject="DaemonSet/kube-system/efs-csi-node",
        seen="taint nvidia.com/gpu=true:NoSchedule",
        helps="tolerate nvidia.com/gpu=true:NoSchedule",
        parts={
            "workloads": (replace(EFS, template=replace(EFS.template, tolerations=())),),
            "pods": (pod_of(EFS), pod("train-1", claims=("data",))),
            "nodes": (NODES[0], model.Node(name="b", taints=(GPU,), created=DAYS_AGO)),
            "volumes": (model.Volume(name="efs-pv", driver="efs.csi.aws.com"),),
            "volume_claims": (model.VolumeClaim(name="data", namespace="shop", phase="Bound", volume="efs-pv"),),
        },
    ),
    Report(
        thread="kubernetes-sigs/aws-efs-csi-driver#284",
        code="HLT017",
        subject="aws-efs-csi-driver/kube-system/efs-csi-node: FailedMount",
        seen="not found in the list of registered CSI drivers",
        helps="kubectl describe -n shop pod/web-1",
        parts={
            "workloads": (EFS,),
            "pods": (pod_of(EFS), WEB),
            "events": (warns(WEB.ref, "FailedMount", NOT_REGISTERED),),
        },
    ),
    Report(
        thread="aws/containers-roadmap#1007",
        code="HLT030",
        subject="Namespace/metrics",
        seen="metrics.k8s.io/v1beta1",
        helps="kubectl get namespace/metrics",
        cause="HLT010 APIService/v1beta1.metrics.k8s.io",
        parts={
            "workloads": (METRICS,),
            "pods": (pod_of(METRICS),),
            "namespaces": (
                model.Namespace(
                    name="metrics", phase="Terminating", deleting=True, deleted=DAYS_AGO, conditions=(DISCOVERY,)
                ),
            ),
            "api_services": (
                model.ApiService(
                    name="v1beta1.metrics.k8s.io",
                    group="metrics.k8s.io",
                    version="v1beta1",
                    conditions=(Condition(type="Available", status="False", reason="FailedDiscoveryCheck"),),
                ),
            ),
        },
    ),
    Report(
        thread="aws/containers-roadmap#1215",
        code="HLT009",
        subject="ValidatingWebhookConfiguration/cert-manager-webhook",
        seen="context deadline exceeded",
        helps="have to use the host's network",
        parts={
            "workloads": (HOOK,),
            "pods": (pod_of(HOOK),),
            "webhook_configurations": (CERT_HOOK,),
            "services": (CERT_SERVICE,),
            "endpoint_slices": (CERT_SLICE,),
            "events": (
                warns(
                    ISSUER,
                    "ErrUpdate",
                    'Internal error occurred: failed calling webhook "webhook.cert-manager.io": Post "https://cert-manager-'
                    'webhook.cert-manager.svc:443/validate?timeout=10s": context deadline exceeded',
                ),
            ),
        },
    ),
    Report(
        thread="cert-manager/cert-manager#2319",
        code="HLT026",
        subject="conversion at cert-manager/cert-manager-webhook",
        seen="does not exist",
        helps="conversion strategy",
        parts={
            "workloads": (CERT, HOOK),
            "pods": (pod_of(HOOK),),
            "services": (model.Service(name="cert-manager-wrapped-webhook", namespace="cert-manager"),),
            "crds": (
                model.CustomResourceDefinition(
                    name="issuers.cert-manager.io",
                    group="cert-manager.io",
                    kind="Issuer",
                    versions=(model.CrdVersion(name="v1", storage=True), model.CrdVersion(name="v1alpha2")),
                    conversion=CERT_TARGET,
                ),
            ),
        },
    ),
    Report(
        thread="kubernetes-sigs/aws-ebs-csi-driver#1665",
        code="HLT029",
        subject="aws-ebs-csi-driver/kube-system/ebs-csi-node: attachments",
        seen="its node gone is gone; a pod waits for it",
        helps="kubectl delete volumeattachment.storage.k8s.io/csi-1",
        parts={
            "workloads": (EBS,),
            "pods": (pod_of(EBS), CLAIMANT),
            "volumes": (VOLUME,),
            "volume_attachments": (LEFT,),
        },
    ),
    Report(
        thread="kubernetes-csi/external-attacher#215",
        code="HLT029",
        subject="aws-ebs-csi-driver/kube-system/ebs-csi-node: attachments",
        seen="cannot be detached from a: rpc error",
        helps="kubectl describe volumeattachment.storage.k8s.io/csi-1",
        parts={
            "workloads": (EBS,),
            "pods": (pod_of(EBS),),
            "volume_attachments": (
                model.VolumeAttachment(
                    name="csi-1",
                    attacher="ebs.csi.aws.com",
                    node="a",
                    volume="pvc-1",
                    created=HOUR_AGO,
                    detach_error="rpc error: code = Internal desc = Could not detach volume",
                ),
            ),
        },
    ),
    Report(
        thread="aws/amazon-vpc-cni-k8s#2842",
        code="HLT017",
        subject="aws-vpc-cni/kube-system/aws-node: FailedCreatePodSandBox",
        seen="the node has as many as its type allows",
        helps="prefix delegation (ENABLE_PREFIX_DELEGATION)",
        parts={
            "workloads": (CNI,),
            "pods": (pod_of(CNI), WEB),
            "events": (warns(WEB.ref, "FailedCreatePodSandBox", NO_ADDRESS),),
        },
    ),
    Report(
        thread="aws/amazon-vpc-cni-k8s#1836",
        code="HLT017",
        subject="aws-vpc-cni/kube-system/aws-node: FailedToAllocate",
        seen="prefix delegation finds no free block",
        helps="reserve a range of the subnet",
        parts={
            "workloads": (CNI,),
            "pods": (pod_of(CNI),),
            "events": (
                warns(
                    NODES[1].ref,
                    "FailedToAllocate",
                    "InsufficientCidrBlocks: The specified subnet does not have enough free cidr blocks",
                    "aws-node",
                ),
            ),
        },
    ),
    Report(
        thread="aws/amazon-vpc-cni-k8s#3840",
        code="HLT001",
        subject="DaemonSet/kube-system/aws-node",
        seen="container aws-node crashed",
        helps="kubectl logs",
        cause="HLT027 service of eks-pod-identity-agent",
        parts={
            "workloads": (CNI,),
            "pods": (pod_of(CNI, ready=False, containers=(CRASH,)),),
            "eks": model.Eks(
                cluster=model.EksCluster(name="prod-eu-1", version="1.34"),
                pod_identities=(
                    model.PodIdentity(
                        namespace="kube-system", service_account="aws-node", role_arn="arn:aws:iam::1:role/n"
                    ),
                ),
            ),
        },
    ),
    Report(
        thread="aws/karpenter-provider-aws#6870",
        code="HLT030",
        subject="finalizers of karpenter",
        seen="held by finalizer karpenter.sh/termination",
        helps="Install Karpenter",
        parts={"workloads": (CNI,), "pods": (pod_of(CNI),), "others": (NODE_CLAIM,)},
    ),
    Report(
        thread="kubernetes-sigs/aws-load-balancer-controller#3399",
        code="HLT017",
        subject="aws-load-balancer-controller/kube-system/aws-load-balancer-controller: FailedDeployModel",
        seen="elasticloadbalancing:AddTags",
        helps="the IAM policy of its version",
        parts={
            "workloads": (LBC,),
            "pods": (pod_of(LBC),),
            "services": (BALANCED,),
            "events": (
                warns(
                    BALANCED.ref,
                    "FailedDeployModel",
                    "Failed deploy model due to AccessDenied: not authorized to perform: elasticloadbalancing:AddTags",
                    "service",
                ),
            ),
        },
    ),
    Report(
        thread="kubernetes-sigs/aws-load-balancer-controller#3224",
        code="HLT017",
        subject="aws-load-balancer-controller/kube-system/aws-load-balancer-controller: FailedBuildModel",
        seen="Ingress/shop/web",
        helps="the IAM policy of its version",
        parts={
            "workloads": (LBC,),
            "pods": (pod_of(LBC),),
            "ingresses": (INGRESS,),
            "events": (
                warns(
                    INGRESS.ref,
                    "FailedBuildModel",
                    "Failed build model due to AccessDenied: User is not authorized to perform: "
                    "elasticloadbalancing:DescribeLoadBalancers",
                    "ingress",
                ),
            ),
        },
    ),
    Report(
        thread="aws/eks-charts#562",
        code="HLT009",
        subject="ValidatingWebhookConfiguration/aws-load-balancer-webhook",
        seen="x509: certificate signed by unknown authority",
        helps="renew the CA bundle",
        parts={
            "workloads": (LBC,),
            "pods": (pod_of(LBC),),
            "webhook_configurations": (LB_HOOK,),
            "services": (LB_SERVICE,),
            "endpoint_slices": (LB_SLICE,),
            "events": (
                warns(
                    INGRESS.ref,
                    "UpdateFailed",
                    'failed calling webhook "vingress.elbv2.k8s.aws": failed to call webhook: Post "https://aws-load-'
                    "balancer-"
                    'webhook-service.kube-system.svc:443/": x509: certificate signed by unknown authority',
                    "external-dns",
                ),
            ),
        },
    ),
)


def test_there_are_at_least_a_dozen_and_each_has_its_thread() -> None:
    assert len({report.thread for report in REPORTS}) == len(REPORTS) >= 12
    assert all("#" in report.thread for report in REPORTS)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.thread)
def test_a_public_report(report: Report, catalog: Catalog) -> None:
    view = View(snapshot(**({"nodes": NODES} | report.parts)))
    listed = assess(view, take_inventory(view, catalog), catalog, day=DAY).findings
    found = [item for item in listed if item.code == report.code and report.subject in str(item.subject)]
    assert found, [f"{item.code} {item.subject}" for item in listed]
    item = found[0]
    assert report.seen in "\n".join(f"{each.subject} {each.detail}" for each in item.evidence)
    assert report.helps.lower() in commands.fix_text(item).lower()
    assert (item.cause or "") == report.cause
    order = [each.id for each in listed]
    assert not report.cause or order.index(report.cause) < order.index(item.id)
