"""What really depends on what, measured: dependents in a namespace of their own, what is taken from them, and who
then stops working.

An object counts as degraded by its own status, or by being used: a webhook is asked, a custom resource is read, an
account's right is asked for. Nothing here asks addonctl.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cluster.build import WITNESS_IMAGE
from tests.cluster.changes import (
    Awaited,
    Change,
    Deleted,
    Killed,
    Made,
    Object,
    Patched,
    condition,
    got,
    leads_nowhere,
    pods,
    wait_until_sound,
)
from tests.cluster.cluster import Cluster
from tests.cluster.faults import (
    DNS_PODS,
    KEEPER,
    KEEPER_PODS,
    KEEPER_SERVICE,
    KUBE,
    METRICS_API,
    METRICS_PODS,
    MUTATING,
    VALIDATING,
)
from tests.cluster.processes import wait_for

SHOP = "shop"
_GROUP = "gizmos.shop.example.com"


# ── The dependents ──────────────────────────────────────────────────────────────────────────────────────────────


def _object(kind: str, name: str, api_version: str = "v1", namespace: str = SHOP, **body: Any) -> Object:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **body}


def _template(name: str, *command: str, pod: Mapping[str, Any] | None = None, **container: Any) -> Object:
    image = {"name": "witness", "image": WITNESS_IMAGE, "command": ["/witness", *(command or ("sleep",))]}
    requests = {"resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [image | requests | container], **(pod or {})}
    return {"metadata": {"labels": {"app": name}}, "spec": spec}


def _deployment(name: str, template: Object) -> Object:
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    return _object("Deployment", name, "apps/v1", spec=spec)


def _service(name: str, port: int) -> Object:
    return _object("Service", name, spec={"selector": {"app": name}, "ports": [{"port": 443, "targetPort": port}]})


def _web() -> Iterator[Object]:
    """A workload with everything that a pod can refer to, and what refers to it."""
    settings = {"name": "settings", "configMap": {"name": "settings"}}
    pod = {"serviceAccountName": "web", "priorityClassName": "shop-high", "volumes": [settings]}
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "token"}}}
    yield _object("ServiceAccount", "web")
    yield _object("ConfigMap", "settings", data={"colour": "green"})
    yield _object("Secret", "token", stringData={"token": "none"})
    yield _object("PriorityClass", "shop-high", "scheduling.k8s.io/v1", "", value=1000)
    yield _deployment(
        "web", _template("web", pod=pod, env=[token], volumeMounts=[{"name": "settings", "mountPath": "/settings"}])
    )
    yield _service("web", 80)
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    yield _object("PodDisruptionBudget", "web", "policy/v1", spec=budget)
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    yield _object("ClusterRole", "shop-reader", "rbac.authorization.k8s.io/v1", "", rules=rules)
    yield _object(
        "ClusterRoleBinding",
        "shop-reader",
        "rbac.authorization.k8s.io/v1",
        "",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "shop-reader"},
        subjects=[{"kind": "ServiceAccount", "name": "web", "namespace": SHOP}],
    )


def _others() -> Iterator[Object]:
    """Workloads that can do without, that resolve names, that are scaled, that keep data."""
    optional = [{"configMapRef": {"name": "settings", "optional": True}}]
    yield _deployment("worker", _template("worker", envFrom=optional))
    asks = {"exec": {"command": ["/witness", "resolve", "kubernetes.default.svc.cluster.local."]}}
    probe = asks | {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 1}
    yield _deployment("resolver", _template("resolver", readinessProbe=probe))
    yield _deployment("scaled", _template("scaled"))
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 900}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"}
    yield _object(
        "HorizontalPodAutoscaler",
        "scaled",
        "autoscaling/v2",
        spec={"scaleTargetRef": target, "maxReplicas": 2, "metrics": [{"type": "Resource", "resource": cpu}]},
    )
    yield _object("StorageClass", "local", "storage.k8s.io/v1", "", provisioner="kubernetes.io/host-path")
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    yield _object(
        "StatefulSet",
        "db",
        "apps/v1",
        spec={
            "replicas": 1,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": _template("db"),
            "volumeClaimTemplates": [claim],
        },
    )


def _gizmos() -> Iterator[Object]:
    """A CRD in two versions with the webhook that converts between them, and one custom resource."""
    certificate, key = self_signed(f"converter.{SHOP}.svc")
    tls = {"tls.crt": certificate, "tls.key": key}
    yield _object("Secret", "converter", stringData={name: text.decode() for name, text in tls.items()})
    pod = {"volumes": [{"name": "tls", "secret": {"secretName": "converter"}}]}
    mounts = [{"name": "tls", "mountPath": "/tls"}]
    yield _deployment(
        "converter",
        _template(
            "converter",
            "convert",
            "/tls/tls.crt",
            "/tls/tls.key",
            pod=pod,
            volumeMounts=mounts,
            readinessProbe={"tcpSocket": {"port": 9443}, "periodSeconds": 1},
        ),
    )
    yield _service("converter", 9443)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions: list[Object] = [
        {"name": name, "served": True, "storage": name == "v1", "schema": schema, "subresources": {"status": {}}}
        for name in ("v1", "v1beta1")
    ]
    client = {
        "service": {"name": "converter", "namespace": SHOP, "path": "/"},
        "caBundle": base64.b64encode(certificate).decode(),
    }
    webhook = {"conversionReviewVersions": ["v1"], "clientConfig": client}
    names = {"kind": "Gizmo", "listKind": "GizmoList", "plural": "gizmos", "singular": "gizmo"}
    yield _object(
        "CustomResourceDefinition",
        _GROUP,
        "apiextensions.k8s.io/v1",
        "",
        spec={
            "group": "shop.example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": versions,
            "conversion": {"strategy": "Webhook", "webhook": webhook},
        },
    )


def _guard() -> Object:
    """Pods of the namespace are admitted by Gatekeeper only."""
    hook = {
        "name": "guard.shop.example.com",
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 2,
        "admissionReviewVersions": ["v1"],
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SHOP}},
        "clientConfig": {"service": {"name": KEEPER_SERVICE, "namespace": KEEPER, "path": "/v1/admit"}},
    }
    return _object(
        "ValidatingWebhookConfiguration", "shop-guard", "admissionregistration.k8s.io/v1", "", webhooks=[hook]
    )


def self_signed(host: str) -> tuple[bytes, bytes]:
    """(certificate, key) in PEM of a server that is its own authority, for a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )
    pem = serialization.Encoding.PEM
    written = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return built.sign(key, hashes.SHA256()).public_bytes(pem), written


