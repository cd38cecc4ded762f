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
from addonctl.model import Condition, ObjectRef, PolicyRule, Port, View
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


@dataclass(frozen=True)
class Missed:
    """A thread of which nothing is said."""

    thread: str
    why: str
    parts: dict[str, Any]


READS = ("get", "list", "watch")
T3, M5 = ({"node.kubernetes.io/instance-type": name} for name in ("t3.medium", "m5.2xlarge"))
KARPENTER = runs("karpenter", "public.ecr.aws/karpenter/controller:1.6.4", namespace="karpenter")
EXTERNAL_DNS = runs("external-dns", "registry.k8s.io/external-dns/external-dns:v0.10.0", namespace="external-dns")
_EBS = runs("ebs-csi-controller", "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.64.0")
EBS_CONTROLLER = replace(_EBS, template=replace(_EBS.template, service_account="ebs-csi-controller-sa"))
UNBOUND = model.VolumeClaim(name="ebs-claim", namespace="shop", phase="Pending", created=HOUR_AGO)
KYVERNO = model.ServiceTarget(namespace="kyverno", name="kyverno-svc")
KYVERNO_RUNS = runs("kyverno-admission-controller", "ghcr.io/kyverno/kyverno:v1.15.0", namespace="kyverno")
KEDA = runs("keda-operator-metrics-apiserver", "ghcr.io/kedacore/keda-metrics-apiserver:2.16.1", namespace="keda")


def _with_role(of: model.Workload, rule: PolicyRule) -> dict[str, Any]:
    """A workload whose ServiceAccount, of its own name, may do no more in the cluster than this."""
    account = model.ServiceAccount(name=of.name, namespace=of.namespace)
    role = model.Role(name=of.name, rules=(rule,))
    return {
        "workloads": (replace(of, template=replace(of.template, service_account=of.name)),),
        "pods": (pod_of(of),),
        "service_accounts": (account,),
        "roles": (role,),
        "role_bindings": (model.RoleBinding(name=of.name, role=role.ref, subjects=(account.ref,)),),
    }


def _with_env(of: model.Workload, **env: str) -> model.Workload:
    containers = (replace(of.template.containers[0], env=env),)
    return replace(of, template=replace(of.template, containers=containers))


