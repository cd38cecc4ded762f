"""Real DNS traffic from the nodes of the cluster to its DNS Service, of which every query is accounted for.

`python -m tests.cluster.traffic ADDRESS RATE` asks until it is told to end, and prints what came of it; it runs in the
network namespace of a node, as the resolver of a pod with the node's network does.
"""

import json
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Self

from addonctl.adapters.probes import dns_answer, dns_query

_NAME = "kubernetes.default.svc.cluster.local"
_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Account:
    """`sent` is `answered` and `lost` together; `lost_at` are the seconds since the beginning."""

    sent: int
    answered: int
    lost_at: tuple[float, ...]

    def __add__(self, other: "Account") -> "Account":
        return Account(self.sent + other.sent, self.answered + other.answered, self.lost_at + other.lost_at)


class Traffic:
    """`with Traffic(namespaces, address) as traffic: …; traffic.account`: so many queries a second from each node."""

    def __init__(self, namespaces: Iterable[str], address: str, rate: int = 50) -> None:
        self._namespaces, self._address, self._rate = tuple(namespaces), address, rate
        self._processes: list[subprocess.Popen[str]] = []
        self.account = Account(0, 0, ())

    def __enter__(self) -> Self:
        for name in self._namespaces:
            command = ["nsenter", f"--net=/run/netns/{name}", sys.executable, "-m", "tests.cluster.traffic"]
            command += [self._address, str(self._rate)]
            self._processes.append(subprocess.Popen(command, text=True, stdout=subprocess.PIPE))
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            out, _error = process.communicate(timeout=30)
            found = json.loads(out)
            self.account += Account(found["sent"], found["answered"], tuple(found["lost_at"]))


class _Asker:
    """Queries in flight, each from a port of its own."""

    def __init__(self, address: str) -> None:
        self._address, self._waiting = address, selectors.DefaultSelector()
        self._began = time.monotonic()
        self._open: dict[socket.socket, float] = {}
        self.sent = self.answered = 0
        self.lost_at: list[float] = []

    @property
    def in_flight(self) -> int:
        return len(self._open)

    def ask(self) -> None:
        asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asked.setblocking(False)
        with suppress(OSError):  # a node without a route loses what it cannot send
            asked.sendto(dns_query(_NAME), (self._address, 53))
        self._waiting.register(asked, selectors.EVENT_READ)
        self._open[asked] = time.monotonic()
        self.sent += 1

    def listen(self, seconds: float) -> None:
        for key, _ in self._waiting.select(seconds):
            assert isinstance(key.fileobj, socket.socket)
            self._end(key.fileobj, well=_is_answer(key.fileobj))
        now = time.monotonic()
        for late in [each for each, since in self._open.items() if now - since > _TIMEOUT_S]:
            self._end(late, well=False)

    def _end(self, asked: socket.socket, *, well: bool) -> None:
        since = self._open.pop(asked)
        self._waiting.unregister(asked)
        asked.close()
        if well:
            self.answered += 1
        else:
            self.lost_at.append(round(since - self._began, 2))


def _is_answer(asked: socket.socket) -> bool:
    try:
        return dns_answer(asked.recv(512)) == (0, 1)
    except OSError:  # refused: nobody is there
        return False


def ask(address: str, rate: int) -> Account:
    """Asks until SIGTERM, and waits for the last answers."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    asker, due = _Asker(address), time.monotonic()
    while not ended or asker.in_flight:
        if not ended and time.monotonic() >= due:
            asker.ask()
            due += 1 / rate
        asker.listen(max(min(due - time.monotonic(), 0.05), 0))
    return Account(asker.sent, asker.answered, tuple(asker.lost_at))


if __name__ == "__main__":
    print(json.dumps(asdict(ask(sys.argv[1], int(sys.argv[2])))))
