"""SLIs of what add-ons answer behind the API server, one request at a time: `metrics`, `admission`; resources.py.

Only what the add-on did counts: what the API server refuses, or does not answer at all, is left out. When a request
failed in a way that may be either's doing, the API server is asked whether it is ready.
"""

import json
import threading
import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.probes import METRICS_OLD, admission_health, age
from addonctl.adapters.signals.tally import Tally
from addonctl.adapters.signals.targets import Targets
from addonctl.adapters.signals.webhooks import Review, StepWebhooks
from addonctl.errors import AddonctlError, Forbidden, NotFound, NotServed, TimedOut, Unavailable
from addonctl.model import Health

_METRICS_GROUP = "metrics.k8s.io"
# What is to be asked hardly ever changes; where there is nothing to ask, it is looked for as often.
_FIND_S, _FIND_AGAIN_S = 60.0, 5.0
# A request that broke off before its time is up was not late: the connection was lost.
_LATE = 0.9
# More of them than a cluster's nodes are asked for once in so many requests each.
_NODES = 50


class Polling(threading.Thread):
    """Counts requests of one SLI until it has `ended`."""

    find_s = _FIND_S

    def __init__(
        self, sli: str, connection: Connection, tally: Tally, rate: float, ended: threading.Event, targets: Targets
    ) -> None:
        super().__init__(name=f"addonctl-signals-{sli}", daemon=True)
        self._sli, self.connection, self._tally, self._interval_s, self._ended = sli, connection, tally, 1 / rate, ended
        self.targets = targets
        self._found_at, self._found = 0.0, False

    def run(self) -> None:
        next = time.monotonic()
        while not self._ended.wait(max(next - time.monotonic(), 0)):
            began = time.monotonic()
            good = self._asked(began)
            if good is not None:
                self._tally.count(self._sli, "", good)
            next = max(next + self._interval_s, began) if self._found else began + _FIND_AGAIN_S

    def _asked(self, began: float) -> bool | None:
        """Whether one request was answered as it should be; None: nobody can tell."""
        try:
            if not self._found or began - self._found_at >= self.find_s:
                self._found_at = began
                self._found = self.find() or self._found
        except AddonctlError:
            pass  # what was found before is still asked
        if not self._found:
            return None
        began = time.monotonic()
        try:
            return self.ask()
        except AddonctlError as error:
            return self.judged(error, time.monotonic() - began)

    def judged(self, error: AddonctlError, lasted_s: float) -> bool | None:
        """Whether a request that raised is one that was answered as it should be; None: nobody can tell."""
        if isinstance(error, TimedOut):
            if lasted_s < _LATE * self.connection.timeouts.read_s:
                return None
            health = Health.DEGRADED
        else:
            health = self.health(error)
        if health is Health.HEALTHY:
            return True
        return False if health is Health.DEGRADED and self._is_api_ready() else None

    def _is_api_ready(self) -> bool:
        try:
            self.connection.get("/readyz")
        except Forbidden:
            return True  # it knows who asks, and what for
        except AddonctlError:
            return False
        return True

    @abstractmethod
    def find(self) -> bool:
        """Looks for what to ask; whether there is any. Raises the errors of ApiConnection, as do the others."""

    @abstractmethod
    def ask(self) -> bool:
        """One request; whether its answer is right."""

    @abstractmethod
    def health(self, error: AddonctlError) -> Health:
        """What an error says of the add-on, if the API server is ready."""


class MetricsPolling(Polling):
    """Reads the metrics of one node after the other: they are fresh, or at least those of some node are."""

    _root = ""
    _nodes: tuple[str, ...] = ()
    _turn = 0

    def find(self) -> bool:
        group = json.loads(self.connection.get(f"/apis/{_METRICS_GROUP}"))
        version = (group.get("preferredVersion") or {}).get("version", "")
        self._root = f"/apis/{_METRICS_GROUP}/{version}/nodes"
        return bool(version)

    def ask(self) -> bool:
        self._turn += 1
        if self._nodes:
            node = self._nodes[self._turn % len(self._nodes)]
            if self._fresh({"fieldSelector": f"metadata.name={node}"}):
                return True
        self._nodes = tuple(self._fresh({})[:_NODES])  # that node is gone or silent: what of the others?
        return bool(self._nodes)

    def _fresh(self, query: dict[str, str]) -> list[str]:
        try:
            items = json.loads(self.connection.get(self._root, query)).get("items") or ()
            return [item["metadata"]["name"] for item in items if age(item) < METRICS_OLD]
        except (ValueError, TypeError, KeyError, AttributeError):
            return []  # not what it should be

    def health(self, error: AddonctlError) -> Health:
        return Health.DEGRADED if isinstance(error, Unavailable | NotServed | NotFound) else Health.UNKNOWN


class AdmissionPolling(Polling):
    """Dry runs of what webhooks of the step must judge, in turn. See webhooks.py.

    A webhook that denies what it has admitted fails those who ask, for all that can be told from here.
    """

    _reviews: Sequence[Review] = ()
    _turn = 0

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._admitted: set[str] = set()

    def find(self) -> bool:
        self._reviews = StepWebhooks(self.targets).reviews() or self._reviews
        return bool(self._reviews)

    @property
    def _now(self) -> Review:
        return self._reviews[self._turn % len(self._reviews)]

    def ask(self) -> bool:
        self._turn += 1
        self.connection.dry_run(self._now.path, json.dumps(self._now.document).encode())
        self._admitted.add(self._now.webhook)
        return True

    def health(self, error: AddonctlError) -> Health:
        if self._now.webhook in self._admitted and f'"{self._now.webhook}" denied the request' in error.what:
            return Health.DEGRADED
        return admission_health(error, self._now.webhook)
