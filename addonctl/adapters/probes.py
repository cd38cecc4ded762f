"""Probes the add-ons of a live cluster. Nothing is stored: objects are created only as a dry run.

A probe that cannot run is unknown, with the reason; an answer that is wrong, late or missing is degraded.
"""

import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from addonctl.adapters.api_connection import Connection
from addonctl.catalog import AddOn, Catalog, ClusterService
from addonctl.errors import AddonctlError, Forbidden, NotFound, NotServed
from addonctl.model import (
    Health,
    Installation,
    Inventory,
    ObjectRef,
    Pod,
    ProbeAnswer,
    Service,
    Snapshot,
    View,
    Webhook,
    selects,
)

# A resolver in the same cluster answers within milliseconds; after a second it is of no use.
_DNS_TIMEOUT_S = 1.0
# metrics-server scrapes every 15 s by default; older metrics are of no use to autoscalers.
METRICS_OLD = timedelta(minutes=3)
_CERTIFICATE_SOON = timedelta(days=7)
_NAME = "addonctl-probe"


def probe(connection: Connection, catalog: Catalog, view: View, inventory: Inventory) -> tuple[ProbeAnswer, ...]:
    """All probes that apply to the installed add-ons. See ports.Prober."""
    return tuple(
        answer
        for row in inventory.installations
        for target in (_Target(connection, view, row, catalog.addons.get(row.addon)),)
        for make in (*target.own_probes(), _admission, _serving_certificates, _storage)
        for answer in make(target)
    )


@dataclass(frozen=True)
class _Target:
    """An add-on to probe, and the connection to its cluster."""

    connection: Connection
    view: View
    row: Installation
    addon: AddOn | None

    @property
    def snapshot(self) -> Snapshot:
        return self.view.snapshot

    def own_probes(self) -> "Iterator[Callable[[_Target], Iterator[ProbeAnswer]]]":
        """The probes of an add-on, by the services that it provides."""
        yield from (PROBES[service] for service in (self.addon.provides if self.addon else ()) if service in PROBES)

    def answer(self, name: str, health: Health, detail: str, began: float | None = None) -> ProbeAnswer:
        latency = round((time.monotonic() - began) * 1000) if began is not None else None
        return ProbeAnswer(addon=self.row.addon, name=name, health=health, detail=detail, latency_ms=latency)

    def services(self) -> Iterator[Service]:
        """Services that select the add-on's pods."""
        found = {service.ref: service for ref in self.row.workloads for service in self.view.services_of.get(ref, ())}
        yield from found.values()

    def pods(self, service: Service) -> list[Pod]:
        """Ready pods behind a Service."""
        mine = (pod for ref in self.row.workloads for pod in self.view.pods.get(ref, ()))
        return [
            pod
            for pod in mine
            if pod.ready and pod.namespace == service.namespace and selects(service.selector, (), pod.labels)
        ]

    def webhooks(self) -> Iterator[tuple[ObjectRef, Webhook]]:
        """Webhooks that the add-on serves."""
        mine = {service.ref for service in self.services()}
        for configuration in self.snapshot.webhook_configurations:
            for hook in configuration.webhooks:
                if hook.service and ObjectRef.of("Service", hook.service.name, hook.service.namespace) in mine:
                    yield configuration.ref, hook


# ── DNS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _dns(target: _Target) -> Iterator[ProbeAnswer]:
    """A query for the API server's name at the cluster IP or, from outside, at each pod through the API server."""
    name = f"kubernetes.default.svc.{_cluster_domain(target.snapshot)}"
    for service in target.services():
        if not any(port.number == 53 for port in service.ports) or service.cluster_ip in ("", "None"):
            continue
        inside = "KUBERNETES_SERVICE_HOST" in os.environ
        answer = _dns_by_udp(target, service.cluster_ip, name) if inside or _routed(service.cluster_ip) else None
        # From outside, the address may be in another network: only a correct answer shows that it is the cluster's.
        if answer is not None and (inside or answer.health is Health.HEALTHY):
            yield answer
        else:
            yield from _dns_by_pod(target, service, name)