def settle_in(cluster: Cluster) -> None:
    """Makes all dependents and waits until each works."""
    Made([_object("Namespace", SHOP, namespace=""), *_web(), *_others(), *_gizmos()]).make(cluster)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{_GROUP}")
    wait_until_sound(cluster)
    trust_gatekeeper = _trusted(cluster, _guard())
    Made([trust_gatekeeper, _object("Gizmo", "one", "shop.example.com/v1", spec={})]).make(cluster)
    wait_for("the dependents", lambda: not any(look(cluster).values()), 90)


def leave(cluster: Cluster) -> None:
    """Gives back the volumes, which lie in a folder of this machine."""
    cluster.kubectl("delete", "statefulsets,persistentvolumeclaims", "--all", "-n", SHOP)
    wait_for("the volumes", lambda: not got(cluster, "persistentvolumes"), 30)


def _trusted(cluster: Cluster, configuration: Object) -> Object:
    """A webhook configuration with the CA that Gatekeeper has made for itself."""
    keepers = got(cluster, VALIDATING)[0]["webhooks"][0]["clientConfig"]["caBundle"]
    configuration["webhooks"][0]["clientConfig"]["caBundle"] = keepers
    return configuration


# ── Who works, and who does not ─────────────────────────────────────────────────────────────────────────────────


def look(cluster: Cluster) -> dict[str, bool]:
    """Every object that can be observed (kind/namespace/name), and whether it is degraded."""
    with ThreadPoolExecutor() as pool:
        return {name: bad for part in pool.map(lambda ask: ask(cluster), _ASKED) for name, bad in part.items()}


def _by_status(cluster: Cluster) -> dict[str, bool]:
    serving = _serving(cluster)
    things = got(cluster, "deployments,statefulsets,daemonsets,services,hpa,pdb,apiservices,pvc", "-A")
    judged = ((_name(thing), _degraded(thing, serving)) for thing in things)
    return {name: bad for name, bad in judged if bad is not None}


