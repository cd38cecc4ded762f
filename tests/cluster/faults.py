"""Faults of the real add-ons, each as somebody once made it, and how to tell in the cluster that it has taken hold."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cluster.build import METRICS_SERVER
from tests.cluster.changes import (
    Awaited,
    Change,
    Deleted,
    Frozen,
    Holds,
    Killed,
    Made,
    Object,
    Patched,
    Replaced,
    WrittenAs,
    at_once,
    both,
    got,
    leads_nowhere,
    pods,
    ready_endpoints,
    says,
    started_unready,
    unscheduled,
    wait_until_sound,
    waits_for,
    warned,
)
from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_for

# ── The faults ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`cause` and `effects` are what is to be found: (code, how the subject begins); the cause before its effects.

    `says` is what the cause's evidence or fix must name. `age_s`: how old the fault is to look when it is scanned,
    where a finding waits for a time to pass.
    """

    name: str
    changes: tuple[Change, ...]
    holds: Holds
    cause: tuple[str, str]
    effects: tuple[tuple[str, str], ...] = ()
    says: tuple[str, ...] = ()
    age_s: int = 0


@contextmanager
def broken(cluster: Cluster, fault: Fault, timeout_s: float = 60) -> Iterator[None]:
    """The cluster with a fault that has taken hold; afterwards it is sound again."""
    made: list[Change] = []
    try:
        for change in fault.changes:
            change.make(cluster)
            made.append(change)
        wait_for(fault.name, lambda: fault.holds(cluster), timeout_s)
        yield
    finally:
        for change in made:
            change.undo(cluster)
        wait_until_sound(cluster)


KUBE, KEEPER = "kube-system", "gatekeeper-system"
DNS_PODS, METRICS_PODS, PROXY_PODS = "k8s-app=kube-dns", "k8s-app=metrics-server", "k8s-app=kube-proxy"
AUDIT_PODS, KEEPER_PODS = "control-plane=audit-controller", "control-plane=controller-manager"
DNS, METRICS = "Deployment/kube-system/coredns", "Deployment/kube-system/metrics-server"
PROXY = "DaemonSet/kube-system/kube-proxy"
AUDIT, KEEPER_MANAGER = (f"Deployment/{KEEPER}/gatekeeper-audit", f"Deployment/{KEEPER}/gatekeeper-controller-manager")
METRICS_API = "v1beta1.metrics.k8s.io"
VALIDATING = "ValidatingWebhookConfiguration/gatekeeper-validating-webhook-configuration"
MUTATING = "MutatingWebhookConfiguration/gatekeeper-mutating-webhook-configuration"
TEMPLATES, CONFIGS = "constrainttemplates.templates.gatekeeper.sh", "configs.config.gatekeeper.sh"
# A registry that refuses at once: a name that does not resolve takes the kubelet half a minute.
NOWHERE = "localhost:1"
_PULLS = ("ErrImagePull", "ImagePullBackOff")
_CRASHES = ("CrashLoopBackOff",)
KEEPER_SERVICE = "gatekeeper-webhook-service"


def _meta(name: str, namespace: str = "", **more: Any) -> Object:
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def _pod(**fields: Any) -> Object:
    return {"spec": {"template": {"spec": fields}}}


def _container(name: str, **fields: Any) -> Object:
    return _pod(containers=[{"name": name, **fields}])


def _coredns(**fields: Any) -> Patched:
    return Patched("deployment/coredns", KUBE, _container("coredns", **fields))


def _metrics(**fields: Any) -> Patched:
    return Patched("deployment/metrics-server", KUBE, _container("metrics-server", **fields))


def _audit(**fields: Any) -> Patched:
    return Patched("deployment/gatekeeper-audit", KEEPER, _container("manager", **fields))


def _proxy(**fields: Any) -> Patched:
    return Patched("daemonset/kube-proxy", KUBE, _pod(**fields))


