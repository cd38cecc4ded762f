"""The SLIs `service-network` and `pod-network`: what the pods of node_probes.py say, once a second each.

It counts for the instance of the add-on on the same node, while that is ready: what is not, is counted as such. A node
on which nothing has ever worked tells nothing of a change; nor does, of Services, one from which the API server does
not answer directly either.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from addonctl.adapters.signals.tally import Tally
from addonctl.adapters.signals.targets import Targets
from addonctl.errors import AddonctlError
from addonctl.instances import is_ending
from addonctl.leaving import is_ready
from addonctl.model import POD_NETWORK, live
from addonctl.node_probes import BY_SERVICE, DIRECTLY, SLI, placed

_INTERVAL_S = 1.0  # that of the kubelets' probes: reading them more often would count the same answer twice
# A pod has its address by then: a CNI may keep one that was given back for half a minute before it gives it again.
_ADDRESS_S = 40.0


class NodeProbing(threading.Thread):
    """Counts until it has `ended`."""

    def __init__(self, targets: Targets, tally: Tally, ended: threading.Event) -> None:
        super().__init__(name="addonctl-signals-nodes", daemon=True)
        self._targets, self._tally, self._ended = targets, tally, ended
        self._worked: set[tuple[str, str]] = set()  # (SLI, node)
        self._since: dict[tuple[str, str], float] = {}  # (probe, instance): when both were first seen

    def run(self) -> None:
        while not self._ended.wait(_INTERVAL_S):
            with suppress(AddonctlError):  # what cannot be read is not counted
                self._count()

    def _count(self) -> None:
        instances = self._instances()
        for probe in placed(self._targets.objects, self._targets.step):
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
        found = self._targets.instances()
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
