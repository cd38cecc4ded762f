"""The SLI `dns`: queries for the API server's name, to each pod of the DNS Service, and to the Service itself.

Pods are asked at their addresses where these can be reached from here, else through the API server, over TCP; each at a
steady pace, whether or not it has answered before. What is asked through the Service is what users see, and counts
whatever becomes of the pods.
"""

import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Protocol

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.probes import dns_answer, dns_query
from addonctl.adapters.signals.pods import SHORTLY_S, Asker, PodProbing
from addonctl.adapters.signals.targets import DnsService, Pod

_PORT = 53
# CoreDNS closes a connection after 128 queries (miekg/dns, MaxTCPQueries).
_QUERIES = 100
_IDS = 1 << 16


class DnsProbing(PodProbing):
    """`direct`: pods can be reached at their addresses; None: that is tried out."""

    def __init__(self, *given: Any, direct: bool | None = None) -> None:
        super().__init__("dns", *given)
        self._direct, self._name, self._ipv6 = direct, "", False

    def query(self, id: int) -> bytes:
        return dns_query(self._name, id, ipv6=self._ipv6)

    def find(self) -> DnsService | None:
        """The Service is asked, too, if it can be: from outside, only its right answer shows that it is the one."""
        found = self.targets.dns()
        if found is not None:
            self._name, self._ipv6 = f"kubernetes.default.svc.{found.domain}", ":" in found.address
            at = found.address, _PORT
            if found.address and not self.asks("") and (_is_inside() or self._answered([at])):
                self.ask("", DnsAsker(self, "", lambda: closing(Datagrams(*at))))
        return found

    def asker(self, pod: Pod) -> Asker:
        if self._direct is None:
            others = self.view.pods.values()
            self._direct = _is_inside() or self._answered((each.address, each.udp) for each in others)
        if self._direct:
            return DnsAsker(self, pod.uid, lambda: closing(Datagrams(pod.address, pod.udp)))
        return DnsAsker(self, pod.uid, lambda: _forwarded(self.connection, pod))

    def _answered(self, addresses: Iterable[tuple[str, int]]) -> bool:
        """Whether one of the first of them gives the right answer in time."""
        lines = [Datagrams(*each) for each in list(addresses)[:3]]
        for line in lines:
            line.ask(self.query(1))
        until = time.monotonic() + Asker.timeout_s
        found = [any(map(_is_right, line.arrived(max(until - time.monotonic(), 0)))) for line in lines]
        for line in lines:
            line.close()
        return any(found)


def _is_inside() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def _is_right(response: bytes) -> bool:
    rcode, answers = dns_answer(response)
    return rcode == 0 and answers > 0


class DnsAsker(Asker):
    """Sends at its pace, whether or not what it sent before was answered."""

    def __init__(self, probing: DnsProbing, uid: str, way: "Way") -> None:
        super().__init__(probing, uid)
        self._query, self._way, self._ids = probing.query, way, 0

    def opened(self) -> "AbstractContextManager[Line]":
        return self._way()

    def goes_on(self, line: "Line") -> bool:
        now = time.monotonic()
        if not self.due_s(now) and not line.spent:
            self._ids = (self._ids + 1) % _IDS
            self.pending[self._ids] = now
            line.ask(self._query(self._ids))
            self.asked(now)
        for response in line.arrived(SHORTLY_S if line.spent else min(self.due_s(now), SHORTLY_S)):
            self.answered = True
            if self.pending.pop(int.from_bytes(response[:2], "big"), None) is not None:
                self.count(_is_right(response))
        self._give_up(time.monotonic() - self.timeout_s)
        return bool(self.pending) or not line.spent

    def _give_up(self, before: float) -> None:
        late = [(id, asked) for id, asked in self.pending.items() if asked <= before]
        for id, _ in late:
            del self.pending[id]
        self.doubt([asked for _, asked in late])


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
        old = time.monotonic() - Asker.timeout_s
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
    port = pod.tcp or pod.udp
    with connection.forward(pod.namespace, pod.name, port) as end, closing(Stream(end)) as stream:
        yield stream
