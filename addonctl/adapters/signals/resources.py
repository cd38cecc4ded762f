"""The SLI `resources`: custom resources of the step, as they are listed, at each version that is served.

A resource that is stored in another version is converted when it is read, mostly by a webhook of the add-on; where that
fails nobody can read any, and what garbage collection and controllers keep up stands still. One is listed at a time, so
that little is converted.
"""

import json
from collections.abc import Iterator, Sequence

from addonctl.adapters.signals.polling import Polling
from addonctl.errors import AddonctlError, NotFound, NotServed, TimedOut
from addonctl.model import Health

CRD = "CustomResourceDefinition"
# What the API server says of an object that it could not have converted.
_CONVERSION = "conversion webhook"


class ResourcePolling(Polling):
    """Lists one object of each kind at each version of its group, in turn: all kinds, or those that may be converted.

    What fails is asked on until it is right: among many kinds one must show.
    """

    find_s = 10.0  # the update itself may bring a version in
    _paths: Sequence[str] = ()
    _converted = False
    _turn = 0

    def find(self) -> bool:
        served = list(self._served())
        converted = [paths for paths in served if len(paths) > 1]
        self._converted = bool(converted)
        self._paths = [path for paths in converted or served for path in paths] or self._paths
        return bool(self._paths)

    def _served(self) -> Iterator[list[str]]:
        """The paths of each kind, one for each version of its group; it may not have all of them."""
        names = [ref.name for ref in self.targets.step.objects if ref.kind == CRD]
        by_group: dict[str, list[str]] = {}
        for name in names:
            plural, _, group = name.partition(".")
            by_group.setdefault(group, []).append(plural)
        for group, plurals in by_group.items():
            root = f"/apis/{group}"
            try:
                versions = json.loads(self.connection.get(root)).get("versions") or ()
            except (NotServed, NotFound):
                continue  # a CRD that is gone was the last of its group
            for plural in plurals:
                yield [f"{root}/{each['version']}/{plural}" for each in versions]

    def ask(self) -> bool:
        self.connection.get(self._paths[self._turn % len(self._paths)], {"limit": "1"})
        self._turn += 1
        return True

    def judged(self, error: AddonctlError, lasted_s: float) -> bool | None:
        """Where nothing is converted, being late is the API server's doing."""
        late = isinstance(error, TimedOut) and not self._converted
        good = None if late else super().judged(error, lasted_s)
        self._turn += good is not False
        return good

    def health(self, error: AddonctlError) -> Health:
        return Health.DEGRADED if _CONVERSION in error.what else Health.UNKNOWN
