"""Notices of runs by webhook or Slack: when one begins, turns back, waits for a person, and ends.

Sent beside the run, which never waits for them and never fails because of them; the URL, which is a secret, is in no
message.
"""

import json
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from addonctl.model.run import Entry, Phase, Run

_TIMEOUT_S, _TRIES = 5.0, 3
_TOLD = (Phase.PREFLIGHT, Phase.APPROVAL, Phase.ROLLING_BACK)


class Form(StrEnum):
    WEBHOOK = "webhook"  # the document of `addonctl runs RUN -o json`
    SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    url: str
    form: Form = Form.WEBHOOK


class Notices:
    """A worker.Told: call it after every move; `close` waits a few seconds for what is not sent yet.

    `text` says an entry of a run's timeline in a line, `document` the run.
    """

    def __init__(
        self,
        receivers: Iterable[Receiver],
        text: Callable[[Entry, Run], str],
        document: Callable[[Run], Mapping[str, Any]],
    ) -> None:
        self._receivers, self._text, self._document = tuple(receivers), text, document
        self._waiting: queue.SimpleQueue[tuple[Receiver, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_all, daemon=True)
        self._told = 0
        if self._receivers:
            self._thread.start()

    def __call__(self, run: Run) -> None:
        for number, entry in enumerate(run.timeline[self._told :], start=self._told):
            first = entry.phase is Phase.PREFLIGHT and number == 0
            if first or entry.phase in _TOLD[1:] or entry.phase.ended:
                text = f"{run.plan.cluster}: {run.plan.goal}: {self._text(entry, run)} (run {run.id})"
                for receiver in self._receivers:
                    said = {"text": text} if receiver.form is Form.SLACK else {"text": text, **self._document(run)}
                    self._waiting.put((receiver, json.dumps(said).encode()))
        self._told = len(run.timeline)

    def close(self) -> None:
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S * _TRIES)

    def _send_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            self._send(*waiting)

    @staticmethod
    def _send(receiver: Receiver, body: bytes) -> None:
        import urllib3

        retries = urllib3.Retry(
            _TRIES - 1, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None
        )
        try:
            with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=retries) as pool:
                answer = pool.request("POST", receiver.url, body=body, headers={"Content-Type": "application/json"})
            problem = "" if answer.status < 300 else f"HTTP {answer.status}"
        except urllib3.exceptions.HTTPError as error:
            problem = type(error).__name__
        if problem:
            print(f"Note: a notice was not taken ({receiver.form}): {problem}", file=sys.stderr)