def _name(thing: Object) -> str:
    meta = thing["metadata"]
    return "/".join(filter(None, (thing["kind"], meta.get("namespace", ""), meta["name"])))


def _serving(cluster: Cluster) -> set[tuple[str, str]]:
    """Services with a ready endpoint."""
    return {
        (piece["metadata"]["namespace"], piece["metadata"]["labels"].get("kubernetes.io/service-name", ""))
        for piece in got(cluster, "endpointslices", "-A")
        if any(endpoint["conditions"].get("ready") is not False for endpoint in piece.get("endpoints") or ())
    }


def _degraded(thing: Object, serving: set[tuple[str, str]]) -> bool | None:
    """Whether an object is degraded by its own status; None where that says nothing."""
    spec, status, kind = thing.get("spec", {}), thing.get("status", {}), thing["kind"]
    if kind == "Service":
        name = (thing["metadata"]["namespace"], thing["metadata"]["name"])
        return name not in serving if spec.get("selector") else None
    if kind == "APIService":
        return condition(thing, "Available") != "True" if spec.get("service") else None
    if kind == "PodDisruptionBudget":
        return bool(status.get("currentHealthy", 0) < max(status.get("desiredHealthy", 0), 1))
    if kind == "HorizontalPodAutoscaler":
        return condition(thing, "ScalingActive") != "True"
    if kind == "PersistentVolumeClaim":
        return bool(status.get("phase") != "Bound")
    if kind == "DaemonSet":
        return bool(status.get("numberAvailable", 0) < max(status.get("desiredNumberScheduled", 0), 1))
    refused = condition(thing, "ReplicaFailure") == "True"
    return refused or status.get("availableReplicas", 0) < max(spec["replicas"], 1)


def _webhooks(cluster: Cluster) -> dict[str, bool]:
    """Asks each webhook by a dry run; those that fail open are told by the audit log."""
    before = cluster.audit_log.stat().st_size
    probe = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "probe", "namespace": SHOP}}
    pod = _object("Pod", "probe", spec={"containers": [{"name": "c", "image": WITNESS_IMAGE}]})
    namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "probe"}}
    answers = {
        kind: _dry_run(cluster, document)
        for kind, document in (("config", probe), ("pod", pod), ("namespace", namespace))
    }
    with cluster.audit_log.open() as log:
        log.seek(before)
        opened = "".join(line for line in log if "failed-open." in line)
    return {
        VALIDATING: "failed calling webhook" in answers["namespace"] or "validation.gatekeeper.sh" in opened,
        MUTATING: "mutation.gatekeeper.sh" in opened,
        "ValidatingWebhookConfiguration/shop-guard": "failed calling webhook" in answers["pod"],
    }


def _dry_run(cluster: Cluster, document: Object) -> str:
    """What the server says to creating this, without doing it; empty when it would."""
    try:
        cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(document))
    except RuntimeError as error:
        return str(error)
    return ""


def _custom_resources(cluster: Cluster) -> dict[str, bool]:
    """Reads a custom resource in the version that it is not stored in."""
    read = cluster.kubectl("get", f"gizmos.v1beta1.{_GROUP.partition('.')[2]}", "-n", SHOP, "one", check=False)
    return {f"CustomResourceDefinition/{_GROUP}": not read}


_RIGHTS = ((SHOP, "web", "nodes"), (KUBE, "metrics-server", "nodes"), (KUBE, "coredns", "services"))


def _rights(cluster: Cluster) -> dict[str, bool]:
    """Whether accounts may still list what they live on."""
    return {
        f"ServiceAccount/{namespace}/{name}": "yes"
        not in cluster.kubectl(
            "auth", "can-i", "list", resource, "-A", f"--as=system:serviceaccount:{namespace}:{name}", check=False
        )
        for namespace, name, resource in _RIGHTS
    }


_ASKED = (_by_status, _webhooks, _custom_resources, _rights)


