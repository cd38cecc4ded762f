"""Reads in the logs of a step's pods what the API server refuses to them: of the oldest and the newest ones, bounded.

Whoever is refused at its start may never say so again, so a log is read from its beginning, and where it is long its
last lines as well. Nothing of it is kept but what was refused. See refusals.py; called by assessor.py.
"""

from collections.abc import Iterator
from urllib.parse import quote

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.signals.targets import Targets
from addonctl.errors import AddonctlError
from addonctl.model import Guard, ObjectRef, live
from addonctl.model.plan import Step
from addonctl.refusals import lasting

# Replicas say the same; who leads says more, and may be any.
_PODS = 4
_HEAD_BYTES, _TAIL_LINES, _TAIL_BYTES = 262_144, "500", 65_536


class RefusalReader:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._heads: dict[tuple[str, str], tuple[Guard, ...]] = {}  # (uid, container) of long logs

    def refused(self, step: Step) -> tuple[Guard, ...]:
        """Raises the errors of ApiConnection where pods cannot be listed; a log that cannot be read tells nothing."""
        pods = sorted(Targets(ApiObjects(self._connection), step).instances(), key=_created)
        chosen = pods if len(pods) <= 2 * _PODS else pods[:_PODS] + pods[-_PODS:]
        return tuple(dict.fromkeys(guard for pod in chosen for guard in self._of(pod)))

    def _of(self, pod: live.Object) -> Iterator[Guard]:
        spec = pod.document["spec"]
        account = ObjectRef.of("ServiceAccount", spec.get("serviceAccountName", "default"), pod.ref.namespace)
        for container in spec["containers"]:
            key = (pod.uid, container["name"])
            if key not in self._heads:
                head = self._log(pod.ref, container["name"], limitBytes=str(_HEAD_BYTES))
                yield from (found := tuple(lasting(head, account)))
                if len(head.encode()) < _HEAD_BYTES:
                    continue
                self._heads[key] = found
            yield from self._heads[key]
            more = {"tailLines": _TAIL_LINES, "limitBytes": str(_TAIL_BYTES)}
            yield from lasting(self._log(pod.ref, container["name"], **more), account)

    def _log(self, pod: ObjectRef, container: str, **query: str) -> str:
        path = f"/api/v1/namespaces/{quote(pod.namespace)}/pods/{quote(pod.name)}/log"
        try:
            body = self._connection.get(path, {"container": container, "timestamps": "true", **query}, accept="*/*")
        except AddonctlError:
            return ""
        return body.decode(errors="replace")


def _created(pod: live.Object) -> str:
    return str(pod.metadata.get("creationTimestamp", ""))
