"""Notices of runs, to a real HTTP server; and the settings that ask for them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from addonctl.adapters import config_file
from addonctl.adapters.notices import Form, Notices, Receiver
from addonctl.errors import BadInput
from addonctl.model.run import Cancelled, Done, Run
from addonctl.orchestrator import advance, started
from addonctl.render import runs
from tests.builders import NOW
from tests.simulation.sketch import plan


class Taker:
    """A server that takes notices; `fails` so many times first."""

    def __init__(self) -> None:
        self.taken: list[dict[str, object]] = []
        self.fails = 0
        taker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = 503 if taker.fails else 200
                taker.fails = max(taker.fails - 1, 0)
                if status == 200:
                    taker.taken.append(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/T0/secret-token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def taker() -> Iterator[Taker]:
    made = Taker()
    yield made
    made.close()


def _rolled_back(notices: Notices) -> Run:
    """Tells of a run that was cancelled before anything was changed."""
    run, commands = started("run-1", plan(), NOW)
    notices(run)
    run, commands = advance(run, Done(commands[0].id), NOW)
    notices(run)
    run, commands = advance(run, Cancelled("ana"), NOW)
    notices(run)
    notices.close()
    return run


def test_beginning_and_end_are_told_and_nothing_between(taker: Taker) -> None:
    notices = Notices([Receiver(url=taker.url, form=Form.SLACK)], runs.entry_text, runs.run_document)
    _rolled_back(notices)
    assert [set(body) for body in taker.taken] == [{"text"}, {"text"}]
    first, last = (str(body["text"]) for body in taker.taken)
    assert "(run run-1)" in first
    assert "cancelled by ana" in last


def test_a_webhook_gets_the_run(taker: Taker) -> None:
    run = _rolled_back(Notices([Receiver(url=taker.url)], runs.entry_text, runs.run_document))
    assert [(body["kind"], body["id"]) for body in taker.taken] == [("Run", run.id)] * 2
    assert taker.taken[-1]["outcome"] == "cancelled"


def test_a_server_that_is_busy_is_asked_again(taker: Taker) -> None:
    taker.fails = 1
    _rolled_back(Notices([Receiver(url=taker.url)], runs.entry_text, runs.run_document))
    assert len(taker.taken) == 2


def test_one_that_does_not_answer_harms_nothing_and_its_address_is_not_told(
    taker: Taker, capsys: pytest.CaptureFixture[str]
) -> None:
    taker.close()
    _rolled_back(Notices([Receiver(url=taker.url)], runs.entry_text, runs.run_document))
    told = capsys.readouterr().err
    assert "was not taken" in told
    assert "secret-token" not in told


# ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────


def _settings(folder: Path, text: str) -> config_file.Settings:
    path = folder / "config.yaml"
    path.write_text(text)
    return config_file.load(str(path))


def test_windows_freezes_and_receivers_are_read(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hooks.example.com/T0/secret\n")
    found = _settings(
        tmp_path,
        f"""
windows:
  - {{days: [sat, sun], start: "22:00", end: "04:00", zone: Europe/Berlin, cluster: prod-*}}
freezes:
  - {{start: 2026-12-20, end: 2027-01-04, reason: end of year}}
notices:
  - {{url_file: {tmp_path}/url, form: slack}}
""",
    )
    assert str(found.windows[0]) == "sat, sun 22:00-04:00 Europe/Berlin"
    assert found.freezes[0].reason == "end of year"
    assert found.receivers == (Receiver(url="https://hooks.example.com/T0/secret", form=Form.SLACK),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("windows: [{start: late, end: '02:00'}]", "late"),
        ("windows: [{start: '01:00', end: '02:00', zone: Mars/Olympus}]", "Mars/Olympus"),
        ("windows: [{start: '01:00', end: '02:00', days: [someday]}]", "someday"),
        ("notices: [{form: slack}]", "url"),
        ("notices: [{url: 'ftp://secret@host'}]", "HTTP"),
        ("notices: [{url_file: /does/not/exist}]", "/does/not/exist"),
        ("freezes: [{start: 2026-12-20, end: 2027-01-04}]", "reason"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        _settings(tmp_path, text)
    assert said in str(error.value)
    assert "secret@" not in str(error.value)
