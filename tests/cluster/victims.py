"""Faults that only a victim shows: what is wrong is elsewhere than where it hurts.

A user's pod that is not made, a claim that stays pending, a namespace that does not go away. They are described as
those of faults.py are, but stand side by side in one cluster; those in ALONE would disturb the others.
"""

import base64
import gzip
import json
import struct
from datetime import timedelta
from typing import Any

from tests.cluster.build import PAUSE_IMAGE
from tests.cluster.changes import (
    Dropped,
    Held,
    Leaving,
    Made,
    NamedImage,
    Object,
    Patched,
    Replaced,
    Tainted,
    at_once,
    condition,
    got,
    pods,
    says,
    unscheduled,
    waits_for,
    warned,
)
from tests.cluster.cluster import Cluster
from tests.cluster.faults import (
    AUDIT,
    AUDIT_PODS,
    DNS,
    DNS_PODS,
    KEEPER,
    KEEPER_SERVICE,
    KUBE,
    METRICS_API,
    PROXY,
    PROXY_PODS,
    Fault,
    authority,
    webhook,
)

SHOP = "default"  # where the users are
_MINUTES_6, _MINUTES_12 = 400, 720


def _meta(name: str, namespace: str = SHOP, **more: Any) -> Object:
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def _pod_spec(**more: Any) -> Object:
    """One container; the kubelet mounts a volume only where one of them wants it."""
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in more.get("volumes", ())]
    container = {"name": "app", "image": PAUSE_IMAGE, "volumeMounts": mounts}
    return {"containers": [container], "terminationGracePeriodSeconds": 0, **more}