def _cluster_domain(snapshot: Snapshot) -> str:
    return cluster_domain(config.data.get("Corefile", "") for config in snapshot.config_maps)


def cluster_domain(corefiles: Iterable[str]) -> str:
    """The domain in the `kubernetes` line of the first Corefile that has one, or else the usual one."""
    for line in (line for corefile in corefiles for line in corefile.splitlines()):
        words = line.split()
        if words[:1] == ["kubernetes"] and len(words) > 1 and words[1] != "{":
            return words[1].rstrip(".")
    return "cluster.local"


def _routed(address: str) -> bool:
    """Whether anything accepts a connection at the address's DNS port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.settimeout(_DNS_TIMEOUT_S)
        return tried.connect_ex((address, 53)) == 0


_HEADER_BYTES, _IS_RESPONSE = 12, 0x80


_IPV4, _IPV6 = 1, 28  # types A and AAAA


def dns_query(name: str, id: int = 1, *, ipv6: bool = False) -> bytes:
    """A query for the addresses of `name` (RFC 1035, section 4; RFC 3596)."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    kind = _IPV6 if ipv6 else _IPV4
    return struct.pack(">HHHHHH", id, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def dns_answer(response: bytes) -> tuple[int, int]:
    """(rcode, number of answers) of a response; (SERVFAIL, 0) if it is not one."""
    if len(response) < _HEADER_BYTES or not response[2] & _IS_RESPONSE:
        return 2, 0
    _, flags, _, answers = struct.unpack(">HHHH", response[:8])
    return flags & 0xF, answers


def _dns_by_udp(target: _Target, address: str, name: str) -> ProbeAnswer:
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_DNS_TIMEOUT_S)
        try:
            asking.sendto(dns_query(name), (address, 53))
            response = asking.recv(512)
        except OSError as error:
            return target.answer("dns query", Health.DEGRADED, f"{address} did not answer for {name}: {error}")
    return _judged(target, "dns query", f"the cluster IP {address}", name, response, began)


def _dns_by_pod(target: _Target, service: Service, name: str) -> Iterator[ProbeAnswer]:
    pods = target.pods(service)
    if not pods:
        yield target.answer("dns query", Health.DEGRADED, f"no ready pod behind Service {service.name} to ask")
    for pod in pods:
        probe, query, began = f"dns query at {pod.name}", dns_query(name), time.monotonic()
        try:
            with target.connection.forward(pod.namespace, pod.name, 53) as stream:
                stream.sendall(struct.pack(">H", len(query)) + query)
                length = struct.unpack(">H", _exactly(stream, 2))[0]
                response = _exactly(stream, length)
        except Forbidden as error:
            yield target.answer(probe, Health.UNKNOWN, error.what)
        except (AddonctlError, OSError) as error:
            yield target.answer(probe, Health.DEGRADED, str(getattr(error, "what", error)))
        else:
            yield _judged(target, probe, "the pod, not the cluster IP,", name, response, began)


def _exactly(stream: socket.socket, count: int) -> bytes:
    body = b""
    while len(body) < count:
        piece = stream.recv(count - len(body))
        if not piece:
            raise ConnectionError(f"closed after {len(body)} of {count} bytes")
        body += piece
    return body


def _judged(target: _Target, probe: str, asked: str, name: str, response: bytes, began: float) -> ProbeAnswer:
    rcode, answers = dns_answer(response)
    good = rcode == 0 and answers > 0
    detail = f"{asked} answered for {name}" + ("" if good else f" with rcode {rcode} and {answers} records")
    return target.answer(probe, Health.HEALTHY if good else Health.DEGRADED, detail, began)


