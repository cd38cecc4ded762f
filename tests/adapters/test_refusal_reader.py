"""Logs of a step's pods are read from their beginning, and where they are long at their end; beside the assessment."""

import json
import time
from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.api_protocol import Response
from addonctl.adapters.assessor import BackgroundAssessor
from addonctl.adapters.refusal_reader import RefusalReader
from addonctl.assessment import assess
from addonctl.errors import NotAllowed
from addonctl.inventory import take_inventory
from addonctl.model import Guard, View
from addonctl.model.plan import Step
from tests import builders
from tests.core.test_refusals import _PLAIN, log

STEP = builders.step(of="Deployment/addons/it")
_WORKLOAD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "it", "namespace": "addons"},
    "spec": {"selector": {"matchLabels": {"app": "it"}}},
}
_RIGHT = "ServiceAccount/addons/controller: list customresourcedefinitions.apiextensions.k8s.io"
_REFUSED = log((1, _PLAIN), (30, _PLAIN))


class Server:
    """Has a Deployment, and a pod for each log."""

    def __init__(self, **logs: str | NotAllowed) -> None:
        self.logs = logs
        self.read: list[tuple[str, Mapping[str, str]]] = []

    def request(self, _method: str, path: str, _query: Any = None, _body: Any = None, _headers: Any = None) -> Response:
        found: Any = _WORKLOAD
        if path.endswith("/pods"):
            found = {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [*map(_pod, self.logs)]}
        elif path in ("/api/v1", "/apis/apps/v1"):
            named = [("pods", "Pod"), ("deployments", "Deployment")]
            found = {"resources": [{"name": name, "kind": kind, "namespaced": True} for name, kind in named]}
        elif path == "/apis/apps":
            found = {"preferredVersion": {"version": "v1"}}
        return Response(status=200, headers={}, body=json.dumps(found).encode())

    def get(self, path: str, query: Mapping[str, str], accept: str) -> bytes:
        name = path.split("/")[6]
        self.read.append((name, query))
        text = self.logs[name]
        if isinstance(text, NotAllowed):
            raise text
        return text.encode()[: int(query["limitBytes"])] if "tailLines" not in query else text.encode()[-65_536:]


def _pod(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "addons", "uid": name, "creationTimestamp": name},
        "spec": {"serviceAccountName": "controller", "containers": [{"name": "main"}]},
    }


def refused(reader: RefusalReader) -> list[str]:
    return [each.subject for each in reader.refused(STEP)]


def test_what_replicas_are_refused_alike_is_told_once_and_what_cannot_be_read_tells_nothing() -> None:
    server = Server(a=_REFUSED, b=_REFUSED, c="", d=NotAllowed("pods/log is forbidden"))
    assert refused(RefusalReader(cast(Connection, server))) == [_RIGHT]
    assert [name for name, _ in server.read] == ["a", "b", "c", "d"]
    assert all(query["timestamps"] == "true" and query["container"] == "main" for _, query in server.read)


def test_the_beginning_of_a_long_log_is_read_once_and_its_end_each_time() -> None:
    """What was refused at the start of the old version, and never said again, is not new."""
    talk = log(*((40, "x" * 200) for _ in range(2000)))
    server = Server(a=_REFUSED + talk, b=talk + _REFUSED)
    reader = RefusalReader(cast(Connection, server))
    assert refused(reader) == refused(reader) == [_RIGHT]
    assert [("tailLines" in query) for name, query in server.read if name == "a"] == [False, True, True]
    server.logs["a"] = talk
    assert refused(reader) == [_RIGHT]


def test_of_many_pods_the_oldest_and_the_newest_are_read() -> None:
    server = Server(**{f"{n:02}": "" for n in range(40)})
    refused(RefusalReader(cast(Connection, server)))
    assert [name for name, _ in server.read] == ["00", "01", "02", "03", "36", "37", "38", "39"]


def test_a_run_is_told_with_what_two_assessments_found() -> None:
    guard = Guard(code="DEP005", subject="it: list nodes", detail="")
    asked: list[Step] = []

    def asked_of(step: Step) -> tuple[Guard, ...]:
        asked.append(step)
        return (guard,)

    view, catalog = View(builders.snapshot()), builders.small_catalog()
    sound = assess(view, take_inventory(view, catalog), catalog, day=date(2026, 11, 27))
    assessor = BackgroundAssessor(lambda: sound, asked_of, every_s=0.05)
    until = time.monotonic() + 10
    while assessor.troubles(STEP) is None and time.monotonic() < until:
        time.sleep(0.02)
    assert assessor.troubles(STEP) == (guard,)
    assert asked[0] == STEP
    assessor.close()