def _app(name: str) -> Object:
    """A user's Deployment of one pod."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": _pod_spec()}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(name), "spec": spec}


def _pod(name: str, **spec: Any) -> Object:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": _meta(name, labels={"app": name})}
    return {**body, "spec": _pod_spec(**spec)}


def _service(name: str, **spec: Any) -> Object:
    body: Object = {"apiVersion": "v1", "kind": "Service", "metadata": _meta(name)}
    return {**body, "spec": {"ports": [{"port": 443, "targetPort": 8443}], **spec}}


def _on_pods_of(app: str, hooks: Object) -> Object:
    """A webhook configuration that is asked for the pods of one app, and refuses them where nobody answers."""
    for hook in hooks["webhooks"]:
        hook["objectSelector"] = {"matchLabels": {"app": app}}
    return hooks


_PODS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}


def _not_made(app: str, words: str) -> Any:
    """Its ReplicaSet says so, and has tried more than once."""

    def holds(cluster: Cluster) -> bool:
        told = got(cluster, "events", "-n", SHOP, "--field-selector=reason=FailedCreate")
        mine = [event for event in told if event["involvedObject"]["name"].startswith(app)]
        return any(words in event["message"] and (event.get("count") or 1) >= 3 for event in mine)

    return holds


def _class(kind: str, name: str, body: Object, default: str = "") -> Object:
    group = "storage.k8s.io/v1" if kind == "StorageClass" else "networking.k8s.io/v1"
    marked = {"annotations": {default: "true"}} if default else {}
    return {"apiVersion": group, "kind": kind, "metadata": _meta(name, "", **marked), **body}


_DEFAULT_STORAGE = "storageclass.kubernetes.io/is-default-class"
_DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"


def _claim(name: str, kind: str, **more: Any) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": kind}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _meta(name), "spec": {**spec, **more}}


def _volume(name: str, driver: str, *finalizers: str) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "manual",
        "csi": {"driver": driver, "volumeHandle": f"handle-of-{name}"},
    }
    meta = _meta(name, "", **({"finalizers": list(finalizers)} if finalizers else {}))
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def _uses(claim: str) -> list[Object]:
    return [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]


def _release(name: str, revision: int, status: str) -> Object:
    """A revision of a Helm release, as Helm keeps it."""
    chart = {"metadata": {"name": name, "version": "3.13.0", "appVersion": "0.8.0"}}
    manifest = f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: {KUBE}\n"
    record = {
        "name": name, "namespace": KUBE, "version": revision, "manifest": manifest, "chart": chart,
        "info": {"status": status, "last_deployed": "2026-01-05T10:00:00Z"},
    }  # fmt: skip
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(record).encode()))).decode()
    labels = {"owner": "helm", "name": name, "status": status, "version": str(revision)}
    meta = _meta(f"sh.helm.release.v1.{name}.v{revision}", KUBE, labels=labels)
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1"}
    return {**kind, "metadata": meta, "data": {"release": packed}}


def _policy(name: str, labels: Object, message: str) -> list[Object]:
    """A policy of Kubernetes itself that refuses the pods with these labels."""
    rules = [{**_PODS, "operations": ["CREATE"]}]
    constraints = {"resourceRules": rules, "objectSelector": {"matchLabels": labels}}
    spec = {"matchConstraints": constraints, "validations": [{"expression": "false", "message": message}]}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    group = {"apiVersion": "admissionregistration.k8s.io/v1"}
    return [
        {**group, "kind": "ValidatingAdmissionPolicy", "metadata": _meta(name, ""), "spec": spec},
        {**group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": _meta(name, ""), "spec": binding},
    ]


def _foreign_binary() -> str:
    """The head of a program for 64-bit ARM; what it would do is not there."""
    head = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 0xB7, 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    )
    return base64.b64encode(head.ljust(512, b"\0")).decode()


_FOREIGN: list[Object] = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta("arm", KEEPER),
        "binaryData": {"run": _foreign_binary()},
    }
]
_runs_foreign = Patched("deployment/gatekeeper-audit", KEEPER, {"spec": {"template": {"spec": {
    "volumes": [{"name": "arm", "configMap": {"name": "arm", "defaultMode": 0o755}}],
    "containers": [{
        "name": "manager", "command": ["/arm/run"], "volumeMounts": [{"name": "arm", "mountPath": "/arm"}]}],
}}}})  # fmt: skip


def _converted(name: str, kind: str, group: str, service: str) -> Object:
    """A CRD of two versions that a Service converts."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": version, "served": True, "storage": version == "v1", "schema": schema} for version in ("v1", "v1beta1")
    ]
    client = {"service": {"name": service, "namespace": SHOP, "path": "/convert"}}
    conversion = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client}}
    names = {"kind": kind, "plural": name.partition(".")[0]}
    spec = {"group": group, "scope": "Cluster", "names": names, "versions": versions, "conversion": conversion}
    kind_of = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**kind_of, "metadata": _meta(name, ""), "spec": spec}


