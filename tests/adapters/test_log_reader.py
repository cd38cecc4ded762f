"""Logs are read by container, bounded and without credentials; what may not be read is told."""

from collections.abc import Mapping
from typing import Any, cast

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.log_reader import last_lines
from addonctl.errors import AddonctlError, NotAllowed, NotReachable
from addonctl.logs import Wanted
from addonctl.model import GapReason, ObjectRef

POD = Wanted(ObjectRef.of("Pod", "hook-1", "apps"), "main", previous=True)
OTHER = Wanted(ObjectRef.of("Pod", "hook-2", "apps"), "main")


class Server:
    """Answers by the name of a pod, and remembers what it was asked."""

    def __init__(self, **answers: bytes | AddonctlError) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def get(self, path: str, query: Mapping[str, str], accept: str) -> bytes:
        self.asked.append((path, query))
        answer = self.answers[path.split("/")[6].replace("-", "_")]
        if isinstance(answer, AddonctlError):
            raise answer
        return answer


def read(server: Server, *wanted: Wanted) -> Any:
    return last_lines(cast(Connection, server), wanted)


def test_the_last_run_of_one_that_crashed_is_read_and_bounded() -> None:
    server = Server(hook_1=b"panic: no route\n", hook_2=b"")
    assert read(server, POD, OTHER).lines == {POD: "panic: no route\n"}
    path, query = server.asked[0]
    assert path == "/api/v1/namespaces/apps/pods/hook-1/log"
    assert query == {"container": "main", "tailLines": "20", "limitBytes": "65536", "previous": "true"}
    assert "previous" not in server.asked[1][1]


def test_of_a_long_log_the_end_is_kept_and_no_credential() -> None:
    secret = "password=hunter2hunter2"
    text = read(Server(hook_1=f"{'x ' * 900}{secret}\nfatal: it ends".encode()), POD).lines[POD]
    assert text.endswith("fatal: it ends")
    assert len(text) <= 400
    assert "hunter2" not in text


def test_what_may_not_be_read_is_a_gap_and_what_is_gone_is_nothing() -> None:
    answer = read(Server(hook_1=NotAllowed("pods/log is forbidden"), hook_2=NotReachable("gone")), POD, OTHER)
    assert answer.lines == {}
    assert [(gap.part, gap.reason) for gap in answer.gaps] == [("logs", GapReason.FORBIDDEN)]
    assert read(Server(hook_1=b"ok", hook_2=NotReachable("gone")), POD, OTHER).gaps == ()