# ── Metrics ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _metrics(target: _Target) -> Iterator[ProbeAnswer]:
    api = next((api for api in target.snapshot.api_services if api.group == "metrics.k8s.io"), None)
    if api is None:
        yield target.answer("metrics read", Health.UNKNOWN, "no APIService of metrics.k8s.io")
        return
    began = time.monotonic()
    try:
        listed = json.loads(target.connection.get(f"/apis/metrics.k8s.io/{api.version}/nodes")).get("items") or []
    except Forbidden as error:
        yield target.answer("metrics read", Health.UNKNOWN, error.what)
        return
    except AddonctlError as error:
        yield target.answer("metrics read", Health.DEGRADED, error.what)
        return
    fresh = [item for item in listed if age(item) < METRICS_OLD]
    health = Health.HEALTHY if fresh else Health.DEGRADED
    yield target.answer("metrics read", health, f"fresh metrics of {len(fresh)} of {len(listed)} nodes", began)


def age(item: Mapping[str, Any]) -> timedelta:
    """How long ago metrics were measured; for ever, where they do not say."""
    try:
        return datetime.now(UTC) - datetime.fromisoformat(str(item.get("timestamp")))
    except ValueError:
        return timedelta.max


# ── Admission ───────────────────────────────────────────────────────────────────────────────────────────────────


def _admission(target: _Target) -> Iterator[ProbeAnswer]:
    """A dry run of a creation that the add-on's webhooks must admit."""
    asked = [(ref, hook) for ref, hook in target.webhooks() if hook.failure_policy == "Fail"]
    hidden = [hook for _, hook in target.webhooks() if hook.failure_policy != "Fail"]
    tried: set[str] = set()
    for _, hook in asked:
        sample = sample_for(hook)
        if sample is not None and sample[0] not in tried:
            tried.add(sample[0])
            yield _try(target, "admission dry run", *sample, wanted=hook.name)
    if not tried and (asked or hidden):
        why = "failurePolicy Ignore hides its answers" if not asked else "it admits no kind that can be tried"
        yield target.answer("admission dry run", Health.UNKNOWN, why)


def sample_for(hook: Webhook) -> tuple[str, dict[str, Any]] | None:
    """(path, object) for a request that a webhook must admit."""
    for rule in hook.rules:
        if not {"CREATE", "*"} & set(rule.operations):
            continue
        for (group, resource), sample in _SAMPLES.items():
            if {group, "*"} & set(rule.groups) and {resource, "*", "*/*"} & set(rule.resources):
                return sample
    return None


_POD_SPEC = {"containers": [{"name": "probe", "image": "registry.k8s.io/pause:3.10"}]}
_SAMPLES: Mapping[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("", "pods"): (
        "/api/v1/namespaces/default/pods",
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _NAME}, "spec": _POD_SPEC},
    ),
    ("", "services"): (
        "/api/v1/namespaces/default/services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": _NAME},
            "spec": {"ports": [{"port": 80}], "selector": {"app": _NAME}},
        },
    ),
    ("", "namespaces"): ("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAME}}),
    ("networking.k8s.io", "ingresses"): (
        "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": _NAME},
            "spec": {"defaultBackend": {"service": {"name": _NAME, "port": {"number": 80}}}},
        },
    ),
    ("cert-manager.io", "certificates"): (
        "/apis/cert-manager.io/v1/namespaces/default/certificates",
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": _NAME},
            "spec": {"secretName": _NAME, "dnsNames": ["probe.invalid"], "issuerRef": {"name": _NAME}},
        },
    ),
}


def _try(target: _Target, probe: str, path: str, sample: dict[str, Any], wanted: str = "") -> ProbeAnswer:
    began, kind = time.monotonic(), sample["kind"]
    try:
        target.connection.dry_run(path, json.dumps(sample).encode())
    except AddonctlError as error:
        health = admission_health(error, wanted)
        if health is Health.HEALTHY:
            return target.answer(probe, health, f"a {kind} was judged, and refused", began)
        return target.answer(probe, health, error.what)
    return target.answer(probe, Health.HEALTHY, f"a {kind} was judged, and admitted (dry run)", began)


