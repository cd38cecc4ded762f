"""The SLI `dns`: queries for the API server's name, to each pod of the DNS Service, and to the Service itself.

Pods are asked at their addresses where these can be reached from here, else through the API server, over TCP. Each is
asked at a steady pace whether or not it has answered before. An answer that is wrong counts as failed; none within a
second does, if a list of the Service's endpoints that was read afterwards still has the pod as one that serves: one
that has just ended is not asked by anybody but us. What is asked through the Service is what users see, and counts in
any case.
"""

import os
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import NamedTuple, Protocol

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.probes import dns_answer, dns_query
from addonctl.adapters.signals.tally import Tally
from addonctl.adapters.signals.targets import DnsService, Pod, Targets
from addonctl.errors import AddonctlError

_SLI = "dns"
_PORT = 53
# A resolver in the same cluster answers within milliseconds; after a second it is of no use.
_TIMEOUT_S = 1.0
# A pod that ends is no longer listed as one that serves so long after its last answer.
_SETTLED_S = 1.0
# Endpoints are read so often; when it has to be known whether one still serves, at once, but not more often than this.
_READ_S, _READ_AT_MOST_S = 3.0, 0.5
# A Service, a Corefile hardly ever change.
_FIND_S = 60.0
# Threads that ask: a pod each, the first known and the last known ones; with the Service, one more.
_PODS = 16
# CoreDNS closes a connection after 128 queries (miekg/dns, MaxTCPQueries).
_QUERIES = 100
# Between connections to one pod, when one failed.
_AGAIN_S = 0.5
# So soon a thread sees that it is to end.
_SHORTLY_S = 0.2
# So long those that ask may take to end: no longer than the connection waits for an answer.
_ENDED_S = 1.7
_DOUBTS = 1000
_IDS = 1 << 16


class View(NamedTuple):
    """The pods that served when the reading began, at this time of the monotonic clock."""

    read_at: float
    pods: Mapping[str, Pod]