def _proxy_wants_no_node(cluster: Cluster) -> bool:
    return any(not s["status"]["desiredNumberScheduled"] for s in got(cluster, "daemonset/kube-proxy", "-n", KUBE))


def _scaled(name: str, namespace: str, replicas: int) -> Patched:
    return Patched(f"deployment/{name}", namespace, {"spec": {"replicas": replicas}})


def _flag(container: int, flag: str) -> list[Object]:
    return [{"op": "add", "path": f"/spec/template/spec/containers/{container}/args/-", "value": flag}]


_WRONG_PORT = {"httpGet": {"path": "/healthz", "port": 4}, "periodSeconds": 1, "failureThreshold": 1}


def webhook(
    name: str,
    rules: Mapping[str, Any],
    policy: str = "Ignore",
    ca: str = "",
    service: str = KEEPER_SERVICE,
    path: str = "/v1/admit",
) -> Object:
    """A webhook configuration that Gatekeeper serves, or whoever `service` says."""
    hook = {
        "name": f"{name}.example.com",
        "failurePolicy": policy,
        "sideEffects": "None",
        "timeoutSeconds": 1,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": service, "namespace": KEEPER, "path": path}, "caBundle": ca},
        "rules": [{"operations": ["CREATE"], "scope": "*", **rules}],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": _meta(name),
        "webhooks": [hook],
    }


NOTHING = {"apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["nothing"]}
POD_RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}