# ── The interventions ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Restarted(Change):
    """All pods of a namespace, or those with some labels, made anew: what only changes are refused for shows."""

    namespace: str
    labels: str = "app!=scaled"  # a new pod has no metrics for a while, which says nothing of its autoscaler

    def make(self, cluster: Cluster) -> None:
        cluster.kubectl("delete", "pod", "-n", self.namespace, "-l", self.labels, "--grace-period=0", "--force")

    def undo(self, cluster: Cluster) -> None:
        bad = [pod["metadata"]["name"] for pod in pods(cluster, self.namespace) if condition(pod, "Ready") != "True"]
        if bad:
            cluster.kubectl("delete", "pod", "-n", self.namespace, "--grace-period=0", "--force", *bad)


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """`stopped` is what it takes away: kind/namespace/name."""

    name: str
    stopped: str
    changes: tuple[Change, ...]


def _none_of(kind: str, name: str, namespace: str) -> Intervention:
    return Intervention(
        name=f"{name} scaled to zero",
        stopped=f"{kind}/{namespace}/{name}",
        changes=(Patched(f"{kind.lower()}/{name}", namespace, {"spec": {"replicas": 0}}),),
    )


def _without(kind: str, name: str, namespace: str = SHOP, *then: Change) -> Intervention:
    where = f"{namespace}/" if namespace else ""
    return Intervention(
        name=f"{kind} {name} deleted",
        stopped=f"{kind}/{where}{name}",
        changes=(Deleted(f"{kind}/{name}", namespace), *then),
    )


def _running(namespace: str, labels: str) -> Awaited:
    """That what was restarted to show an effect is no effect itself."""

    def holds(cluster: Cluster) -> bool:
        found = pods(cluster, namespace, labels)
        return bool(found) and all(condition(pod, "Ready") == "True" for pod in found)

    return Awaited(holds)


INTERVENTIONS: tuple[Intervention, ...] = (
    _none_of("Deployment", "coredns", KUBE),
    _none_of("Deployment", "metrics-server", KUBE),
    Intervention(
        name="Service of metrics-server leads nowhere",
        stopped=f"Service/{KUBE}/metrics-server",
        changes=(Patched("service/metrics-server", KUBE, {"spec": {"selector": {"k8s-app": "none"}}}),),
    ),
    _without("APIService", METRICS_API, ""),
    Intervention(
        name="Gatekeeper's webhook scaled to zero, pods made anew",
        stopped=f"Deployment/{KEEPER}/gatekeeper-controller-manager",
        changes=(
            Patched("deployment/gatekeeper-controller-manager", KEEPER, {"spec": {"replicas": 0}}),
            Killed(KEEPER, KEEPER_PODS),
            Awaited(leads_nowhere(KEEPER, KEEPER_SERVICE)),
            Restarted(SHOP),
        ),
    ),
    # The API server keeps its connections to a webhook's pods: it misses their Service when it has to look for others.
    _without(
        "Service", KEEPER_SERVICE, KEEPER, Killed(KEEPER, KEEPER_PODS), _running(KEEPER, KEEPER_PODS), Restarted(SHOP)
    ),
    _without("ServiceAccount", "web", SHOP, Restarted(SHOP)),
    _without("ConfigMap", "settings", SHOP, Restarted(SHOP)),
    _without("Secret", "token", SHOP, Restarted(SHOP)),
    _without("PriorityClass", "shop-high", "", Restarted(SHOP)),
    _none_of("Deployment", "converter", SHOP),
    _without("Service", "converter", SHOP, Killed(SHOP, "app=converter"), _running(SHOP, "app=converter")),
    _without("StorageClass", "local", "", Patched("statefulset/db", SHOP, {"spec": {"replicas": 2}})),
    _without("ClusterRoleBinding", "system:metrics-server", "", Restarted(KUBE, METRICS_PODS)),
    _without("ClusterRole", "system:coredns", "", Restarted(KUBE, DNS_PODS)),
    _without("ClusterRole", "shop-reader", ""),
)


@contextmanager
def taken(cluster: Cluster, intervention: Intervention) -> Iterator[None]:
    """The cluster without something; afterwards everything works again."""
    made: list[Change] = []
    try:
        for change in intervention.changes:
            change.make(cluster)
            made.append(change)
        yield
    finally:
        for change in made:
            change.undo(cluster)
        wait_until_sound(cluster)
        wait_for("the dependents", lambda: not any(look(cluster).values()), 90)
