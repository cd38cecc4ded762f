"""A DNS server on loopback that can be told how to behave, over UDP and TCP at one port."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

RIGHT, SERVFAIL, NO_SUCH_NAME, SILENT = "right", "servfail", "no such name", "silent"
_FLAGS = {RIGHT: (0x8180, 1), SERVFAIL: (0x8182, 0), NO_SUCH_NAME: (0x8183, 0)}
_CLOSES_AFTER = 128  # queries of a connection, as CoreDNS
Behaviour = Callable[[int], str]


@dataclass
class DnsServer:
    """`behave` is asked with the number of the query; `late_s`: so long each answer takes."""

    behave: Behaviour = lambda _: RIGHT
    late_s: float = 0.0
    address: str = "127.0.0.1"
    port: int = 0
    over_udp: bool = True
    queries: list[bytes] = field(default_factory=list)
    connections: int = 0

    def answer(self, query: bytes) -> bytes | None:
        how = self.behave(len(self.queries))
        self.queries.append(query)
        if how == SILENT:
            return None
        flags, answers = _FLAGS[how]
        record = b"\xc0\x0c" + query[-4:] + struct.pack(">IH4B", 5, 4, 10, 0, 0, 1)
        return query[:2] + struct.pack(">HHHHH", flags, 1, answers, 0, 0) + query[12:] + record * answers

    # ── UDP ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def serve_udp(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, client = listening.recvfrom(512)
                if not query:
                    return  # it is being shut down
                if not self.over_udp:
                    continue
                threading.Thread(target=self._reply, args=(listening, query, client), daemon=True).start()

    def _reply(self, listening: socket.socket, query: bytes, client: tuple[str, int]) -> None:
        response = self.answer(query)
        time.sleep(self.late_s)
        with contextlib.suppress(OSError):
            if response is not None:
                listening.sendto(response, client)

    # ── TCP ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def serve_tcp(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = listening.accept()
                self.connections += 1
                threading.Thread(target=self._converse, args=(stream,), daemon=True).start()

    def _converse(self, stream: socket.socket) -> None:
        with contextlib.suppress(OSError), stream, stream.makefile("rb") as reads:
            for _ in range(_CLOSES_AFTER):
                head = reads.read(2)
                if len(head) < 2:
                    return
                response = self.answer(reads.read(struct.unpack(">H", head)[0]))
                time.sleep(self.late_s)
                if response is not None:
                    stream.sendall(struct.pack(">H", len(response)) + response)


def _bound(server: DnsServer) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket at one port; another port where one of them is taken."""
    for _ in range(20):
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind((server.address, server.port))
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
        else:
            return udp, tcp
    raise AssertionError(f"no port is free at {server.address}, or {server.port} is not")


@contextlib.contextmanager
def serving(server: DnsServer) -> Iterator[DnsServer]:
    """The server, at `server.port`, which it chooses if it is 0."""
    udp, tcp = _bound(server)
    with udp, tcp:
        server.port = udp.getsockname()[1]
        tcp.listen()
        threads = [
            threading.Thread(target=server.serve_udp, args=(udp,), daemon=True),
            threading.Thread(target=server.serve_tcp, args=(tcp,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            for listening in (udp, tcp):
                with contextlib.suppress(OSError):
                    listening.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(2)
