"""Pods that look at the networks of Services and of pods from their nodes, on a real API server.

The kubelets' part is played here.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from addonctl import leases, node_probes
from addonctl.adapters.api_connection import Connection, connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.signals import ProbeSignals, nodes
from addonctl.instances import PODS
from addonctl.model import POD_NETWORK, SERVICE_NETWORK, Counts, ObjectRef
from addonctl.model.plan import Step
from tests import builders
from tests.contracts.conftest import Api

STEP = builders.step(SERVICE_NETWORK, of="DaemonSet/kube-system/it")
NODES = ("node-a", "node-b", "no-image", "gone")
_LABELS = {"app": "it"}
_SERVICE = "10.0.0.1"
_PAUSE = "registry.example/eks/pause:3.10"


def objects_of_the_cluster() -> Iterator[dict[str, Any]]:
    yield {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": leases.of(STEP.installation).name, "namespace": leases.NAMESPACE},
    }
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "kube-system"}}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "spec": {"clusterIP": _SERVICE, "ports": [{"name": "https", "port": 443}]},
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"]}],
        "ports": [{"name": "https", "port": 6443}],
    }
    spec: dict[str, Any] = {"containers": [{"name": "it", "image": "it"}], "terminationGracePeriodSeconds": 0}
    yield {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "it", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": spec},
        },
    }
    for node in NODES[:-1]:
        yield {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
    for node in NODES[:2]:
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"it-{node}", "namespace": "kube-system", "labels": _LABELS},
            "spec": {**spec, "nodeName": node},
        }


@pytest.fixture
def objects(api: Api) -> Iterator[ApiObjects]:
    objects = api.objects()
    made = [objects.apply(document) for document in objects_of_the_cluster()]
    for node in NODES[:2]:
        images = [
            {"names": ["registry.example/pause-it:1"]},
            {"names": [_PAUSE, "registry.example/eks/pause@sha256:0"]},
        ]
        objects.patch(ObjectRef(kind="Node", name=node), {"status": {"images": images}}, subresource="status")
        said(objects, f"it-{node}", "it")
    yield objects
    for each in made:
        objects.delete(each.ref)


def said(objects: ApiObjects, pod: str, *ready: str) -> None:
    """What the kubelet says of a pod: which of its containers are ready."""
    ref = ObjectRef.of("Pod", pod, "kube-system")
    containers = [each["name"] for each in objects.get(ref).document["spec"]["containers"]]
    statuses = [
        {"name": name, "ready": name in ready, "restartCount": 0, "image": "", "imageID": ""} for name in containers
    ]
    conditions = [{"type": "Ready", "status": str(set(containers) <= set(ready))}]
    objects.patch(ref, {"status": {"containerStatuses": statuses, "conditions": conditions}}, subresource="status")


def nodes_with_one(objects: ApiObjects) -> list[str]:
    return sorted(each.document["spec"]["nodeName"] for each in objects.list(PODS, "kube-system", node_probes.SLI))


def test_they_run_where_their_image_is_and_belong_to_the_lease(objects: ApiObjects) -> None:
    for _ in range(2):
        node_probes.place(objects, objects, STEP, NODES)
        assert nodes_with_one(objects) == ["node-a", "node-b"]
    pod = next(iter(node_probes.placed(objects, STEP)))
    assert pod.metadata["ownerReferences"][0]["uid"] == objects.get(leases.of(STEP.installation)).uid
    probed = {each["name"]: each["readinessProbe"]["tcpSocket"] for each in pod.document["spec"]["containers"]}
    assert probed == {
        node_probes.BY_SERVICE: {"host": _SERVICE, "port": 443},
        node_probes.DIRECTLY: {"host": "192.0.2.1", "port": 6443},
    }
    assert {each["image"] for each in pod.document["spec"]["containers"]} == {_PAUSE}
    node_probes.remove(objects, objects, STEP)
    assert nodes_with_one(objects) == []


def test_what_they_say_counts_for_the_instance_on_their_node(api: Api, objects: ApiObjects) -> None:
    node_probes.place(objects, objects, STEP, NODES)
    lease = leases.of(STEP.installation).name
    a, b = (f"{lease}-{SERVICE_NETWORK}-{node}" for node in NODES[:2])
    both = node_probes.BY_SERVICE, node_probes.DIRECTLY
    said(objects, a, *both)
    said(objects, b, node_probes.DIRECTLY)  # it never got through
    signals = ProbeSignals(connect(None, str(api.kubeconfig)))
    uid = objects.get(ObjectRef.of("Pod", "it-node-a", "kube-system")).uid
    try:
        assert told(signals, STEP, 2) == {uid: Counts(2, 0)}
        said(objects, b, *both)
        said(objects, a, node_probes.DIRECTLY)
        found = told(signals, STEP, 6)
        assert found.pop(uid).failed >= 2
        assert [each.failed for each in found.values()] == [0]
        said(objects, a)  # the API server does not answer on another way either
        said(objects, "it-node-b")  # not ready: that is counted elsewhere
        time.sleep(1.5)  # what was read before is counted
        since = datetime.now(UTC)
        time.sleep(2.5)
        assert signals.counted(STEP, since) == ()
    finally:
        signals.close()
        node_probes.remove(objects, objects, STEP)


def test_a_second_costs_no_request(api: Api, objects: ApiObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large cluster a list of all instances would be a load; what changes is seen within a second all the same."""
    asked: list[str] = []
    answer = Connection._answer

    def counted(connection: Connection, method: str, path: str, *rest: Any) -> Any:
        asked.append(path)
        return answer(connection, method, path, *rest)

    node_probes.place(objects, objects, STEP, NODES)
    probe = f"{leases.of(STEP.installation).name}-{SERVICE_NETWORK}-node-a"
    said(objects, probe, node_probes.BY_SERVICE, node_probes.DIRECTLY)
    signals = ProbeSignals(connect(None, str(api.kubeconfig)))
    try:
        told(signals, STEP, 1)
        monkeypatch.setattr(Connection, "_answer", counted)
        told(signals, STEP, 14)
        assert len(asked) <= 4, "each of two watches is opened again after twelve seconds"
        said(objects, probe, node_probes.DIRECTLY)
        time.sleep(1.5)
        began = time.monotonic()
        assert sum(each.failed for each in told(signals, STEP, 2).values()) == 2
        assert time.monotonic() - began < 4
    finally:
        signals.close()
        node_probes.remove(objects, objects, STEP)


