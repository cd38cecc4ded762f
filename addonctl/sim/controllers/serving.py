"""What follows from pods: the endpoints of Services, and how much disruption a budget still allows."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from addonctl.sim.controllers.queue import InNamespace, Queue, controller_of, reference_to
from addonctl.sim.controllers.replicas import MANAGER
from addonctl.sim.documents import Document
from addonctl.sim.kinds import Key
from addonctl.sim.selectors import selects
from addonctl.sim.store import BUDGET, POD, Change, Name, Store, Stored, is_ready

SERVICE: Key = ("", "Service")
SLICE: Key = ("discovery.k8s.io", "EndpointSlice")
# The controller gathers changes, and every kube-proxy follows: one to three seconds until traffic is led otherwise.
_PROPAGATION_S = (0.5, 2.0)
_COUNTING_S = (0.02, 0.2)
# How long a pod whose eviction was allowed counts as disrupted though nobody has ended it.
_DISRUPTED_S = 120


class Endpoints:
    """One EndpointSlice a Service, with the pods that it selects; some time after they changed."""

    def __init__(self, store: Store, pods: InNamespace) -> None:
        self._store, self._pods, self._services = store, pods, InNamespace(store, SERVICE)
        self._queue = Queue(store.world, self._reconcile, _PROPAGATION_S)
        store.listen(SERVICE, lambda change: self._queue.add(change.stored.name))
        store.listen(POD, self._pod_changed)

    def _pod_changed(self, change: Change) -> None:
        pod = change.stored
        if not change.counts:
            return
        for service in self._services.of(pod.name[0]):
            if _takes(service, pod):
                self._queue.add(service.name)

    def _reconcile(self, name: Name) -> None:
        service = self._store.get(SERVICE, *name)
        if service is None or not service.spec.get("selector"):
            return
        pods = [pod for pod in self._pods.of(name[0]) if _takes(service, pod) and pod.status.get("podIP")]
        endpoints = [_endpoint(pod) for pod in pods if pod.status.get("phase") == "Running"]
        slice_name = f"{name[1]}-{service.uid[:5]}"
        found = self._store.get(SLICE, name[0], slice_name)
        if found is None:
            self._store.create(_slice(service, slice_name, endpoints), MANAGER, complete=True)
        elif found.document["endpoints"] != endpoints:
            self._store.update(found, {**found.document, "endpoints": endpoints})


def _takes(service: Stored, pod: Stored) -> bool:
    labels = pod.labels
    selector: Mapping[str, str] = service.spec.get("selector") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _endpoint(pod: Stored) -> Document:
    ready = is_ready(pod)
    conditions = {"ready": ready and not pod.is_ending, "serving": ready, "terminating": pod.is_ending}
    target = {"kind": "Pod", "name": pod.metadata["name"], "namespace": pod.name[0], "uid": pod.uid}
    return {
        "addresses": [pod.status["podIP"]],
        "conditions": conditions,
        "nodeName": pod.spec["nodeName"],
        "targetRef": target,
    }


def _slice(service: Stored, name: str, endpoints: list[Document]) -> Document:
    ports = [
        {"name": one.get("name", ""), "port": one.get("targetPort"), "protocol": one.get("protocol", "TCP")}
        for one in service.spec.get("ports") or ()
    ]
    metadata = {
        "name": name,
        "namespace": service.name[0],
        "labels": {"kubernetes.io/service-name": service.metadata["name"]},
        "ownerReferences": [reference_to(service)],
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }


class Budgets:
    """The status of PodDisruptionBudgets."""

    def __init__(self, store: Store, pods: InNamespace) -> None:
        self._store, self._world, self._pods = store, store.world, pods
        self._budgets = InNamespace(store, BUDGET)
        self._queue = Queue(store.world, self._reconcile, _COUNTING_S)
        store.listen(BUDGET, self._budget_changed)
        store.listen(POD, self._pod_changed)

    def _budget_changed(self, change: Change) -> None:
        if change.after is not None:
            self._queue.add(change.after.name)

    def _pod_changed(self, change: Change) -> None:
        pod = change.stored
        if not change.counts:
            return
        for budget in self._budgets.of(pod.name[0]):
            if selects(budget.spec.get("selector"), pod.labels):
                self._queue.add(budget.name)

    def _reconcile(self, name: Name) -> None:
        budget = self._store.get(BUDGET, *name)
        if budget is None:
            return
        pods = [pod for pod in self._pods.of(name[0]) if selects(budget.spec.get("selector"), pod.labels)]
        disrupted = self._still_disrupted(budget, pods)
        healthy = sum(
            1 for pod in pods if is_ready(pod) and not pod.is_ending and pod.metadata["name"] not in disrupted
        )
        expected, wanted = self._expected(budget, pods)
        status: Document = {
            "observedGeneration": budget.metadata["generation"],
            "currentHealthy": healthy,
            "desiredHealthy": wanted,
            "expectedPods": expected,
            "disruptionsAllowed": max(healthy - wanted, 0),
        }
        if disrupted:
            status["disruptedPods"] = disrupted
            self._queue.add_after(name, _DISRUPTED_S)
        self._store.set_status(budget, status, MANAGER)

    def _still_disrupted(self, budget: Stored, pods: Iterable[Stored]) -> dict[str, str]:
        """Pods whose eviction was allowed and which the API server has not ended yet."""
        there = {pod.metadata["name"] for pod in pods if not pod.is_ending}
        limit = self._world.now - timedelta(seconds=_DISRUPTED_S)
        return {
            name: when
            for name, when in (budget.status.get("disruptedPods") or {}).items()
            if name in there and datetime.fromisoformat(when) > limit
        }

    def _expected(self, budget: Stored, pods: list[Stored]) -> tuple[int, int]:
        """How many pods there should be, and how many of them healthy."""
        least, most = budget.spec.get("minAvailable"), budget.spec.get("maxUnavailable")
        if isinstance(least, int):
            return len(pods), least
        expected = self._scale(pods)
        if least is not None:
            return expected, math.ceil(int(least[:-1]) * expected / 100)
        most = most if isinstance(most, int) else math.ceil(int((most or "0%")[:-1]) * expected / 100)
        return expected, max(expected - most, 0)

    def _scale(self, pods: Iterable[Stored]) -> int:
        """The replicas that the controllers of these pods want."""
        owners: dict[tuple[str, str], Stored | None] = {}
        for pod in pods:
            owner: Stored | None = pod
            while owner is not None and (reference := controller_of(owner)) is not None:
                key = ("apps", str(reference["kind"]))
                owner = self._store.get(key, pod.name[0], reference["name"])
            if owner is not None:
                owners[owner.served.kind, owner.metadata["name"]] = owner
        return sum(owner.spec.get("replicas", 1) for owner in owners.values() if owner is not None)
