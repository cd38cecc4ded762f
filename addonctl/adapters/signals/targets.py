"""What of a step can be asked: the DNS Service before its pods, and the webhooks that its pods serve.

Read from the live cluster, since an update may replace any of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from addonctl.adapters import api_types, shapes
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.decoders import webhook
from addonctl.adapters.probes import cluster_domain, sample_for
from addonctl.errors import Forbidden, NotFound
from addonctl.model import ObjectRef, Webhook, live, selects
from addonctl.model.plan import Step

_DNS_PORT = 53
_SERVICE = live.Kind("", "Service")
_SLICE = live.Kind("discovery.k8s.io", "EndpointSlice")
_CONFIGURATIONS = tuple(
    live.Kind("admissionregistration.k8s.io", f"{verb}WebhookConfiguration") for verb in ("Mutating", "Validating")
)
_OF_SERVICE = "kubernetes.io/service-name"
# Where dry runs are made of what has a namespace (probes.py).
_NAMESPACE = ObjectRef.of("Namespace", "default")
_NAME_LABEL = "kubernetes.io/metadata.name"
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod that serves behind a Service, and its ports; 0: it has none. `ending`: nobody who is new asks it."""

    uid: str
    namespace: str
    name: str
    address: str
    udp: int = 0
    tcp: int = 0
    ending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A Service whose pods are asked, and the names of the ports of which it is, by protocol."""

    namespace: str
    name: str
    ports: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsService(Served):
    """A Service for DNS, and the domain of its cluster; no `address`: it is headless."""

    address: str
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A dry run that a webhook must judge."""

    webhook: str
    path: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Targets:
    """Those of one step. Every method raises the errors of ApiConnection."""

    objects: ApiObjects
    step: Step

    def dns(self) -> DnsService | None:
        """The Service for DNS that selects the step's pods."""
        templates = list(self._templates())
        for service in self._services(templates):
            spec = service.document["spec"]
            ports = {
                port.get("protocol", "TCP"): port.get("name", "")
                for port in spec.get("ports") or ()
                if port.get("port") == _DNS_PORT
            }
            if "UDP" in ports:
                return DnsService(
                    namespace=service.ref.namespace,
                    name=service.ref.name,
                    address=spec.get("clusterIP", "").replace("None", ""),
                    ports=ports,
                    domain=cluster_domain(self._corefiles(templates)),
                )
        return None

    def pods(self, service: Served) -> dict[str, Pod]:
        """Pods that serve behind the Service, by uid: ready ones, and those that end and still answer."""
        slices = self.objects.list(_SLICE, service.namespace, f"{_OF_SERVICE}={service.name}")
        return {pod.uid: pod for each in slices for pod in _serving(each.document, service)}

    def reviews(self) -> list[Review]:
        """One for each webhook of the step's pods that must be called, or else the request fails."""
        mine = {(each.ref.namespace, each.ref.name) for each in self._services(list(self._templates()))}
        configurations = [each for kind in _CONFIGURATIONS for each in self.objects.list(kind)]
        found = [webhook(shape) for each in configurations for shape in _shapes(each.document)]
        called = [hook for hook in found if hook.service and (hook.service.namespace, hook.service.name) in mine]
        labels = self._labels() if called else {}
        return [review for hook in called for review in _review(hook, labels)]

    def _labels(self) -> Mapping[str, str]:
        return self.objects.get(_NAMESPACE).metadata.get("labels") or {}

    def _templates(self) -> Iterator[tuple[str, Document]]:
        """(namespace, pod template) of each workload that is there."""
        for target in self.step.targets:
            try:
                workload = self.objects.get(target.ref)
            except NotFound:
                continue
            yield target.ref.namespace, workload.document["spec"]["template"]

    def _services(self, templates: Iterable[tuple[str, Document]]) -> Iterator[live.Object]:
        """Services that select pods of these templates."""
        for namespace, template in templates:
            labels = (template.get("metadata") or {}).get("labels") or {}
            for service in self.objects.list(_SERVICE, namespace):
                selector = service.document["spec"].get("selector")
                if selector and selects(selector, (), labels):
                    yield service

    def _corefiles(self, templates: Iterable[tuple[str, Document]]) -> Iterator[str]:
        for namespace, template in templates:
            for volume in (template.get("spec") or {}).get("volumes") or ():
                if name := (volume.get("configMap") or {}).get("name"):
                    yield from self._corefile(namespace, name)

    def _corefile(self, namespace: str, name: str) -> Iterator[str]:
        try:
            config = self.objects.get(ObjectRef.of("ConfigMap", name, namespace))
        except (NotFound, Forbidden):
            return
        yield (config.document.get("data") or {}).get("Corefile", "")


def _serving(piece: Document, service: Served) -> Iterator[Pod]:
    numbers = {(port.get("protocol"), port.get("name", "")): port.get("port") for port in piece.get("ports") or ()}
    udp, tcp = (numbers.get((each, service.ports.get(each, "")), 0) or 0 for each in ("UDP", "TCP"))
    for endpoint in piece.get("endpoints") or ():
        conditions, target = endpoint.get("conditions") or {}, endpoint.get("targetRef") or {}
        ready = conditions.get("ready") is not False  # unknown counts as ready, the API says
        serving = ready if conditions.get("serving") is None else conditions["serving"]
        if serving and target.get("uid") and endpoint.get("addresses"):
            yield Pod(
                uid=target["uid"],
                namespace=target.get("namespace", service.namespace),
                name=target.get("name", ""),
                address=endpoint["addresses"][0],
                udp=udp,
                tcp=tcp,
                ending=bool(conditions.get("terminating")),
            )


def _shapes(configuration: Document) -> list[api_types.Webhook]:
    """The webhooks of a configuration; none of one that cannot be read."""
    try:
        return shapes.convert(configuration.get("webhooks") or [], list[api_types.Webhook], strict=False)
    except msgspec.ValidationError:
        return []


def _review(hook: Webhook, labels: Mapping[str, str]) -> Iterator[Review]:
    """None where the webhook is not called for the sample, for all that can be told, or where failing is hidden."""
    sample = sample_for(hook)
    if sample is None or hook.failure_policy != "Fail" or hook.has_match_conditions:
        return
    path, document = sample
    if document["kind"] == "Namespace":  # a namespace is selected by its own labels, of which the server sets one
        labels = {_NAME_LABEL: document["metadata"]["name"]}
    own = labels if document["kind"] == "Namespace" else {}
    if selects(hook.namespace_labels, hook.namespace_expressions, labels) and selects(
        hook.object_labels, hook.object_expressions, own
    ):
        yield Review(webhook=hook.name, path=path, document=document)