def test_a_pod_that_gets_no_address_counts_where_one_got_one_before(
    api: Api, objects: ApiObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of before the first wave gives way to the one of the wave."""
    monkeypatch.setattr(nodes, "_ADDRESS_S", 2.0)
    step = builders.step(POD_NETWORK, of="DaemonSet/kube-system/it")
    node_probes.place(objects, objects, step, NODES)
    lease = leases.of(step.installation).name
    said(objects, f"{lease}-{POD_NETWORK}-node-a", "waits")
    signals = ProbeSignals(connect(None, str(api.kubeconfig)))
    uid = objects.get(ObjectRef.of("Pod", "it-node-a", "kube-system")).uid
    try:
        assert told(signals, step, 2) == {uid: Counts(2, 0)}, "of node-b nothing is known"
        for _ in range(2):
            node_probes.place(objects, objects, step, NODES[:1], 0)
            placed = {pod.ref.name for pod in node_probes.placed(objects, step)}
            assert placed == {f"{lease}-{POD_NETWORK}-0-node-a", f"{lease}-{POD_NETWORK}-node-b"}
        time.sleep(1.5)  # what was read before is counted
        began = time.monotonic()
        assert told(signals, step, 2)[uid].failed == 2
        assert time.monotonic() - began > 1.5, "it is given time"
    finally:
        signals.close()
        node_probes.remove(objects, objects, step)


def told(signals: ProbeSignals, step: Step, requests: int) -> dict[str, Counts]:
    """By instance, once so many connections in all were counted from now on."""
    since, until = datetime.now(UTC), time.monotonic() + 20
    found: dict[str, Counts] = {}
    while sum(each.requests for each in found.values()) < requests:
        assert time.monotonic() < until, found
        time.sleep(0.1)
        found = {each.pod: each.counts for each in signals.counted(step, since)}
    return found
