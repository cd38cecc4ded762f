"""What of a step can be asked: its Services, the pods that serve behind them, and which one is for DNS.

Read from the live cluster, since an update may replace any of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.probes import cluster_domain
from addonctl.errors import Forbidden, NotFound
from addonctl.instances import PODS, selector
from addonctl.model import ObjectRef, live, selects
from addonctl.model.plan import Step

_DNS_PORT = 53
_SERVICE = live.Kind("", "Service")
_SLICE = live.Kind("discovery.k8s.io", "EndpointSlice")
_OF_SERVICE = "kubernetes.io/service-name"
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

    def instances(self) -> Iterator[live.Object]:
        """The pods of each workload that is there."""
        for workload in self._workloads():
            yield from self.objects.list(PODS, workload.ref.namespace, selector(workload.document))

    def _templates(self) -> Iterator[tuple[str, Document]]:
        """(namespace, pod template) of each workload that is there."""
        for workload in self._workloads():
            yield workload.ref.namespace, workload.document["spec"]["template"]

    def _workloads(self) -> Iterator[live.Object]:
        for target in self.step.targets:
            with suppress(NotFound):
                yield self.objects.get(target.ref)

    def services(self) -> list[live.Object]:
        """Services that select the step's pods."""
        return list(self._services(self._templates()))

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
