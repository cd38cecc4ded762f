"""The SLI `service-network`: whether the pods of node_probes.py reach a Service from their nodes, once a second each.

It counts for the instance of the add-on on the same node, while that is ready: what is not, is counted as such. Where
the API server does not answer directly either, it is no matter of Services; and a pod that has never got through tells
nothing of a change.
"""

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from addonctl import node_probes
from addonctl.adapters.signals.tally import Tally
from addonctl.adapters.signals.targets import Targets
from addonctl.errors import AddonctlError
from addonctl.instances import PODS, is_ending
from addonctl.leases import NAMESPACE
from addonctl.leaving import is_ready
from addonctl.model import SERVICE_NETWORK, live

_INTERVAL_S = 1.0  # that of the kubelets' probes: reading them more often would count the same answer twice


class NodeProbing(threading.Thread):
    """Counts until it has `ended`."""

    def __init__(self, targets: Targets, tally: Tally, ended: threading.Event) -> None:
        super().__init__(name="addonctl-signals-nodes", daemon=True)
        self._targets, self._tally, self._ended = targets, tally, ended
        self._got_through: set[str] = set()

    def run(self) -> None:
        while not self._ended.wait(_INTERVAL_S):
            with suppress(AddonctlError):  # what cannot be read is not counted
                self._count()

    def _count(self) -> None:
        instances = self._instances()
        for probe in self._targets.objects.list(PODS, NAMESPACE, node_probes.selector(self._targets.step)):
            ready = _ready_containers(probe.document)
            good = node_probes.BY_SERVICE in ready
            if good:
                self._got_through.add(probe.uid)
            instance = instances.get(_node(probe), "")
            if instance and probe.uid in self._got_through and node_probes.DIRECTLY in ready:
                self._tally.count(SERVICE_NETWORK, instance, good)

    def _instances(self) -> dict[str, str]:
        """Node → uid of the ready instance there."""
        found = self._targets.instances()
        return {_node(pod): pod.uid for pod in found if is_ready(pod.document) and not is_ending(pod.document)}


def _ready_containers(pod: Mapping[str, Any]) -> set[str]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return {each["name"] for each in statuses if each.get("ready")}


def _node(pod: live.Object) -> str:
    return str(pod.document["spec"].get("nodeName", ""))
