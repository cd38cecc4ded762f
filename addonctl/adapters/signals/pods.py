"""Pods behind a Service that are asked one by one: which of them serve, and whose fault it is when one does not answer.

Each is asked by a thread of its own. A wrong answer counts as failed; none in time does, if a list of the Service's
endpoints that was read afterwards still has the pod as one that serves: one that has just ended is not asked by
anybody but us.
"""

import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.signals.tally import Tally
from addonctl.adapters.signals.targets import Pod, Served, Targets
from addonctl.errors import AddonctlError

# A pod that ends is no longer listed as one that serves so long after it should have answered.
_SETTLED_S = 1.0
# Endpoints are read so often; when it has to be known whether one still serves, at once, but not more often than this.
_READ_S, _READ_AT_MOST_S = 3.0, 0.5
# Services and what belongs to them hardly ever change.
_FIND_S = 60.0
# If what is asked may have changed, which would explain a failure, it is looked for as often.
_FIND_SOON_S = 5.0
# Threads that ask pods: one each, the first known and the last known ones.
_PODS = 16
# Between connections to one pod, when one failed.
_AGAIN_S = 0.5
# So soon a thread sees that it is to end.
SHORTLY_S = 0.2
# So long those that ask may take to end: no longer than the connection waits for an answer.
_ENDED_S = 1.7
_DOUBTS = 1000


class View(NamedTuple):
    """The pods that served when the reading began, at this time of the monotonic clock."""

    read_at: float
    pods: Mapping[str, Pod]


