"""Looks from nodes themselves at what an add-on does on each of them: for the network of Services, and for new pods.

On the first nodes that take the new version up runs a pod that does nothing. For the network of Services its kubelet
connects to the API server once a second, by its Service and directly, and tells by the readiness of two containers
which way works. For the network of pods it shows whether new pods get an address: there is another with each wave. The
pods need an image that their node has already, and next to nothing of its resources. They are owned by the Lease of the
run, and end with it if nobody ends them before. Called by executor.py; adapters/signals/nodes.py counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from addonctl import leases
from addonctl.errors import Conflict, Forbidden, Invalid, NotFound
from addonctl.instances import PODS, exists
from addonctl.leaving import is_ready
from addonctl.model import POD_NETWORK, SERVICE_NETWORK, ObjectRef, live
from addonctl.model.plan import Step
from addonctl.ports import ObjectReader, ObjectWriter, Watch

SLI = "addonctl/sli"
"""A label of each of the pods: what it tells of."""
BY_SERVICE, DIRECTLY = "by-service", "directly"
"""The containers of the one for Services, by the way in which they are probed."""
_LEASE = "addonctl/lease"
# More nodes show nothing that so many do not.
_NODES = 20
_API_SERVICE = ObjectRef.of("Service", "kubernetes", "default")
_SLICE = live.Kind("discovery.k8s.io", "EndpointSlice")
Document = Mapping[str, Any]


def are_wanted(step: Step) -> bool:
    return bool(_slis(step))


def place(
    reader: ObjectReader, writer: ObjectWriter, step: Step, nodes: Iterable[str], wave: int | None = None
) -> None:
    """Those of a wave, None: of before the first one, on each of the first `nodes`. Placing twice changes nothing.

    What cannot be read, and what missing rights or an admission policy forbid, leaves the update without this look.
    """
    with suppress(NotFound, Forbidden):
        lease = reader.get(leases.of(step.installation))
        made = {sli: _spec(reader, sli) for sli in _slis(step) if wave is None or sli == POD_NETWORK}
        with_image = ((node, image) for node in nodes if made and (image := _pause_image(reader, node)))
        wanted = [
            _pod(lease, sli, node, wave, image, spec)
            for node, image in islice(with_image, _NODES)
            for sli, spec in made.items()
        ]
        there = placed(reader, step) if wanted else ()
        for pod in wanted:
            _end(writer, (each for each in there if _gives_way(each.document, pod)))
            with suppress(Conflict, Invalid):
                writer.apply(pod)


def placed(reader: ObjectReader, step: Step) -> live.Listing:
    return reader.list(*_placed(step))


def watched(reader: ObjectReader, step: Step) -> Watch:
    """Those that are placed, as they come and go and tell. Takes `watch` on pods."""
    return reader.watch(*_placed(step))


def _placed(step: Step) -> tuple[live.Kind, str, str]:
    return PODS, leases.NAMESPACE, f"{_LEASE}={leases.of(step.installation).name}"


def are_ready(reader: ObjectReader, step: Step) -> bool:
    """Whether all that were placed tell something."""
    return all(is_ready(pod.document) for pod in placed(reader, step))


def remove(reader: ObjectReader, writer: ObjectWriter, step: Step) -> None:
    """Ends them, where that is allowed."""
    _end(writer, placed(reader, step))


def _slis(step: Step) -> list[str]:
    return [each.sli for each in step.objectives if each.sli in (SERVICE_NETWORK, POD_NETWORK)]


def _end(writer: ObjectWriter, pods: Iterable[live.Object]) -> None:
    for pod in pods:
        with suppress(Conflict, Forbidden):
            writer.delete(pod.ref, uid=pod.uid)


def _gives_way(old: Document, new: Document) -> bool:
    """Whether one is of the same node and SLI, and of before."""
    was, now = ((pod["metadata"]["labels"][SLI], pod["spec"]["nodeName"]) for pod in (old, new))
    return was == now and old["metadata"]["name"] != new["metadata"]["name"]


def _pause_image(reader: ObjectReader, node: str) -> str:
    """The image by which the node holds the network of its pods: the only one that is sure to wait, and do nothing."""
    found = exists(reader, ObjectRef(kind="Node", name=node))
    images = (found.document.get("status") or {}).get("images") or () if found else ()
    names = (name for image in images for name in image.get("names") or ())
    return next((name for name in names if name.partition("@")[0].rpartition("/")[2].partition(":")[0] == "pause"), "")


def _spec(reader: ObjectReader, sli: str) -> Document:
    """What is different between them."""
    if sli == POD_NETWORK:
        return {"hostNetwork": False, "containers": [{"name": "waits"}]}
    ways = (_container(name, address, port) for name, address, port in _ways(reader))
    return {"hostNetwork": True, "containers": list(ways)}


def _ways(reader: ObjectReader) -> Sequence[tuple[str, str, int]]:
    """The addresses of the API server's Service, and of one API server."""
    service = reader.get(_API_SERVICE).document["spec"]
    ways = [(BY_SERVICE, service["clusterIP"], service["ports"][0]["port"])]
    for found in reader.list(_SLICE, _API_SERVICE.namespace, f"kubernetes.io/service-name={_API_SERVICE.name}"):
        for endpoint in (found.document.get("endpoints") or ())[: 2 - len(ways)]:
            ways.append((DIRECTLY, endpoint["addresses"][0], found.document["ports"][0]["port"]))
    return ways


def _container(name: str, host: str, port: int) -> Document:
    soon = {"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}
    return {"name": name, "readinessProbe": {"tcpSocket": {"host": host, "port": port}, **soon}}


def _pod(lease: live.Object, sli: str, node: str, wave: int | None, image: str, spec: Document) -> Document:
    which = sli if wave is None else f"{sli}-{wave}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{lease.ref.name}-{which}-{node}"[:253].rstrip(".-"),
            "namespace": leases.NAMESPACE,
            "labels": {_LEASE: lease.ref.name, SLI: sli, "app.kubernetes.io/managed-by": "addonctl"},
            "ownerReferences": [
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": lease.ref.name, "uid": lease.uid}
            ],
        },
        "spec": {
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **spec,
            "containers": [{**_IDLE, "image": image, **each} for each in spec["containers"]],
        },
    }


_IDLE: Document = {
    "imagePullPolicy": "Never",
    "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "16Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