_EFS = "efs.csi.aws.com"
_EFS_IMAGE = "public.ecr.aws/efs-csi-driver/amazon/aws-efs-csi-driver:v2.1.0"
_EFS_AGENT: list[Object] = [
    {
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": _meta(_EFS, ""),
        "spec": {"attachRequired": False},
    },
    {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": _meta("efs-csi-node", KUBE),
        "spec": {
            "selector": {"matchLabels": {"app": "efs-csi-node"}},
            "template": {
                "metadata": {"labels": {"app": "efs-csi-node"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0, "containers": [{"name": "efs-plugin", "image": _EFS_IMAGE}]},
            },
        },
    },
]  # fmt: skip
_ON_NODE_1 = {"kubernetes.io/hostname": "node-1"}


def _ingress(name: str, kind: str) -> Object:
    backend = {"service": {"name": name, "port": {"number": 443}}}
    spec = {"ingressClassName": kind, "defaultBackend": backend}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": _meta(name), "spec": spec}


def _attachment(name: str, node: str) -> Object:
    spec = {"attacher": "ebs.csi.aws.com", "nodeName": node, "source": {"persistentVolumeName": "pv-of-a-gone-node"}}
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": _meta(name, "")}
    return {**body, "spec": spec}


def _external_api() -> Object:
    """The API of metrics that KEDA served, and does not serve any more."""
    service = {"name": "keda-operator-metrics-apiserver", "namespace": "keda", "port": 443}
    spec = {
        "group": "external.metrics.k8s.io", "version": "v1beta1", "service": service, "groupPriorityMinimum": 100,
        "versionPriority": 100, "insecureSkipTLSVerify": True,
    }  # fmt: skip
    meta = _meta("v1beta1.external.metrics.k8s.io", "")
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": meta, "spec": spec}


_EXTERNAL_API = "v1beta1.external.metrics.k8s.io"


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": _meta(name, "")}


def _queue_scaler() -> Object:
    metric = {"metric": {"name": "s0-queue"}, "target": {"type": "AverageValue", "averageValue": "5"}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "coredns"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3}
    metrics = [{"type": "External", "external": metric}]
    body = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": _meta("coredns", KUBE)}
    return {**body, "spec": {**spec, "metrics": metrics}}


def _has_failed_to_start(name: str, reason: str, words: str) -> Any:
    def holds(cluster: Cluster) -> bool:
        told = got(cluster, "events", "-n", SHOP, f"--field-selector=reason={reason},involvedObject.name={name}")
        return any(words in event["message"] for event in told)

    return holds


def _hangs(namespace: str) -> Any:
    return lambda cluster: any(
        condition(thing, "NamespaceDeletionDiscoveryFailure") == "True" for thing in got(cluster, f"ns/{namespace}")
    )


VICTIMS: tuple[Fault, ...] = (
    # Pods that are not made
    Fault(
        name="webhook of an add-on that was uninstalled",
        changes=(
            Made([_on_pods_of("bills", webhook("kyverno-resource", _PODS, "Fail", service="kyverno-svc"))]),
            Made([_app("bills")]),
        ),
        holds=_not_made("bills", "failed calling webhook"),
        cause=("INV004", "ValidatingWebhookConfiguration/kyverno-resource"), says=("kyverno-svc",),
    ),
    Fault(
        name="webhook whose CA bundle is not that of its pods",
        changes=(
            Made([_on_pods_of("carts", webhook("carts", _PODS, "Fail", ca=authority(timedelta(days=-100))))]),
            Made([_app("carts")]),
        ),
        holds=_not_made("carts", "x509"),
        cause=("HLT009", "ValidatingWebhookConfiguration/carts"), says=("CA bundle", "carts"),
    ),
    Fault(
        name="policy of Kubernetes that refuses an add-on's pods",
        changes=(
            Made(_policy("signed", {"k8s-app": "kube-proxy"}, "its image must be signed")),
            Replaced(KUBE, PROXY_PODS),
        ),
        holds=warned(KUBE, "FailedCreate", "must be signed"), cause=("HLT005", PROXY),
        says=("its image must be signed",),
    ),
    Fault(
        name="image for another architecture",
        changes=(Made(_FOREIGN), _runs_foreign),
        holds=waits_for(KEEPER, AUDIT_PODS, "CrashLoopBackOff", "RunContainerError"),
        cause=("HLT001", AUDIT), says=("kubectl logs",),  # only its log has the words
    ),
    Fault(
        name="port of the node that another pod has",
        changes=(Patched("deployment/coredns", KUBE, {"spec": {"replicas": 3, "template": {"spec": {"containers": [
            {"name": "coredns", "ports": [{"containerPort": 8080, "protocol": "TCP", "hostPort": 8099, "name": "h"}]},
        ]}}}}),),
        holds=unscheduled(KUBE, DNS_PODS), cause=("HLT004", DNS), says=("free ports",), age_s=60,
    ),
    # Volumes
    Fault(
        name="StorageClass with the name of a driver within Kubernetes",
        changes=(
            Made([_class("StorageClass", "gp2", {
                "provisioner": "kubernetes.io/aws-ebs", "volumeBindingMode": "WaitForFirstConsumer"})]),
            Made([_claim("orders", "gp2"), _pod("orders", volumes=_uses("orders"))]),
        ),
        holds=lambda cluster: any("volume.kubernetes.io/selected-node" in claim["metadata"]["annotations"]
                                  for claim in got(cluster, "pvc/orders", "-n", SHOP)),
        cause=("HLT027", "service of aws-ebs-csi-driver"), says=("PersistentVolumeClaim/default/orders",),
        age_s=_MINUTES_6,
    ),
    Fault(
        name="agent that skips a tainted node",
        changes=(
            NamedImage(PAUSE_IMAGE, _EFS_IMAGE), Tainted("node-1", "dedicated=batch:NoSchedule"), Made(_EFS_AGENT),
            Made([_volume("files", _EFS), _claim("files", "manual", volumeName="files"),
                  _pod("files", volumes=_uses("files"), nodeSelector=_ON_NODE_1,
                       tolerations=[{"key": "dedicated", "operator": "Exists"}])]),
        ),
        holds=_has_failed_to_start("files", "FailedMount", _EFS),
        cause=("HLT028", "DaemonSet/kube-system/efs-csi-node"), says=("dedicated=batch:NoSchedule", "node-1"),
        age_s=_MINUTES_6,
    ),
    Fault(
        name="volume of a driver that is not installed, in the pod itself",
        changes=(Made([_pod("vault", volumes=[{"name": "secrets", "csi": {
            "driver": "secrets-store.csi.k8s.io", "readOnly": True,
            "volumeAttributes": {"secretProviderClass": "vault"}}}])]),),
        holds=_has_failed_to_start("vault", "FailedMount", "secrets-store.csi.k8s.io"),
        cause=("HLT027", "service of secrets-store-csi-driver"), says=("default/vault",), age_s=_MINUTES_6,
    ),
    Fault(
        name="attachment to a node that is gone",
        changes=(Made([_attachment("csi-gone", "ip-10-0-9-9.ec2.internal")]),), holds=at_once,
        cause=("HLT029", "attachments of aws-ebs-csi-driver"), says=("ip-10-0-9-9.ec2.internal",), age_s=_MINUTES_12,
    ),
    Fault(
        name="volume that hangs in deletion, its driver gone",
        changes=(Held(_volume("old-data", "fsx.csi.aws.com", "external-attacher/fsx-csi-aws-com")),), holds=at_once,
        cause=("HLT030", "finalizers of aws-fsx-csi-driver"), says=("PersistentVolume/old-data",), age_s=_MINUTES_12,
    ),
    Fault(
        name="two default StorageClasses",
        changes=(Made([
            _class("StorageClass", name, {"provisioner": f"example.com/{name}"}, _DEFAULT_STORAGE)
            for name in ("fast", "slow")]),),
        holds=at_once, cause=("HLT031", "StorageClass/fast"), says=("StorageClass/slow",),
    ),
    # Addresses
    Fault(
        name="two default IngressClasses",
        changes=(Made([
            _class("IngressClass", name, {"spec": {"controller": f"example.com/{name}"}}, _DEFAULT_INGRESS)
            for name in ("inner", "outer")]),),
        holds=at_once, cause=("HLT031", "IngressClass/inner"), says=("IngressClass/outer",),
    ),
    Fault(
        name="IngressClass without its controller",
        changes=(
            Made([_class("IngressClass", "nginx", {"spec": {"controller": "k8s.io/ingress-nginx"}})]),
            Made([_ingress("front", "nginx")]),
        ),
        holds=at_once, cause=("HLT027", "service of ingress-nginx"), says=("Ingress/default/front",), age_s=_MINUTES_12,
    ),
    Fault(
        name="load balancer that nobody makes",
        changes=(Made([_service("door", type="LoadBalancer", loadBalancerClass="service.k8s.aws/nlb")]),),
        holds=at_once, cause=("HLT027", "service of aws-load-balancer-controller"), says=("Service/default/door",),
        age_s=_MINUTES_12,
    ),
    Fault(
        name="Service that hangs in deletion, its controller gone",
        changes=(Held({**_service("exit"), "metadata": _meta("exit", finalizers=["service.k8s.aws/resources"])}),),
        holds=at_once, cause=("HLT030", "finalizers of aws-load-balancer-controller"),
        says=("Service/default/exit", "service.k8s.aws"), age_s=_MINUTES_12,
    ),
    # Installers, nodes, APIs
    Fault(
        name="Helm release left in pending-upgrade",
        changes=(Made([_release("metrics-server", 1, "deployed"), _release("metrics-server", 2, "pending-upgrade")]),),
        holds=at_once, cause=("INV007", "metrics-server/kube-system/metrics-server"),
        says=("pending-upgrade", "helm rollback"),
    ),
    Fault(
        name="taint of an agent that never came",
        changes=(
            Tainted("node-1", "node.cilium.io/agent-not-ready=true:NoSchedule"),
            Made([_pod("batch", nodeSelector=_ON_NODE_1, tolerations=[{"key": "dedicated", "operator": "Exists"}])]),
        ),
        holds=unscheduled(SHOP, "app=batch"),
        cause=("HLT027", "service of cilium"), says=("node.cilium.io/agent-not-ready", "Node/node-1"),
        age_s=_MINUTES_6,
    ),
    Fault(
        name="conversion webhook without a pod",
        changes=(
            Made([_service("keda-converts", selector={"app": "keda-converts"})]),
            Made([_converted("triggerauthentications.keda.sh", "TriggerAuthentication", "keda.sh", "keda-converts")]),
        ),
        holds=says("crd/triggerauthentications.keda.sh", "Established", "True"),
        cause=("HLT008", "Service/default/keda-converts"),
        effects=(
            ("HLT026", "CustomResourceDefinition/triggerauthentications.keda.sh"), ("INV003", "CRDs of keda"),
        ),
        age_s=_MINUTES_6,
    ),
    Fault(
        name="API that is not reached, although its pods are ready",
        changes=(Dropped(KUBE, "metrics-server"),),
        holds=says(f"apiservice/{METRICS_API}", "Available", "False"),
        cause=("HLT010", f"APIService/{METRICS_API}"), says=("security group",),
    ),
    Fault(
        name="namespace that hangs, an API of an add-on that was uninstalled",
        changes=(
            Made([_external_api()]), Made([_namespace("leaving")]), Made([_queue_scaler()]), Leaving("ns/leaving"),
        ),
        holds=_hangs("leaving"),
        cause=("INV005", f"APIService/{_EXTERNAL_API}"),
        effects=(("HLT030", "Namespace/leaving"), ("HLT032", "HorizontalPodAutoscaler/kube-system/coredns")),
        age_s=_MINUTES_12,
    ),
)  # fmt: skip

ECHOES = (
    ("DEP003", "aws-efs-csi-driver/kube-system/efs-csi-node needs Deployment/kube-system/efs-csi-controller"),
    ("HLT005", DNS),
    ("HLT017", "FailedMount of secrets-store-csi-driver"),
    ("HLT017", "aws-efs-csi-driver/kube-system/efs-csi-node: FailedMount"),
    ("HLT017", "FailedComputeMetricsReplicas of keda"),
    ("HLT017", "FailedGetExternalMetric of keda"),
    ("HLT017", "coredns/kube-system/coredns: FailedComputeMetricsReplicas"),
)
"""What else is said of them while they look younger or older than their own age."""

ALONE: tuple[Fault, ...] = (
    Fault(
        name="webhook that is not reached, although its pods are ready",
        changes=(
            Made([_on_pods_of("desk", webhook("desk", _PODS, "Fail"))]), Dropped(KEEPER, KEEPER_SERVICE),
            Made([_app("desk")]),
        ),
        holds=_not_made("desk", "failed calling webhook"),
        cause=("HLT009", "ValidatingWebhookConfiguration/desk"), says=("security group",),
    ),
)  # fmt: skip
"""What all others would wait for."""

NO_SLICES = Fault(
    name="role without endpointslices",
    changes=(
        Patched("clusterrole/system:coredns", "", {"rules": [
            {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"],
             "verbs": ["list", "watch"]}]}),
        Replaced(KUBE, DNS_PODS),
    ),
    holds=lambda cluster: any(condition(pod, "Ready") == "False" for pod in pods(cluster, KUBE, DNS_PODS)),
    cause=("DEP005", "ServiceAccount/kube-system/coredns"), says=("endpointslices",),
)  # fmt: skip
"""Its new pod starts, and is never ready: that is seen by --probe and --logs, too."""