class PodProbing(threading.Thread):
    """Knows which pods serve, and has one thread ask each, until it has `ended`."""

    def __init__(
        self,
        sli: str,
        targets: Targets,
        connection: Connection,
        tally: Tally,
        rate: float,
        ended: threading.Event,
    ) -> None:
        super().__init__(name=f"addonctl-signals-{sli}-pods", daemon=True)
        self.sli, self.targets, self.connection, self.tally, self.ended = sli, targets, connection, tally, ended
        self.view = View(0.0, {})
        self._rate = rate
        self._service: Served | None = None
        self.found_at, self.suspects, self._due = 0.0, False, 0.0
        self._known: list[str] = []  # pods, as they appeared
        self.first: frozenset[str] = frozenset()  # those of the beginning
        self._askers: dict[str, Asker] = {}

    def interval_s(self, uid: str) -> float:
        """Between two requests to one of those asked. Pods that came later get half of all, to be judged soon."""
        later = [each for each in list(self._askers) if each and each not in self.first]
        before = len(self._askers) - len(later)
        if not later or not before:
            return len(self._askers) / self._rate
        return 2 * (len(later) if uid in later else before) / self._rate

    def run(self) -> None:
        while not self.ended.wait(min(max(self._due - time.monotonic(), 0), SHORTLY_S)):
            began = time.monotonic()
            if began < self._due:
                continue
            self._due = began + _READ_S
            try:
                self._look(began)
            except (AddonctlError, OSError):
                continue  # those that are known are asked on; what they do not answer is judged by the next look
        until = time.monotonic() + _ENDED_S
        for asker in self._askers.values():
            asker.join(max(until - time.monotonic(), 0))

    @property
    def known_at(self) -> float:
        """All that decides whether silence is a failure was read after this."""
        return self.view.read_at

    def read_by(self, moment: float) -> None:
        """Asks for a view that is read after `moment`."""
        self._due = min(self._due, max(moment, self.view.read_at + _READ_AT_MOST_S))

    def ask(self, uid: str, asker: "Asker") -> None:
        """Has somebody asked from now on, by pod, or without one the Service."""
        self._askers[uid] = asker
        asker.start()

    def asks(self, uid: str) -> bool:
        return uid in self._askers

    def _look(self, began: float) -> None:
        if self._service is None or began - self.found_at >= (_FIND_SOON_S if self.suspects else _FIND_S):
            self.suspects = False
            self._service = self.find() or self._service
            self.found_at = began
        if self._service is not None:
            self.view = View(began, self.targets.pods(self._service))
            self._ask_pods(self.view.pods)

    def _ask_pods(self, pods: Mapping[str, Pod]) -> None:
        """A thread for each that is to be asked, and none for others."""
        self.first = self.first or frozenset(pods)
        self._known = [*(uid for uid in self._known if uid in pods), *(uid for uid in pods if uid not in self._known)]
        some = len(self._known) > _PODS
        chosen = self._known[: _PODS // 2] + self._known[-_PODS // 2 :] if some else self._known
        for uid in [uid for uid in self._askers if uid and uid not in chosen]:
            self._askers.pop(uid).left.set()
        for uid in (uid for uid in chosen if uid not in self._askers):
            self.ask(uid, self.asker(pods[uid]))

    @abstractmethod
    def find(self) -> Served | None:
        """The Service whose pods are to be asked. Raises the errors of ApiConnection."""

    @abstractmethod
    def asker(self, pod: Pod) -> "Asker":
        """Who asks this pod."""


class Asker(threading.Thread):
    """Asks one pod, or without a `uid` the Service, over one connection after the other, until it has left."""

    timeout_s = 1.0

    def __init__(self, probing: PodProbing, uid: str) -> None:
        super().__init__(name=f"addonctl-signals-{probing.sli}-{uid}", daemon=True)
        self.left = threading.Event()
        self.pending: dict[int, float] = {}  # by id, when it was asked
        self.answered = False  # or given up, on this connection
        self._probing, self._uid, self._next = probing, uid, time.monotonic()
        self.doubts: deque[float] = deque(maxlen=_DOUBTS)  # when it was asked what nobody answered

    def run(self) -> None:
        while not self.over:
            self._converse()
            self.settle()

    @property
    def over(self) -> bool:
        return self.left.is_set() or self._probing.ended.is_set()

    def _converse(self) -> None:
        """Asks over one connection until it ends.

        A server may close a connection that it has answered on; one that is closed before any answer was refused. What
        happens before there is a connection to the pod is not of its doing.
        """
        began, self.answered = 0.0, False
        try:
            with self.opened() as line:
                began = time.monotonic()
                while not self.over and self.goes_on(line):
                    self.settle()
        except (AddonctlError, OSError):
            if began and not self.answered:
                self.doubt(self.pending.values() or [began])
            self._probing.ended.wait(_AGAIN_S)
        self.pending.clear()

    @abstractmethod
    def opened(self) -> AbstractContextManager[Any]:
        """A new connection. Raises the errors of ApiConnection."""

    @abstractmethod
    def goes_on(self, line: Any) -> bool:
        """Asks what is due and hears what has arrived, for a fraction of a second; False at the connection's end."""

    def due_s(self, now: float) -> float:
        """So long until the next request."""
        return max(self._next - now, 0.0)

    def asked(self, now: float) -> None:
        """One was made: the next is due at the usual pace, and none to make up for lost time."""
        self._next = max(self._next + self._probing.interval_s(self._uid), now)

    def doubt(self, asked: Iterable[float]) -> None:
        """What was not answered has failed if the pod serves: that is known later. For the Service it is known now."""
        for moment in asked:
            if self._uid:
                self.doubts.append(moment)
            else:
                self.count(False)

    def settle(self) -> None:
        """Counts as failed what by now is known to have."""
        known_at, pods = self._probing.known_at, self._probing.view.pods
        settled_s = self.timeout_s + _SETTLED_S
        while self.doubts and known_at >= self.doubts[0] + settled_s:
            self.doubts.popleft()
            if self._uid in pods and not pods[self._uid].ending:
                self.count(False)
        if self.doubts:
            self._probing.read_by(self.doubts[0] + settled_s)

    def count(self, good: bool) -> None:
        self._probing.tally.count(self._probing.sli, self._uid, good)
