"""The SLIs `service-network` and `pod-network`: what the pods of node_probes.py say, once a second each.

Kubelets tell the API server what changes, and watches tell it us: a second costs no request, however large the cluster.
It counts for the instance of the add-on on the same node, while that is ready: what is not, is counted as such. A node
on which nothing has ever worked tells nothing of a change; nor does, of Services, one from which the API server does
not answer directly either.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from addonctl.adapters.signals.tally import Tally
from addonctl.adapters.signals.targets import Targets
from addonctl.errors import AddonctlError
from addonctl.instances import PODS, is_ending, selector
from addonctl.leaving import is_ready
from addonctl.model import POD_NETWORK, ObjectRef, live
from addonctl.node_probes import BY_SERVICE, DIRECTLY, SLI, watched
from addonctl.ports import Watch

_INTERVAL_S = 1.0  # that of the kubelets' probes: counting more often would count the same answer twice
# A watch says at least so often that it still tells all; what has not been heard of for longer is not counted.
_HEARD_S = 25.0
_AGAIN_S = 2.0
# A pod has its address by then: a CNI may keep one that was given back for half a minute before it gives it again.
_ADDRESS_S = 40.0


class NodeProbing(threading.Thread):
    """Counts until it has `ended`."""

    def __init__(self, targets: Targets, tally: Tally, ended: threading.Event) -> None:
        super().__init__(name="addonctl-signals-nodes", daemon=True)
        self._targets, self._tally, self._ended = targets, tally, ended
        self._worked: set[tuple[str, str]] = set()  # (SLI, node)
        self._since: dict[tuple[str, str], float] = {}  # (probe, instance): when both were first seen

        targets = self._targets
        self._probes = Watched(lambda: watched(targets.objects, targets.step), ended)
        self._pods = [Watched(self._watch_of(each.ref), ended) for each in targets.step.targets]

    def _watch_of(self, workload: ObjectRef) -> Callable[[], Watch]:
        objects = self._targets.objects
        return lambda: objects.watch(PODS, workload.namespace, selector(objects.get(workload).document))

    def run(self) -> None:
        watches = (self._probes, *self._pods)
        for each in watches:
            each.start()
        while not self._ended.wait(_INTERVAL_S):
            if all(each.is_current for each in watches):
                self._count()
        for each in watches:
            each.close()

    def _count(self) -> None:
        instances = self._instances()
        for probe in self._probes.objects:
            sli, node = probe.metadata["labels"][SLI], _node(probe)
            if node not in instances or is_ending(probe.document):
                continue
            good = self._has_an_address(probe, instances[node]) if sli == POD_NETWORK else _gets_through(probe)
            if good:
                self._worked.add((sli, node))
            if good is not None and (sli, node) in self._worked:
                self._tally.count(sli, instances[node], good)

    def _instances(self) -> dict[str, str]:
        """Node → uid of the ready instance there."""
        found = (pod for each in self._pods for pod in each.objects)
        return {_node(pod): pod.uid for pod in found if is_ready(pod.document) and not is_ending(pod.document)}

    def _has_an_address(self, probe: live.Object, instance: str) -> bool | None:
        """None: it may still come; or the node has refused the pod, as it does when it is full."""
        if is_ready(probe.document):
            return True
        waited_s = time.monotonic() - self._since.setdefault((probe.uid, instance), time.monotonic())
        pending = (probe.document.get("status") or {}).get("phase", "Pending") == "Pending"
        return False if pending and waited_s > _ADDRESS_S else None


def _gets_through(probe: live.Object) -> bool | None:
    ready = _ready_containers(probe.document)
    return BY_SERVICE in ready if DIRECTLY in ready else None


def _ready_containers(pod: Mapping[str, Any]) -> set[str]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return {each["name"] for each in statuses if each.get("ready")}


def _node(pod: live.Object) -> str:
    return str(pod.document["spec"].get("nodeName", ""))


class Watched(threading.Thread):
    """What a watch tells is there, until it has `ended`; one that ends by an error begins anew."""

    def __init__(self, watch: Callable[[], Watch], ended: threading.Event) -> None:
        super().__init__(name="addonctl-signals-watch", daemon=True)
        self._open, self._ended = watch, ended
        self._watch: Watch | None = None
        self._known: dict[ObjectRef, live.Object] = {}
        self._heard_at: float | None = None

    @property
    def objects(self) -> list[live.Object]:
        return list(self._known.values())

    @property
    def is_current(self) -> bool:
        heard_at = self._heard_at
        return heard_at is not None and time.monotonic() - heard_at < _HEARD_S

    def run(self) -> None:
        while not self._ended.is_set():
            with suppress(AddonctlError):  # what cannot be read is not counted
                self._watch = self._open()
                self._known = {}
                for event in self._watch:
                    self._take(event)
            self._ended.wait(_AGAIN_S)

    def _take(self, event: live.WatchEvent) -> None:
        if isinstance(event, live.Deleted):
            self._known.pop(event.object.ref, None)
        elif not isinstance(event, live.Bookmark):
            self._known[event.object.ref] = event.object
        self._heard_at = time.monotonic()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
