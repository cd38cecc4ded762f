"""Looks from nodes themselves at the network of Services, where an add-on programs it on each of them.

On the first nodes that take the new version up runs a pod whose kubelet connects to the API server once a second, by
its Service and directly, and tells by the readiness of two containers which way works. The pods need an image that
their node has already, next to nothing of its resources and no address. They are owned by the Lease of the run, and end
with it if nobody ends them before. Called by executor.py; adapters/signals/nodes.py counts.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from addonctl import leases
from addonctl.errors import Conflict, Forbidden, Invalid, NotFound
from addonctl.instances import PODS, exists
from addonctl.model import SERVICE_NETWORK, ObjectRef, live
from addonctl.model.plan import Step
from addonctl.ports import ObjectReader, ObjectWriter

LABEL = "addonctl/probes"
"""On each of the pods; its value is the name of the Lease."""
BY_SERVICE, DIRECTLY = "by-service", "directly"
"""The containers, by the way in which they are probed."""
# More nodes show nothing that so many do not.
_NODES = 20
_API_SERVICE = ObjectRef.of("Service", "kubernetes", "default")
_SLICE = live.Kind("discovery.k8s.io", "EndpointSlice")
_Address = tuple[str, int]


def are_wanted(step: Step) -> bool:
    return any(each.sli == SERVICE_NETWORK for each in step.objectives)


def place(reader: ObjectReader, writer: ObjectWriter, step: Step, nodes: Iterable[str]) -> None:
    """One on each of the first `nodes`. Placing twice changes nothing.

    What cannot be read, and what missing rights or an admission policy forbid, leaves the update without this look.
    """
    with suppress(NotFound, Forbidden):
        lease, ways = reader.get(leases.of(step.installation)), _ways(reader)
        with_image = ((node, image) for node in nodes if (image := _pause_image(reader, node)))
        for node, image in islice(with_image, _NODES):
            with suppress(Conflict, Invalid):
                writer.apply(_pod(node, image, lease, ways))


def remove(reader: ObjectReader, writer: ObjectWriter, step: Step) -> None:
    """Ends them, where that is allowed."""
    for pod in reader.list(PODS, leases.NAMESPACE, selector(step)):
        with suppress(Conflict, Forbidden):
            writer.delete(pod.ref, uid=pod.uid)


def selector(step: Step) -> str:
    """The selector of a step's, in kubectl's syntax."""
    return f"{LABEL}={leases.of(step.installation).name}"


def _ways(reader: ObjectReader) -> Mapping[str, _Address]:
    """The addresses of the API server's Service, and of one API server."""
    service = reader.get(_API_SERVICE).document["spec"]
    ways = {BY_SERVICE: (str(service["clusterIP"]), int(service["ports"][0]["port"]))}
    for found in reader.list(_SLICE, _API_SERVICE.namespace, f"kubernetes.io/service-name={_API_SERVICE.name}"):
        for endpoint in found.document.get("endpoints") or ():
            ways[DIRECTLY] = str(endpoint["addresses"][0]), int(found.document["ports"][0]["port"])
    return ways


def _pause_image(reader: ObjectReader, node: str) -> str:
    """The image by which the node holds the network of its pods: the only one that is sure to wait, and do nothing."""
    found = exists(reader, ObjectRef(kind="Node", name=node))
    images = (found.document.get("status") or {}).get("images") or () if found else ()
    names = (name for image in images for name in image.get("names") or ())
    return next((name for name in names if name.partition("@")[0].rpartition("/")[2].partition(":")[0] == "pause"), "")


def _pod(node: str, image: str, lease: live.Object, ways: Mapping[str, _Address]) -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{lease.ref.name}-{node}"[:253].rstrip(".-"),
            "namespace": leases.NAMESPACE,
            "labels": {LABEL: lease.ref.name, "app.kubernetes.io/managed-by": "addonctl"},
            "ownerReferences": [
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": lease.ref.name, "uid": lease.uid}
            ],
        },
        "spec": {
            "nodeName": node,
            "hostNetwork": True,
            "tolerations": [{"operator": "Exists"}],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(way, image, *address) for way, address in ways.items()],
        },
    }


def _container(name: str, image: str, host: str, port: int) -> Mapping[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "16Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "readinessProbe": {
            "tcpSocket": {"host": host, "port": port},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 1,
        },
    }