def _of_image(of: model.Workload, image: str) -> model.PodTemplate:
    return replace(of.template, containers=(replace(of.template.containers[0], image=image),))


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
    Report(
        thread="aws/karpenter-provider-aws#8650",
        code="DEP005",
        subject="ServiceAccount/karpenter/karpenter",
        seen="list, watch ec2nodeclasses.karpenter.k8s.aws",
        helps="apply the rbac of the version that runs",
        parts=_with_role(KARPENTER, PolicyRule(groups=("karpenter.sh",), resources=("nodepools",), verbs=READS)),
    ),
    Report(
        thread="kubernetes-sigs/aws-load-balancer-controller#2036",
        code="DEP005",
        subject="ServiceAccount/kube-system/aws-load-balancer-controller",
        seen="list, watch ingressclassparams.elbv2.k8s.aws",
        helps="apply the rbac of the version that runs",
        parts=_with_role(LBC, PolicyRule(groups=("elbv2.k8s.aws",), resources=("targetgroupbindings",), verbs=("*",))),
    ),
    Report(
        thread="aws/amazon-vpc-cni-k8s#2796",
        code="DEP005",
        subject="ServiceAccount/kube-system/aws-node",
        seen="list, watch policyendpoints.networking.k8s.aws",
        helps="apply the rbac of the version that runs",
        parts=_with_role(CNI, PolicyRule(groups=("crd.k8s.amazonaws.com",), resources=("eniconfigs",), verbs=READS)),
    ),
    Report(
        thread="vmware-tanzu/community-edition#2741",
        code="DEP005",
        subject="ServiceAccount/external-dns/external-dns",
        seen="list, watch ingresses.networking.k8s.io",
        helps="apply the rbac of the version that runs",
        parts=_with_role(EXTERNAL_DNS, PolicyRule(groups=("extensions",), resources=("ingresses",), verbs=READS)),
    ),
    Report(
        thread="kubernetes-sigs/aws-ebs-csi-driver#963",
        code="HLT017",
        subject="aws-ebs-csi-driver/kube-system/ebs-csi-controller: ProvisioningFailed",
        seen="UnauthorizedOperation",
        helps="kubectl describe",
        cause="HLT033 aws-ebs-csi-driver/kube-system/ebs-csi-controller: role",
        parts={
            "workloads": (EBS_CONTROLLER,),
            "pods": (pod_of(EBS_CONTROLLER),),
            "service_accounts": (model.ServiceAccount(name="ebs-csi-controller-sa", namespace="kube-system"),),
            "eks": model.Eks(cluster=model.EksCluster(name="prod")),
            "volume_claims": (UNBOUND,),
            "events": (
                warns(
                    UNBOUND.ref,
                    "ProvisioningFailed",
                    'failed to provision volume with StorageClass "ebs-sc": rpc error: code = Internal desc = Could '
                    'not create volume "pvc-1": could not create volume in EC2: UnauthorizedOperation: You are not '
                    "authorized to perform this operation",
                    "ebs.csi.aws.com_ebs-csi-controller-1_a",
                ),
            ),
        },
    ),
    Report(
        thread="aws/amazon-vpc-cni-k8s#1480",
        code="EKS011",
        subject="instance type t3.medium",
        seen="it takes 17 pods, and has addresses for 12 as t3.medium",
        helps="prefix delegation",
        parts={
            "workloads": (_with_env(CNI, WARM_ENI_TARGET="1", AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG="true"),),
            "pods": (pod_of(CNI),),
            "nodes": (model.Node(name="b", labels=T3, max_pods=17, created=DAYS_AGO),),
            "eks": model.Eks(
                cluster=model.EksCluster(name="prod"),
                instance_types=(
                    model.InstanceType(
                        name="t3.medium",
                        vcpus=2,
                        memory_bytes=4 << 30,
                        network_interfaces=3,
                        addresses_per_interface=6,
                    ),
                ),
            ),
        },
    ),
    Report(
        thread="kyverno/kyverno#8390",
        code="INV004",
        subject="ValidatingWebhookConfiguration/kyverno-resource-validating-webhook-cfg",
        seen="kyverno/kyverno-svc",
        helps="kubectl delete",
        parts={
            "pods": (WEB,),
            "namespaces": (model.Namespace(name="shop", phase="Active"),),
            "webhook_configurations": (
                model.WebhookConfiguration(
                    kind="ValidatingWebhookConfiguration",
                    name="kyverno-resource-validating-webhook-cfg",
                    webhooks=(model.Webhook(name="validate.kyverno.svc-fail", service=KYVERNO, failure_policy="Fail"),),
                ),
            ),
        },
    ),
    Report(
        thread="kyverno/kyverno#3208",
        code="HLT009",
        subject="MutatingWebhookConfiguration/kyverno-resource-mutating-webhook-cfg",
        seen="connection refused",
        helps="compare the Service's targetPort",
        parts={
            "workloads": (KYVERNO_RUNS,),
            "pods": (pod_of(KYVERNO_RUNS),),
            "services": (
                model.Service(name="kyverno-svc", namespace="kyverno", ports=(Port(name="https", number=443),)),
            ),
            "endpoint_slices": (
                model.EndpointSlice(
                    name="k",
                    namespace="kyverno",
                    service="kyverno-svc",
                    ready=1,
                    ports=(Port(name="https", number=9443),),
                ),
            ),
            "webhook_configurations": (
                model.WebhookConfiguration(
                    kind="MutatingWebhookConfiguration",
                    name="kyverno-resource-mutating-webhook-cfg",
                    webhooks=(model.Webhook(name="mutate.kyverno.svc-fail", service=KYVERNO, failure_policy="Fail"),),
                ),
            ),
            "events": (
                warns(
                    ObjectRef(kind="ReplicaSet", name="web-5d78", namespace="shop", group="apps"),
                    "FailedCreate",
                    'Internal error occurred: failed calling webhook "mutate.kyverno.svc-fail": Post "https://'
                    'kyverno-svc.kyverno.svc:443/mutate?timeout=10s": dial tcp 192.168.148.52:9443: connect: '
                    "connection refused",
                    "replicaset-controller",
                ),
            ),
        },
    ),
    Report(
        thread="kubernetes-sigs/aws-load-balancer-controller#2820",
        code="HLT001",
        subject="Deployment/kube-system/aws-load-balancer-controller",
        seen="the image is for another processor architecture than the node",
        helps="use an image for the architecture of the node",
        parts={
            "workloads": (replace(LBC, ready=0, available=0),),
            "pods": (
                pod_of(
                    LBC,
                    ready=False,
                    containers=(
                        model.ContainerStatus(
                            name="controller",
                            waiting="CrashLoopBackOff",
                            restarts=9,
                            last_exit="Error",
                            last_words="standard_init_linux.go:228: exec user process caused: exec format error",
                        ),
                    ),
                ),
            ),
        },
    ),
    Report(
        thread="kubernetes-sigs/aws-efs-csi-driver#1613",
        code="HLT028",
        subject="DaemonSet/kube-system/efs-csi-node",
        seen="its taint efs.csi.aws.com/agent-not-ready stays",
        helps="kubectl delete -n kube-system pod/efs-csi-node-x",
        parts={
            "workloads": (EFS,),
            "pods": (pod_of(EFS), replace(WEB, node="")),
            "nodes": (
                model.Node(
                    name="a",
                    taints=(model.Taint(key="efs.csi.aws.com/agent-not-ready", effect="NoExecute"),),
                    created=DAYS_AGO,
                ),
            ),
        },
    ),
    Report(
        thread="kedacore/keda#6572",
        code="HLT010",
        subject="APIService/v1beta1.external.metrics.k8s.io",
        seen="FailedDiscoveryCheck",
        helps="security group",
        parts={
            "workloads": (KEDA,),
            "pods": (pod_of(KEDA),),
            "services": (
                model.Service(name=KEDA.name, namespace="keda", ports=(Port(name="https", number=443, target="6443"),)),
            ),
            "endpoint_slices": (
                model.EndpointSlice(
                    name="k", namespace="keda", service=KEDA.name, ready=1, ports=(Port(name="https", number=6443),)
                ),
            ),
            "api_services": (
                model.ApiService(
                    name="v1beta1.external.metrics.k8s.io",
                    group="external.metrics.k8s.io",
                    version="v1beta1",
                    service=model.ServiceTarget(namespace="keda", name=KEDA.name),
                    conditions=(
                        Condition(
                            type="Available",
                            status="False",
                            reason="FailedDiscoveryCheck",
                            message="failing or missing response from https://10.0.0.9:6443/apis/external.metrics.k8s.io/"
                            "v1beta1: context deadline exceeded",
                        ),
                    ),
                ),
            ),
        },
    ),
)