def admission_health(error: AddonctlError, wanted: str = "") -> Health:
    """What a refused dry run says of the webhook `wanted`, or of any: a rejection is an answer, no response is not."""
    said = error.what
    if "failed calling webhook" in said:
        return Health.DEGRADED if not wanted or f'"{wanted}"' in said else Health.UNKNOWN
    if "denied the request" in said:
        return Health.HEALTHY
    if isinstance(error, Forbidden | NotServed | NotFound) or "does not support dry run" in said:
        return Health.UNKNOWN
    return Health.HEALTHY if " is invalid" in said else Health.UNKNOWN


def _serving_certificates(target: _Target) -> Iterator[ProbeAnswer]:
    """When the serving certificates of webhooks expire, from a TLS handshake with one pod per Service."""
    wanted = {(hook.service.namespace, hook.service.name) for _, hook in target.webhooks() if hook.service}
    for service in target.services():
        if (service.namespace, service.name) not in wanted:
            continue
        pods, port = target.pods(service), _pod_port(target.snapshot, service)
        if not pods or port is None:
            continue
        probe = f"serving certificate of {service.name}"
        try:
            with target.connection.forward(service.namespace, pods[0].name, port) as stream:
                ends = _certificate_end(stream)
        except (AddonctlError, OSError, ValueError) as error:
            yield target.answer(probe, Health.UNKNOWN, str(getattr(error, "what", error)))
            continue
        left = ends - datetime.now(UTC)
        verb = "ended" if left < timedelta() else "ends"
        health = Health.HEALTHY if left > _CERTIFICATE_SOON else Health.DEGRADED
        yield target.answer(probe, health, f"it {verb} on {ends:%Y-%m-%d %H:%M} UTC")


def _pod_port(snapshot: Snapshot, service: Service) -> int | None:
    """The pods' port behind a Service; the one for https if there are several."""
    ports = [
        port
        for piece in snapshot.endpoint_slices
        if (piece.namespace, piece.service) == (service.namespace, service.name)
        for port in piece.ports
    ]
    chosen = next((port for port in ports if "http" in port.name), next(iter(ports), None))
    return chosen.number if chosen else None


def _certificate_end(stream: socket.socket) -> datetime:
    from cryptography import x509

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only its dates are read; it is not trusted
    with context.wrap_socket(stream) as secured:
        body = secured.getpeercert(binary_form=True)
    if not body:
        raise ValueError("no certificate was served")
    return x509.load_der_x509_certificate(body).not_valid_after_utc


# ── Storage ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _storage(target: _Target) -> Iterator[ProbeAnswer]:
    """A dry run of a claim for every StorageClass of the driver: tests admission and quota, not the driver itself."""
    drivers = target.addon.fingerprints.csi_drivers if target.addon else ()
    for storage_class in target.snapshot.storage_classes:
        if storage_class.provisioner in drivers:
            claim = {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": _NAME},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": storage_class.name,
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
            path = "/api/v1/namespaces/default/persistentvolumeclaims"
            yield _try(target, f"claim of class {storage_class.name}", path, claim)


PROBES: Mapping[ClusterService, Callable[[_Target], Iterator[ProbeAnswer]]] = {
    ClusterService.CLUSTER_DNS: _dns,
    ClusterService.RESOURCE_METRICS: _metrics,
}
"""Probes by the service that an add-on provides; all add-ons get those of admission, certificates and storage."""

RULES: tuple[dict[str, Any], ...] = (
    {"apiGroups": ["metrics.k8s.io"], "resources": ["nodes"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["pods", "services", "namespaces", "persistentvolumeclaims"], "verbs": ["create"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["create"]},
    {"apiGroups": ["cert-manager.io"], "resources": ["certificates"], "verbs": ["create"]},
)
"""The permissions that probing needs beyond reading. RBAC does not distinguish dry runs from creations."""
