"""Takes a pod out of its Services while it still serves, so that nothing is on its way to it when it ends.

A pod that is deleted stays an endpoint that serves until it is gone, and what a node's connection tracking leads to it
is lost with it: UDP flows above all. One that is not Ready leaves at once, and its flows are cleared. So its Ready
condition is set False, its containers untouched. The kubelet sets it True again within ten seconds: what dies in the
middle of this leaves nothing to be undone. Called by rollouts.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from addonctl.errors import Conflict, Invalid, NotFound
from addonctl.model import ObjectRef, live
from addonctl.ports import Clock, ObjectReader, ObjectWriter

REASON = "LeavesItsServices"
_SLICE = live.Kind("discovery.k8s.io", "EndpointSlice")
_SERVICE_NAME = "kubernetes.io/service-name"
# So long the controllers take to write EndpointSlices, at most; then so long the proxies of all nodes to follow them,
# and requests in flight to be answered.
_TOLD_S, _FOLLOWED_S = 5.0, 2.0
_LOOK_S = 0.25
# Just after the kubelet has set it back there are ten seconds: at the second try at the latest it holds.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Leaving:
    reader: ObjectReader
    writer: ObjectWriter
    clock: Clock

    def leave(self, pod: ObjectRef) -> bool:
        """Whether a pod has left the Services that it served; where it served none there is nothing to do."""
        return not self._serves(pod) or self.left(pod)

    def left(self, *pods: ObjectRef) -> bool:
        """Whether nothing leads to pods any more, whether they served a Service or not."""
        return any(self._left(pods) for _ in range(_TRIES))

    def _left(self, pods: Sequence[ObjectRef]) -> bool:
        """Sets pods not Ready, and waits until nothing leads to them; whether that has lasted."""
        for pod in pods:
            self._mark(pod)
        for _ in range(round(_TOLD_S / _LOOK_S)):
            if not any(map(self._serves, pods)):
                break
            self.clock.sleep(_LOOK_S)
        self.clock.sleep(_FOLLOWED_S)
        return not any(map(self._is_ready, pods))

    def _mark(self, pod: ObjectRef) -> None:
        """Sets the pod not Ready, if it is; where its conditions move at the same moment the next try finds them."""
        with suppress(NotFound, Conflict, Invalid):
            found = self.reader.get(pod).document
            if is_ready(found):
                body = list(self._unready(found["status"]["conditions"]))
                self.writer.patch(pod, body, form=live.PatchForm.JSON, subresource="status")

    def _is_ready(self, pod: ObjectRef) -> bool:
        try:
            return is_ready(self.reader.get(pod).document)
        except NotFound:
            return False

    def _unready(self, conditions: Sequence[Mapping[str, str]]) -> Iterator[dict[str, str]]:
        path = f"/status/conditions/{[each['type'] for each in conditions].index('Ready')}"
        now = self.clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield {"op": "test", "path": f"{path}/type", "value": "Ready"}
        yield {"op": "replace", "path": f"{path}/status", "value": "False"}
        yield {"op": "add", "path": f"{path}/reason", "value": REASON}
        yield {"op": "add", "path": f"{path}/message", "value": "it ends, and takes no new requests before"}
        yield {"op": "add", "path": f"{path}/lastTransitionTime", "value": now}

    def _serves(self, pod: ObjectRef) -> bool:
        """Whether a Service leads requests to it."""
        for found in self.reader.list(_SLICE, pod.namespace, _SERVICE_NAME):
            for endpoint in found.document.get("endpoints") or ():
                conditions = endpoint.get("conditions") or {}
                if (endpoint.get("targetRef") or {}).get("name") == pod.name and conditions.get("serving") is not False:
                    return True
        return False


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