MISSED = (
    Missed(
        thread="zalando-incubator/kubernetes-on-aws#6419",
        why="Karpenter 0.30 needs leases in kube-node-lease: only ClusterRoles are judged by version, Roles are not",
        parts=_with_role(
            replace(KARPENTER, template=_of_image(KARPENTER, "public.ecr.aws/karpenter/controller:v0.30.0")),
            PolicyRule(groups=("karpenter.sh",), resources=("provisioners",), verbs=READS),
        ),
    ),
    Missed(
        thread="aws/amazon-vpc-cni-k8s#890",
        why="a node takes the pods that its type has addresses for, but fewer than two of them use the host's network",
        parts={
            "workloads": (_with_env(CNI, WARM_ENI_TARGET="1"),),
            "pods": (pod_of(CNI),),
            "nodes": (model.Node(name="b", labels=M5, max_pods=58, created=DAYS_AGO),),
            "eks": model.Eks(
                cluster=model.EksCluster(name="prod"),
                instance_types=(
                    model.InstanceType(
                        name="m5.2xlarge",
                        vcpus=8,
                        memory_bytes=32 << 30,
                        network_interfaces=4,
                        addresses_per_interface=15,
                    ),
                ),
            ),
        },
    ),
)
"""What is not found, and why; who finds it moves it up."""


def test_there_are_at_least_a_dozen_and_each_has_its_thread() -> None:
    assert len({report.thread for report in REPORTS}) == len(REPORTS) >= 24
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


@pytest.mark.parametrize("missed", MISSED, ids=lambda missed: missed.thread)
def test_a_public_report_of_which_nothing_is_said(missed: Missed, catalog: Catalog) -> None:
    """As soon as something is said of it, it is no miss any more."""
    view = View(snapshot(**({"nodes": NODES} | missed.parts)))
    listed = assess(view, take_inventory(view, catalog), catalog, day=DAY).findings
    assert [item.code for item in listed if item.code in ("DEP005", "EKS011", "HLT017")] == []