class DnsProbing(threading.Thread):
    """Knows which pods serve, and has one thread ask each. `direct`: their addresses can be reached; None: tried."""

    def __init__(
        self,
        targets: Targets,
        connection: Connection,
        tally: Tally,
        rate: float,
        ended: threading.Event,
        direct: bool | None = None,
    ) -> None:
        super().__init__(name="addonctl-signals-dns", daemon=True)
        self.tally, self.ended, self.view = tally, ended, View(0.0, {})
        self._targets, self._connection, self._rate, self._direct = targets, connection, rate, direct
        self._service: DnsService | None = None
        self._found_at, self._due = -_FIND_S, 0.0
        self._known: list[str] = []  # pods, as they appeared
        self._askers: dict[str, Asker] = {}

    @property
    def interval_s(self) -> float:
        """Between two queries to one of those that are asked."""
        return len(self._askers) / self._rate

    @property
    def query(self) -> Callable[[int], bytes]:
        """The query with an id."""
        service = self._service
        assert service is not None, "who asks knows whom"
        name, ipv6 = f"kubernetes.default.svc.{service.domain}", ":" in service.address
        return lambda id: dns_query(name, id, ipv6=ipv6)

    def run(self) -> None:
        while not self.ended.wait(min(max(self._due - time.monotonic(), 0), _SHORTLY_S)):
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

    def read_by(self, moment: float) -> None:
        """Asks for a view that is read after `moment`."""
        self._due = min(self._due, max(moment, self.view.read_at + _READ_AT_MOST_S))

    def _look(self, began: float) -> None:
        if began - self._found_at >= _FIND_S:
            self._found_at = began
            self._find()
        if self._service is not None:
            self.view = View(began, self._targets.pods(self._service))
            self._ask_pods()

    def _find(self) -> None:
        """The Service, which is asked, too, if it can be: from outside, only its answer shows that it is the one."""
        self._service = self._targets.dns() or self._service
        at = self._service.address if self._service else ""
        if at and "" not in self._askers and (_is_inside() or self._answered([(at, _PORT)])):
            self._start("", lambda: closing(Datagrams(at, _PORT)))

    def _ask_pods(self) -> None:
        """A thread for each that is to be asked, and none for others."""
        pods = self.view.pods
        if self._direct is None and pods:
            self._direct = _is_inside() or self._answered((pod.address, pod.udp) for pod in pods.values())
        self._known = [*(uid for uid in self._known if uid in pods), *(uid for uid in pods if uid not in self._known)]
        some = len(self._known) > _PODS
        chosen = self._known[: _PODS // 2] + self._known[-_PODS // 2 :] if some else self._known
        for uid in [uid for uid in self._askers if uid and uid not in chosen]:
            self._askers.pop(uid).left.set()
        for uid in (uid for uid in chosen if uid not in self._askers):
            self._start(uid, self._way_to(pods[uid]))

    def _start(self, uid: str, way: "Way") -> None:
        self._askers[uid] = Asker(self, uid, way)
        self._askers[uid].start()

    def _way_to(self, pod: Pod) -> "Way":
        if self._direct:
            return lambda: closing(Datagrams(pod.address, pod.udp))
        return lambda: _forwarded(self._connection, pod)

    def _answered(self, addresses: Iterable[tuple[str, int]]) -> bool:
        """Whether one of the first of them gives the right answer in time."""
        lines = [Datagrams(*each) for each in list(addresses)[:3]]
        for line in lines:
            line.ask(self.query(1))
        until = time.monotonic() + _TIMEOUT_S
        found = [any(map(_is_right, line.arrived(max(until - time.monotonic(), 0)))) for line in lines]
        for line in lines:
            line.close()
        return any(found)


def _is_inside() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def _is_right(response: bytes) -> bool:
    rcode, answers = dns_answer(response)
    return rcode == 0 and answers > 0


# ── Ways to a server ────────────────────────────────────────────────────────────────────────────────────────────


class Line(Protocol):
    """A way to one DNS server."""

    @property
    def spent(self) -> bool:
        """Whether it takes no more queries."""
        ...

    def ask(self, query: bytes) -> None: ...

    def arrived(self, wait_s: float) -> list[bytes]:
        """Responses, as soon as there is one. Raises OSError when the line is closed from afar."""
        ...


Way = Callable[[], AbstractContextManager[Line]]


class Datagrams:
    """UDP, each query from a port of its own, as programs ask: what is routed by flow finds its pod anew."""

    spent = False

    def __init__(self, address: str, port: int) -> None:
        self._to, self._family = (address, port), socket.AF_INET6 if ":" in address else socket.AF_INET
        self._waiting, self._asked = selectors.DefaultSelector(), dict[socket.socket, float]()

    def ask(self, query: bytes) -> None:
        self._end_old()
        asking = socket.socket(self._family, socket.SOCK_DGRAM)
        asking.setblocking(False)
        try:
            asking.connect(self._to)
            asking.send(query)
        except OSError:
            asking.close()  # lost, like one that got lost on its way
            return
        self._waiting.register(asking, selectors.EVENT_READ)
        self._asked[asking] = time.monotonic()

    def arrived(self, wait_s: float) -> list[bytes]:
        ready = {key.fileobj for key, _ in self._waiting.select(wait_s)}
        answered = [asking for asking in self._asked if asking in ready]
        return [response for asking in answered if (response := self._received(asking))]

    def _received(self, asking: socket.socket) -> bytes:
        try:
            return asking.recv(4096)
        except OSError:
            return b""  # nobody listens there
        finally:
            self._end(asking)

    def _end_old(self) -> None:
        old = time.monotonic() - _TIMEOUT_S
        for asking in [asking for asking, asked in self._asked.items() if asked < old]:
            self._end(asking)

    def _end(self, asking: socket.socket) -> None:
        self._waiting.unregister(asking)
        del self._asked[asking]
        asking.close()

    def close(self) -> None:
        for asking in list(self._asked):
            self._end(asking)
        self._waiting.close()


class Stream:
    """TCP: several queries on one connection, each with its length before it (RFC 7766)."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._queries, self._rest = end, 0, b""
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(end, selectors.EVENT_READ)

    @property
    def spent(self) -> bool:
        return self._queries >= _QUERIES

    def ask(self, query: bytes) -> None:
        self._queries += 1
        self._end.sendall(struct.pack(">H", len(query)) + query)

    def arrived(self, wait_s: float) -> list[bytes]:
        if not self._waiting.select(wait_s):
            return []
        piece = self._end.recv(1 << 16)
        if not piece:
            raise ConnectionError("the pod closed the connection")
        self._rest += piece
        return list(self._whole())

    def _whole(self) -> Iterator[bytes]:
        while len(self._rest) >= 2 and len(self._rest) >= (ends := 2 + struct.unpack(">H", self._rest[:2])[0]):
            yield self._rest[2:ends]
            self._rest = self._rest[ends:]

    def close(self) -> None:
        self._waiting.close()


@contextmanager
def _forwarded(connection: Connection, pod: Pod) -> Iterator[Line]:
    with connection.forward(pod.namespace, pod.name, pod.tcp) as end, closing(Stream(end)) as stream:
        yield stream


# ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Asker(threading.Thread):
    """Asks one pod, or without a `uid` the Service, until it has left or all probing has ended."""

    def __init__(self, probing: DnsProbing, uid: str, way: Way) -> None:
        super().__init__(name=f"addonctl-signals-dns-{uid}", daemon=True)
        self.left = threading.Event()
        self._probing, self._uid, self._way = probing, uid, way
        self._next, self._ids, self._heard = time.monotonic(), 0, False
        self._pending: dict[int, float] = {}  # by id, when it was asked
        self._doubts: deque[float] = deque(maxlen=_DOUBTS)  # when it was asked what nobody answered

    def run(self) -> None:
        while not self._over:
            self._converse()
            self._settle()

    @property
    def _over(self) -> bool:
        return self.left.is_set() or self._probing.ended.is_set()

    def _converse(self) -> None:
        """Asks over one line until it ends.

        A server may close a connection that it has answered on; one that is closed before any answer was refused. What
        happens before there is a connection to the pod is not of its doing.
        """
        began, self._heard = 0.0, False
        try:
            with self._way() as line:
                began = time.monotonic()
                while not self._over and not (line.spent and not self._pending):
                    self._turn(line)
        except (AddonctlError, OSError):
            if began and not self._heard:
                self._doubt(self._pending.values() or [began])
            self._probing.ended.wait(_AGAIN_S)
        self._pending.clear()

    def _turn(self, line: Line) -> None:
        """One query, if it is time, and what has arrived."""
        now = time.monotonic()
        if now >= self._next and not line.spent:
            self._ids = (self._ids + 1) % _IDS
            self._pending[self._ids] = now
            line.ask(self._probing.query(self._ids))
            self._next = max(self._next + self._probing.interval_s, now)
        wait_s = _SHORTLY_S if line.spent else min(max(self._next - now, 0), _SHORTLY_S)
        for response in line.arrived(wait_s):
            self._heard = True
            if self._pending.pop(int.from_bytes(response[:2], "big"), None) is not None:
                self._count(_is_right(response))
        self._give_up(time.monotonic() - _TIMEOUT_S)
        self._settle()

    def _give_up(self, before: float) -> None:
        late = [(id, asked) for id, asked in self._pending.items() if asked <= before]
        for id, _ in late:
            del self._pending[id]
        self._doubt([asked for _, asked in late])

    def _doubt(self, asked: Iterable[float]) -> None:
        """What was not answered has failed if the pod serves: that is known later. For the Service it is known now."""
        for moment in asked:
            if self._uid:
                self._doubts.append(moment)
            else:
                self._count(False)

    def _settle(self) -> None:
        read_at, pods = self._probing.view
        pod = pods.get(self._uid)
        while self._doubts and read_at >= self._doubts[0] + _TIMEOUT_S + _SETTLED_S:
            self._doubts.popleft()
            if pod is not None and not pod.ending:
                self._count(False)
        if self._doubts:
            self._probing.read_by(self._doubts[0] + _TIMEOUT_S + _SETTLED_S)

    def _count(self, good: bool) -> None:
        self._probing.tally.count(_SLI, self._uid, good)