def authority(ended: timedelta) -> str:
    """A CA bundle in base64 that ended so long ago."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now - ended)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    signed = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(signed).decode()


def _crd(name: str, kind: str, group: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object"}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": _meta(name),
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"kind": kind, "plural": name.partition(".")[0]},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def _autoscaler(name: str, target: str, metric: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _meta(name, KUBE),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": 2,
            "maxReplicas": 3,
            "metrics": [metric],
        },
    }


_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 900}}}


def _stale_lease() -> Object:
    renewed = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    spec = {"holderIdentity": "gatekeeper-audit-7c9f8b6d5-x2x7k_1", "leaseDurationSeconds": 15, "renewTime": renewed}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": _meta("audit", KEEPER),
        "spec": spec,
    }


def _second_coredns() -> list[Object]:
    """CoreDNS once more, in another namespace, with a Corefile that asks nothing of the API server."""
    corefile = ".:53 {\n    whoami\n    ready\n}\n"
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta("dns", "default"),
        "data": {"Corefile": corefile},
    }
    container = {
        "name": "coredns",
        "image": "registry.k8s.io/coredns/coredns:v1.13.2",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    template = {
        "metadata": {"labels": {"app": "dns"}},
        "spec": {"containers": [container], "volumes": [{"name": "config", "configMap": {"name": "dns"}}]},
    }
    copy = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta("coredns", "default"),
        "spec": {"selector": {"matchLabels": {"app": "dns"}}, "template": template},
    }
    return [settings, copy]


_UNCHECKED = [
    {
        "op": "add",
        "path": "/webhooks/0/objectSelector",
        "value": {"matchExpressions": [{"key": "example.com/unchecked", "operator": "DoesNotExist"}]},
    }
]
_TEMPLATE = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": _meta("brokenrule", labels={"example.com/unchecked": "yes"}),
    "spec": {
        "crd": {"spec": {"names": {"kind": "BrokenRule"}}},
        "targets": [{"target": "admission.k8s.gatekeeper.sh", "rego": "package broken\nviolation[{ oh"}],
    },
}


def _template_failed(cluster: Cluster) -> bool:
    return any(
        by_pod.get("errors")
        for template in got(cluster, "constrainttemplates", "brokenrule")
        for by_pod in template.get("status", {}).get("byPod") or ()
    )


_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": _meta("gp3"),
    "provisioner": "ebs.csi.aws.com",
    "volumeBindingMode": "Immediate",
}
_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": _meta("data", KUBE),
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "resources": {"requests": {"storage": "1Gi"}},
    },
}
_QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": _meta("tight", KEEPER),
    "spec": {"hard": {"pods": "1"}},
}


_paused_rollout = Patched(
    "deployment/metrics-server",
    KUBE,
    {"spec": {"paused": True, "template": {"metadata": {"annotations": {"example.com/change": "1"}}}}},
)


def _none_is_updated(cluster: Cluster) -> bool:
    return not got(cluster, "deployment/metrics-server", "-n", KUBE)[0]["status"].get("updatedReplicas")


# It ends at once with a flag that it does not know.
_JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": _meta("metrics-server-hook", KUBE),
    "spec": {
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "hook",
                        "image": f"registry.k8s.io/metrics-server/metrics-server:{METRICS_SERVER}",
                        "args": ["--no-such-flag"],
                    }
                ],
            }
        },
    },
}


def _dns_has_no_ports(cluster: Cluster) -> bool:
    slices = got(cluster, "endpointslices", "-n", KUBE, "-l", "kubernetes.io/service-name=kube-dns")
    return not any(port.get("port") == 53 for piece in slices for port in piece.get("ports") or ())


def _quota_counts(cluster: Cluster) -> bool:
    return any(quota.get("status", {}).get("used") for quota in got(cluster, "quota", "tight", "-n", KEEPER))


FAULTS: tuple[Fault, ...] = (
    # Images
    Fault(
        name="image that does not exist, CoreDNS",
        changes=(_coredns(image=f"{NOWHERE}/coredns/coredns:v9.9.9"),),
        holds=waits_for(KUBE, DNS_PODS, *_PULLS), cause=("HLT002", DNS), says=("v9.9.9",),
    ),
    Fault(
        name="image that does not exist, metrics-server",
        changes=(_metrics(image=f"{NOWHERE}/metrics-server/metrics-server:v9.9.9"),),
        holds=waits_for(KUBE, METRICS_PODS, *_PULLS), cause=("HLT002", METRICS), says=("v9.9.9",),
    ),
    Fault(
        name="image that does not exist, kube-proxy",
        changes=(_proxy(containers=[{"name": "kube-proxy", "image": f"{NOWHERE}/kube-proxy:v9.9.9"}]),),
        holds=waits_for(KUBE, PROXY_PODS, *_PULLS), cause=("HLT002", PROXY), says=("v9.9.9",),
    ),
    # Crash loops
    Fault(
        name="Corefile that cannot be read",
        changes=(Patched("configmap/coredns", KUBE, {"data": {"Corefile": ".:53 {\n    nonsense\n}\n"}}),
                 Replaced(KUBE, DNS_PODS)),
        holds=waits_for(KUBE, DNS_PODS, *_CRASHES), cause=("HLT001", DNS), says=("kubectl logs",),
    ),
    Fault(
        name="unknown flag, metrics-server",
        changes=(Patched("deployment/metrics-server", KUBE, _flag(0, "--no-such-flag")),),
        holds=waits_for(KUBE, METRICS_PODS, *_CRASHES), cause=("HLT001", METRICS), says=("kubectl logs",),
    ),
    Fault(
        name="unknown flag, Gatekeeper audit",
        changes=(Patched("deployment/gatekeeper-audit", KEEPER, _flag(0, "--no-such-flag")),),
        holds=waits_for(KEEPER, AUDIT_PODS, *_CRASHES), cause=("HLT001", AUDIT), says=("kubectl logs",),
    ),
    Fault(
        name="memory limit too small",
        changes=(_audit(resources={"limits": {"memory": "20Mi"}, "requests": {"memory": "20Mi"}}),),
        holds=waits_for(KEEPER, AUDIT_PODS, *_CRASHES), cause=("HLT001", AUDIT), says=("OOMKilled", "memory limit"),
    ),
    Fault(
        name="liveness probe on a wrong port",
        changes=(Patched("deployment/gatekeeper-audit", KEEPER, _pod(
            terminationGracePeriodSeconds=1, containers=[{"name": "manager", "livenessProbe": _WRONG_PORT}])),),
        holds=waits_for(KEEPER, AUDIT_PODS, *_CRASHES), cause=("HLT001", AUDIT), says=("restarts",),
    ),
    # Pods that never become ready, or never start
    Fault(
        name="readiness probe on a wrong port, CoreDNS", changes=(_coredns(readinessProbe=_WRONG_PORT),),
        holds=started_unready(KUBE, DNS_PODS), cause=("HLT005", DNS), says=("coredns",),
    ),
    Fault(
        name="readiness probe on a wrong port, metrics-server", changes=(_metrics(readinessProbe=_WRONG_PORT),),
        holds=started_unready(KUBE, METRICS_PODS), cause=("HLT005", METRICS), says=("metrics-server",), age_s=300,
    ),
    Fault(
        name="100 cores asked for", changes=(_audit(resources={"requests": {"cpu": "100"}}),),
        holds=unscheduled(KEEPER, AUDIT_PODS), cause=("HLT004", AUDIT), says=("Insufficient cpu",), age_s=60,
    ),
    Fault(
        name="node selector that no node has",
        changes=(Patched("deployment/metrics-server", KUBE, _pod(nodeSelector={"disk": "none"})),),
        holds=unscheduled(KUBE, METRICS_PODS), cause=("HLT004", METRICS), says=("node affinity/selector",), age_s=60,
    ),
    Fault(
        name="ConfigMap of a volume is missing",
        changes=(Patched("deployment/coredns", KUBE, _pod(
            volumes=[{"name": "config", "configMap": {"name": "no-such-config"}}])),),
        holds=warned(KUBE, "FailedMount", "no-such-config"), cause=("HLT003", DNS), says=("no-such-config",),
    ),
    Fault(
        name="ConfigMap deleted while its pods run", changes=(Deleted("configmap/coredns", KUBE),), holds=at_once,
        cause=("DEP003", f"{DNS} needs ConfigMap/kube-system/coredns"),
    ),
    Fault(
        name="Secret's key is missing",
        changes=(_metrics(env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "token"}}}]),),
        holds=waits_for(KUBE, METRICS_PODS, "CreateContainerConfigError"), cause=("HLT003", METRICS), says=("absent",),
    ),
    Fault(
        name="init container that never ends",
        changes=(Patched("deployment/coredns", KUBE, _pod(
            initContainers=[{"name": "wait", "image": "registry.local/pause:1"}])),),
        holds=lambda cluster: any(
            status["state"].get("running")
            for pod in pods(cluster, KUBE, DNS_PODS) for status in pod["status"].get("initContainerStatuses") or ()),
        cause=("HLT005", DNS), says=("wait",),
    ),
    Fault(
        name="priority class that does not exist",
        changes=(Patched("deployment/gatekeeper-audit", KEEPER, _pod(priorityClassName="no-such-class")),),
        holds=warned(KEEPER, "FailedCreate", "no-such-class"), cause=("HLT005", AUDIT), says=("no-such-class",),
    ),
    Fault(
        name="namespace that forbids privileged pods",
        changes=(Patched("namespace/kube-system", "", {
                    "metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
                 Replaced(KUBE, PROXY_PODS)),
        holds=warned(KUBE, "FailedCreate", "violates PodSecurity"), cause=("HLT005", PROXY), says=("PodSecurity",),
    ),
    Fault(
        name="quota that is used up",
        changes=(Made([_QUOTA]), Awaited(_quota_counts), Replaced(KEEPER, AUDIT_PODS)),
        holds=warned(KEEPER, "FailedCreate", "exceeded quota"), cause=("HLT019", f"ResourceQuota/{KEEPER}/tight"),
        effects=(("HLT005", AUDIT),),
    ),
    Fault(
        name="rollout that is paused", changes=(_paused_rollout,), holds=_none_is_updated,
        cause=("HLT005", METRICS), says=("paused", "rollout resume"),
    ),
    Fault(
        name="Job of an add-on that failed", changes=(Made([_JOB]),),
        holds=says("job/metrics-server-hook", "Failed", "True", KUBE),
        cause=("HLT023", "Job/kube-system/metrics-server-hook"), says=("BackoffLimitExceeded",),
    ),
    # Scaled to nothing
    Fault(
        name="CoreDNS scaled to zero", changes=(_scaled("coredns", KUBE, 0),), holds=leads_nowhere(KUBE, "kube-dns"),
        cause=("HLT006", DNS),
    ),
    Fault(
        name="metrics-server scaled to zero", changes=(_scaled("metrics-server", KUBE, 0),),
        holds=both(leads_nowhere(KUBE, "metrics-server"), says(f"apiservice/{METRICS_API}", "Available", "False")),
        cause=("HLT006", METRICS), effects=(("HLT010", f"APIService/{METRICS_API}"),),
    ),
    Fault(
        name="Gatekeeper's webhook scaled to zero",
        changes=(_scaled("gatekeeper-controller-manager", KEEPER, 0),),
        holds=leads_nowhere(KEEPER, "gatekeeper-webhook-service"), cause=("HLT006", KEEPER_MANAGER),
        effects=(("HLT009", VALIDATING), ("HLT009", MUTATING)),
    ),
    Fault(
        name="kube-proxy's DaemonSet selects no node",
        changes=(_proxy(nodeSelector={"disk": "none"}),), holds=_proxy_wants_no_node, cause=("HLT006", PROXY),
    ),
    Fault(
        name="Gatekeeper's workloads deleted, the rest left",
        changes=(Deleted("deployment/gatekeeper-controller-manager", KEEPER),
                 Deleted("deployment/gatekeeper-audit", KEEPER), Killed(KEEPER, "gatekeeper.sh/system=yes")),
        holds=leads_nowhere(KEEPER, "gatekeeper-webhook-service"), cause=("INV003", "CRDs of gatekeeper"),
        effects=(("HLT008", f"Service/{KEEPER}/gatekeeper-webhook-service"), ("HLT009", VALIDATING)),
    ),
    Fault(
        name="one of Gatekeeper's workloads deleted",
        changes=(Deleted("deployment/gatekeeper-audit", KEEPER), Killed(KEEPER, AUDIT_PODS)), holds=at_once,
        cause=("DEP003", f"gatekeeper/{KEEPER}/gatekeeper-controller-manager needs {AUDIT}"),
    ),
    # Services
    Fault(
        name="Service selector wrong, kube-dns",
        changes=(Patched("service/kube-dns", KUBE, {"spec": {"selector": {"k8s-app": "coredns"}}}),),
        holds=leads_nowhere(KUBE, "kube-dns"), cause=("HLT008", "Service/kube-system/kube-dns"),
        says=("k8s-app=kube-dns",),
    ),
    Fault(
        name="Service selector wrong, Gatekeeper",
        changes=(Patched("service/gatekeeper-webhook-service", KEEPER, {
            "spec": {"selector": {"control-plane": "no-such-plane"}}}),),
        holds=leads_nowhere(KEEPER, "gatekeeper-webhook-service"),
        cause=("HLT008", f"Service/{KEEPER}/gatekeeper-webhook-service"),
        effects=(("HLT009", VALIDATING), ("HLT009", MUTATING)), says=("fix the selector",),
    ),
    Fault(
        name="Service selector wrong, metrics-server",
        changes=(Patched("service/metrics-server", KUBE, {"spec": {"selector": {"k8s-app": "metrics"}}}),),
        holds=both(leads_nowhere(KUBE, "metrics-server"), says(f"apiservice/{METRICS_API}", "Available", "False")),
        cause=("HLT008", "Service/kube-system/metrics-server"),
        effects=(("HLT010", f"APIService/{METRICS_API}"),), says=("fix the selector",),
    ),
    Fault(
        name="webhook's Service deleted", changes=(Deleted("service/gatekeeper-webhook-service", KEEPER),),
        holds=at_once, cause=("INV004", VALIDATING), effects=(("INV004", MUTATING),),
    ),
    Fault(
        name="webhook's Service deleted, failurePolicy Ignore only",
        changes=(Made([webhook("idle", NOTHING, service="no-such-service")]),), holds=at_once,
        cause=("INV004", "ValidatingWebhookConfiguration/idle"),
    ),
    Fault(
        name="APIService's Service deleted", changes=(Deleted("service/metrics-server", KUBE),),
        holds=says(f"apiservice/{METRICS_API}", "Available", "False"), cause=("INV005", f"APIService/{METRICS_API}"),
    ),
    Fault(
        name="APIService names a wrong Service",
        changes=(Patched(f"apiservice/{METRICS_API}", "", {"spec": {"service": {"name": "metrics"}}}),),
        holds=says(f"apiservice/{METRICS_API}", "Available", "False"), cause=("INV005", f"APIService/{METRICS_API}"),
    ),
    Fault(
        name="APIService whose add-on was uninstalled",
        changes=(Deleted("deployment/metrics-server", KUBE), Killed(KUBE, METRICS_PODS)),
        holds=says(f"apiservice/{METRICS_API}", "Available", "False"),
        cause=("HLT008", "Service/kube-system/metrics-server"), effects=(("HLT010", f"APIService/{METRICS_API}"),),
        age_s=60,
    ),
    Fault(
        name="DNS's Service deleted", changes=(Deleted("service/kube-dns", KUBE),), holds=at_once,
        cause=("DEP003", "coredns/kube-system/coredns needs Service/kube-system/kube-dns"),
    ),
    Fault(
        name="DNS's Service names a port that no pod has",
        changes=(Patched("service/kube-dns", KUBE, [
            {"op": "replace", "path": f"/spec/ports/{number}/targetPort", "value": "nothing"} for number in (0, 1)]),),
        holds=_dns_has_no_ports, cause=("HLT008", "Service/kube-system/kube-dns"), says=("53/UDP",),
        age_s=60,
    ),
    Fault(
        name="webhook's Service has another port",
        changes=(Patched(f"service/{KEEPER_SERVICE}", KEEPER, [
            {"op": "replace", "path": "/spec/ports/0/port", "value": 9443}]),),
        holds=at_once, cause=("HLT009", VALIDATING), effects=(("HLT009", MUTATING),), says=("has no port 443",),
    ),
    Fault(
        name="APIService deleted", changes=(Deleted(f"apiservice/{METRICS_API}"),), holds=at_once,
        cause=("DEP003", f"metrics-server/kube-system/metrics-server needs APIService/{METRICS_API}"),
    ),
    Fault(
        name="CoreDNS's Deployment deleted", changes=(Deleted("deployment/coredns", KUBE), Killed(KUBE, DNS_PODS)),
        holds=leads_nowhere(KUBE, "kube-dns"), cause=("INV006", DNS),
        effects=(("HLT008", "Service/kube-system/kube-dns"),),
        age_s=60,
    ),
    Fault(
        name="kube-proxy's DaemonSet deleted",
        changes=(Deleted("daemonset/kube-proxy", KUBE), Killed(KUBE, PROXY_PODS)), holds=at_once,
        cause=("INV006", PROXY),
    ),
    # Admission
    Fault(
        name="webhook configuration deleted", changes=(Deleted(VALIDATING),), holds=at_once,
        cause=("DEP003", f"gatekeeper/{KEEPER}/gatekeeper-audit needs {VALIDATING}"),
    ),
    Fault(
        name="webhook that guards its own pods with Fail",
        changes=(Made([webhook("guard", POD_RULE, "Fail", path="/v1/admitlabel")]),), holds=at_once,
        cause=("DEP001", KEEPER_MANAGER),
    ),
    Fault(
        name="webhook that refuses an add-on's pods",
        changes=(Made([webhook("refuse", POD_RULE, "Fail", service="no-such-service")]), Replaced(KUBE, PROXY_PODS)),
        holds=warned(KUBE, "FailedCreate", "refuse.example.com"),
        cause=("INV004", "ValidatingWebhookConfiguration/refuse"), effects=(("HLT005", PROXY),),
    ),
    Fault(
        name="webhook that names only API versions that are gone",
        changes=(Made([webhook("old", {
            "apiGroups": ["extensions"], "apiVersions": ["v1beta1"], "resources": ["ingresses"]})]),),
        holds=at_once, cause=("API004", "ValidatingWebhookConfiguration/old"),
    ),
    # Certificates
    Fault(
        name="CA of a webhook has ended",
        changes=(Made([webhook("ended", NOTHING, ca=authority(timedelta(days=2)))]),), holds=at_once,
        cause=("HLT012", "ValidatingWebhookConfiguration/ended"), says=("ended",),
    ),
    Fault(
        name="CA of a webhook ends in three days",
        changes=(Made([webhook("ending", NOTHING, ca=authority(timedelta(days=-3)))]),), holds=at_once,
        cause=("HLT012", "ValidatingWebhookConfiguration/ending"), says=("ends",),
    ),
    Fault(
        name="CA of an APIService has ended",
        changes=(Patched(f"apiservice/{METRICS_API}", "", {
            "spec": {"insecureSkipTLSVerify": False, "caBundle": authority(timedelta(days=2))}}),),
        holds=says(f"apiservice/{METRICS_API}", "Available", "False"), cause=("HLT012", f"APIService/{METRICS_API}"),
        effects=(("HLT010", f"APIService/{METRICS_API}"),),
        age_s=60,
    ),
    # CRDs and their objects
    Fault(
        name="CRD deleted", changes=(Deleted(f"crd/{CONFIGS}"),), holds=at_once,
        cause=("DEP003", f"gatekeeper/{KEEPER}/gatekeeper-audit needs CustomResourceDefinition/{CONFIGS}"),
    ),
    Fault(
        name="stored version of a CRD is old",
        changes=(Patched(f"crd/{TEMPLATES}", "", {"status": {"storedVersions": ["v1beta1", "v1"]}}, "status"),),
        holds=at_once, cause=("CRD001", f"CustomResourceDefinition/{TEMPLATES}"), says=("v1beta1",),
    ),
    Fault(
        name="CRD whose names are taken",
        changes=(Made([_crd("rules.templates.gatekeeper.sh", "ConstraintTemplate", "templates.gatekeeper.sh")]),),
        holds=says("crd/rules.templates.gatekeeper.sh", "NamesAccepted", "False"),
        cause=("HLT011", "CustomResourceDefinition/rules.templates.gatekeeper.sh"),
        age_s=60,
    ),
    Fault(
        name="conversion webhook of a CRD without its Service",
        changes=(Patched(f"crd/{TEMPLATES}", "", {"spec": {"conversion": {"strategy": "Webhook", "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": {"service": {"name": "no-such-service", "namespace": KEEPER}}}}}}),),
        holds=at_once, cause=("HLT026", "gatekeeper/"), says=("no-such-service",),
    ),
    Fault(
        name="constraint template whose policy cannot be read",
        # Gatekeeper's webhook would refuse it: such templates come in past it.
        changes=(Patched(VALIDATING, "", _UNCHECKED), Made([_TEMPLATE])), holds=_template_failed,
        cause=("HLT018", "ConstraintTemplate of gatekeeper"), says=("brokenrule",),
    ),
    # Permissions
    Fault(
        name="ClusterRoleBinding deleted, CoreDNS", changes=(Deleted("clusterrolebinding/system:coredns"),),
        holds=at_once, cause=("DEP004", "ServiceAccount/kube-system/coredns"),
    ),
    Fault(
        name="ClusterRoleBinding deleted, metrics-server",
        changes=(Deleted("clusterrolebinding/system:metrics-server"),), holds=at_once,
        cause=("DEP004", "ServiceAccount/kube-system/metrics-server"), says=("system:metrics-server",),
    ),
    Fault(
        name="ClusterRole deleted", changes=(Deleted("clusterrole/system:coredns"),), holds=at_once,
        cause=("DEP003", "ServiceAccount/kube-system/coredns needs ClusterRole/system:coredns"),
    ),
    Fault(
        name="ClusterRole that allows nothing",
        changes=(Patched("clusterrole/system:coredns", "", {"rules": []}),), holds=at_once,
        cause=("DEP004", "ServiceAccount/kube-system/coredns"), says=("system:coredns",),
    ),
    Fault(
        name="ServiceAccount deleted", changes=(Deleted("serviceaccount/coredns", KUBE), Replaced(KUBE, DNS_PODS)),
        holds=warned(KUBE, "FailedCreate", "serviceaccount"),
        cause=("DEP003", f"{DNS} needs ServiceAccount/kube-system/coredns"), effects=(("HLT005", DNS),),
    ),
    # Resilience
    Fault(
        name="PodDisruptionBudget that allows nothing",
        changes=(Patched("pdb/coredns", KUBE, {"spec": {"maxUnavailable": 0}}),),
        holds=lambda cluster: got(cluster, "pdb/coredns", "-n", KUBE)[0]["status"]["disruptionsAllowed"] == 0,
        cause=("HLT013", "PodDisruptionBudget/kube-system/coredns"),
    ),
    Fault(
        name="PodDisruptionBudget that selects nothing",
        changes=(Patched("pdb/coredns", KUBE, {"spec": {"selector": {"matchLabels": {"k8s-app": "coredns"}}}}),),
        holds=lambda cluster: got(cluster, "pdb/coredns", "-n", KUBE)[0]["status"]["expectedPods"] == 0,
        cause=("HLT022", "PodDisruptionBudget/kube-system/coredns"),
    ),
    Fault(
        name="single replica, CoreDNS", changes=(_scaled("coredns", KUBE, 1),),
        holds=lambda cluster: ready_endpoints(cluster, KUBE, "kube-dns") == 1, cause=("HLT014", DNS),
    ),
    Fault(
        name="leader that stopped renewing its lease", changes=(Made([_stale_lease()]),), holds=at_once,
        cause=("HLT016", f"Lease/{KEEPER}/audit"),
    ),
    Fault(
        name="two copies of an add-on", changes=(Made(_second_coredns()),),
        holds=says("deployment/coredns", "Available", "True", "default"), cause=("INV002", "coredns"),
    ),
    # Scaling and storage
    Fault(
        name="autoscaler without metrics",
        changes=(Patched("service/metrics-server", KUBE, {"spec": {"selector": {"k8s-app": "metrics"}}}),
                 Made([_autoscaler("coredns", "coredns", _CPU)])),
        holds=says("hpa/coredns", "ScalingActive", "False", KUBE),
        cause=("HLT008", "Service/kube-system/metrics-server"),
        effects=(
            ("HLT010", f"APIService/{METRICS_API}"), ("HLT017", "metrics-server"),
            ("HLT032", "HorizontalPodAutoscaler/kube-system/coredns"),
        ),
        age_s=200,
    ),
    Fault(
        name="StorageClass whose CSI driver is not there", changes=(Made([_CLASS, _CLAIM]),), holds=at_once,
        cause=("DEP003", "StorageClass/gp3 needs CSIDriver/ebs.csi.aws.com"),
    ),
    # API versions
    Fault(
        name="manifest in an API version that is gone",
        changes=(Made([_autoscaler("coredns", "coredns", _CPU)]),
                 WrittenAs("hpa/coredns", KUBE, "autoscaling/v2beta2")),
        holds=at_once,
        cause=("API001", "autoscaling/v2beta2 HorizontalPodAutoscaler"), says=("autoscaling/v2",),
    ),
    # Nodes: the last, for it takes longest
    Fault(
        name="node that is not ready", changes=(Frozen(1),), holds=says("node/node-1", "Ready", "Unknown"),
        cause=("HLT021", "Node/node-1"),
    ),
)  # fmt: skip
