"""Real traffic, of which every request is accounted for: DNS queries from the nodes, requests to the API server.

`python -m tests.cluster.traffic ADDRESS RATE` asks until it is told to end, and prints what came of it; it runs in the
network namespace of a node, as the resolver of a pod with the node's network does. What add-ons answer behind the API
server, `python -m tests.cluster.traffic WHAT RATE KUBECONFIG` asks for: admissions, metrics, templates.
"""

import base64
import http.client
import json
import selectors
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from addonctl.adapters.probes import dns_answer, dns_query

_NAME = "kubernetes.default.svc.cluster.local"
_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Account:
    """`sent` is `answered` and `lost` together; `lost_at` are the seconds since the beginning, a Unix time."""

    sent: int
    answered: int
    lost_at: tuple[float, ...]
    began: float = 0.0

    def __add__(self, other: "Account") -> "Account":
        began = self.began or other.began
        later = (round(at + other.began - began, 2) for at in other.lost_at)
        return Account(self.sent + other.sent, self.answered + other.answered, (*self.lost_at, *later), began)


class Accounted:
    """Processes that ask until they are told to end: `with … as traffic: …; traffic.account`."""

    def __init__(self, commands: Iterable[Sequence[str]]) -> None:
        self._commands = tuple(commands)
        self._processes: list[subprocess.Popen[str]] = []
        self.account = Account(0, 0, ())

    def __enter__(self) -> Self:
        for command in self._commands:
            self._processes.append(subprocess.Popen(command, text=True, stdout=subprocess.PIPE))
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            out, _error = process.communicate(timeout=30)
            found = json.loads(out)
            self.account += Account(found["sent"], found["answered"], tuple(found["lost_at"]), found["began"])


class Traffic(Accounted):
    """DNS queries, so many a second from each node."""

    def __init__(self, namespaces: Iterable[str], address: str, rate: int = 50) -> None:
        asks = [sys.executable, "-m", "tests.cluster.traffic", address, str(rate)]
        super().__init__(["nsenter", f"--net=/run/netns/{name}", *asks] for name in namespaces)


class Calls(Accounted):
    """Requests to the API server, so many a second: of `_ASKED`."""

    def __init__(self, what: str, kubeconfig: Path, rate: int = 100) -> None:
        super().__init__([[sys.executable, "-m", "tests.cluster.traffic", what, str(rate), str(kubeconfig)]])


class _Asker:
    """Queries in flight, each from a port of its own."""

    def __init__(self, address: str) -> None:
        self._address, self._waiting = address, selectors.DefaultSelector()
        self._began, self.began = time.monotonic(), time.time()
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


# ── The API server ──────────────────────────────────────────────────────────────────────────────────────────────

_THREADS = 100  # as many requests may be under way
_FRESH = timedelta(minutes=2)
Answered = Callable[[int, bytes], bool]


def _is_made(status: int, _body: bytes) -> bool:
    return status == 201


def _is_fresh(status: int, body: bytes) -> bool:
    return status == 200 and datetime.now(UTC) - datetime.fromisoformat(json.loads(body)["timestamp"]) < _FRESH


def _is_listed(status: int, body: bytes) -> bool:
    return status == 200 and bool(json.loads(body)["items"])


def _dry_run(kind: str, path: str) -> tuple[str, str, Answered]:
    document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "traffic"}}
    return f"{path}?dryRun=All", json.dumps(document), _is_made


_ASKED: dict[str, tuple[tuple[str, str, Answered], ...]] = {
    "admissions": (
        _dry_run("ConfigMap", "/api/v1/namespaces/default/configmaps"),
        _dry_run("Namespace", "/api/v1/namespaces"),
    ),
    "metrics": tuple((f"/apis/metrics.k8s.io/v1beta1/nodes/node-{n}", "", _is_fresh) for n in (0, 1)),
    "templates": (("/apis/templates.gatekeeper.sh/v1beta1/constrainttemplates", "", _is_listed),),
}
"""What is asked for in turn: (path, body of a POST, whether that is an answer); one that comes late is none."""


class _Caller(threading.Thread):
    """One of those who ask, over a connection that it keeps."""

    def __init__(self, number: int, what: str, rate: int, config: Mapping[str, Any], ended: list[int]) -> None:
        super().__init__(daemon=True)
        self._number, self._asked, self._ended = number, _ASKED[what], ended
        self._every_s, self._due = _THREADS / rate, time.monotonic() + number / rate
        cluster, self._token = config["clusters"][0]["cluster"], config["users"][0]["user"]["token"]
        trusted = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=trusted)
        server = cluster["server"].removeprefix("https://")
        self._line = http.client.HTTPSConnection(server, timeout=_TIMEOUT_S, context=context)
        self.sent = 0
        self.lost: list[float] = []

    def run(self) -> None:
        while not self._ended:
            time.sleep(max(self._due - time.monotonic(), 0))
            self._due = max(self._due + self._every_s, time.monotonic())
            asked = self._asked[(self._number + self.sent) % len(self._asked)]
            began, self.sent = time.time(), self.sent + 1
            if not self._is_answered(*asked) or time.time() - began > _TIMEOUT_S:
                self.lost.append(began)

    def _is_answered(self, path: str, body: str, answered: Answered) -> bool:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            self._line.request("POST" if body else "GET", path, body or None, headers)
            answer = self._line.getresponse()
            return answered(answer.status, answer.read())
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            self._line.close()
            return False


def call(what: str, rate: int, kubeconfig: Path) -> Account:
    """Asks until SIGTERM, and waits for the last answers."""
    ended, began, config = _until_told(), time.time(), json.loads(kubeconfig.read_text())
    callers = [_Caller(number, what, rate, config, ended) for number in range(_THREADS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    sent, lost = sum(each.sent for each in callers), sorted(at for each in callers for at in each.lost)
    return Account(sent, sent - len(lost), tuple(round(at - began, 2) for at in lost), began)


def _until_told() -> list[int]:
    """Signals that told to end."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    return ended


def ask(address: str, rate: int) -> Account:
    """Asks until SIGTERM, and waits for the last answers."""
    ended = _until_told()
    asker, due = _Asker(address), time.monotonic()
    while not ended or asker.in_flight:
        if not ended and time.monotonic() >= due:
            asker.ask()
            due += 1 / rate
        asker.listen(max(min(due - time.monotonic(), 0.05), 0))
    return Account(asker.sent, asker.answered, tuple(asker.lost_at), asker.began)


if __name__ == "__main__":
    what, asked_rate, *kubeconfigs = sys.argv[1:]
    if kubeconfigs:
        found = call(what, int(asked_rate), Path(kubeconfigs[0]))
    else:
        found = ask(what, int(asked_rate))
    print(json.dumps(asdict(found)))
