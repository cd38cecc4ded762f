"""The SLI `admission`, pod by pod: each pod behind a webhook's Service is sent a review, as the API server would.

So webhooks are counted that a dry run tells nothing of, too: those whose failurePolicy is Ignore, with conditions and
selectors, or for kinds of which there is no sample. A verdict is right, if it is the one of the pods of the beginning:
a new pod that denies what they admit fails; what they come to deny themselves, a policy denies. None within the time,
or what is no verdict, is not. What is sent says that it is a dry run, and goes only to webhooks that declare to have
no side effects then. A webhook counts from its first verdict on, since it may be one that answers to nobody but the
API server; and a failure only if its configuration, read afterwards, is the same: an update may move it.
"""

import json
import socket
import ssl
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any

from addonctl.adapters.signals.pods import SHORTLY_S, Asker, PodProbing
from addonctl.adapters.signals.targets import Pod, Served
from addonctl.adapters.signals.webhooks import Judge, StepWebhooks

_ANSWER_BYTES = 1 << 20


class ReviewProbing(PodProbing):
    """Webhooks are asked in turn."""

    judges: Sequence[Judge] = ()

    def __init__(self, *given: Any) -> None:
        super().__init__("admission", *given)
        self.proven: set[str] = set()  # webhooks that have given a verdict, by name
        self._admitted: dict[str, bool] = {}  # whether the pods of the beginning do, by webhook

    def find(self) -> Served | None:
        """The Service of the first webhook, with all webhooks behind the same port of it."""
        found = StepWebhooks(self.targets).judges()
        if not found:
            return None
        judges = [each for each in found if each.served == found[0].served]
        if judges != self.judges:
            self.judges = judges
        return found[0].served

    @property
    def known_at(self) -> float:
        return min(self.view.read_at, self.found_at)

    def asker(self, pod: Pod) -> Asker:
        return ReviewAsker(self, pod)

    def is_right(self, webhook: str, uid: str, *, admits: bool) -> bool:
        """Whether a verdict of a pod is one that the pods of the beginning give, too."""
        if uid in self.first:
            self._admitted[webhook] = admits
        return admits or not self._admitted.get(webhook, False)


class ReviewAsker(Asker):
    """One review at a time, over one connection as long as it lasts."""

    timeout_s = 1.5

    def __init__(self, probing: ReviewProbing, pod: Pod) -> None:
        super().__init__(probing, pod.uid)
        self._reviews, self._pod, self._turn = probing, pod, 0
        self._judges = probing.judges

    def opened(self) -> "AbstractContextManager[Webhooks]":
        return self._forwarded()

    @contextmanager
    def _forwarded(self) -> "Iterator[Webhooks]":
        pod = self._pod
        with self._reviews.connection.forward(pod.namespace, pod.name, pod.tcp) as end:
            end.settimeout(self.timeout_s)
            with closing(Webhooks(end)) as webhooks:
                yield webhooks

    def goes_on(self, line: "Webhooks") -> bool:
        now = time.monotonic()
        if wait_s := self.due_s(now):
            self.left.wait(min(wait_s, SHORTLY_S))
            return True
        self.asked(now)
        self._turn += 1
        judge = self._judges[self._turn % len(self._judges)]
        if judge.name in self._reviews.proven:
            self.pending[self._turn] = now
        admits = self._judged(line, judge)
        self.answered = True
        if admits is not None:
            self._reviews.proven.add(judge.name)
            self.count(self._reviews.is_right(judge.name, self._uid, admits=admits))
        else:
            self.doubt(self.pending.values())
        self.pending.clear()
        return True

    def settle(self) -> None:
        if self._judges is not self._reviews.judges:
            self._judges = self._reviews.judges
            self.doubts.clear()  # what was asked is asked no more
        super().settle()

    def doubt(self, asked: Iterable[float]) -> None:
        if self._reviews.proven:
            self._reviews.suspects = True
            super().doubt(asked)

    def _judged(self, line: "Webhooks", judge: Judge) -> bool | None:
        """Raises OSError where there is no answer; one that is late is none, whatever was answered before."""
        try:
            return line.judged(judge)
        except TimeoutError:
            self.doubt(self.pending.values())
            self.pending.clear()
            self.answered = True
            raise


class Webhooks:
    """HTTPS to one pod's webhooks; nothing that it answers is trusted, so its certificate need not be, either."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._http = end, HTTPConnection("webhook")
        self._http.auto_open = 0

    def judged(self, judge: Judge) -> bool | None:
        """Whether a made-up object was admitted; None: that is no verdict on it. Raises OSError."""
        id = str(uuid.uuid4())
        headers = {"Content-Type": "application/json", "Host": judge.host}
        try:
            if self._http.sock is None:
                self._http.sock = self._secured(judge.host)
            self._http.request("POST", judge.path, json.dumps(judge.review(id)), headers)
            answer = self._http.getresponse()
            body = answer.read(_ANSWER_BYTES)
        except HTTPException as error:
            raise ConnectionError(f"no HTTP: {type(error).__name__}") from error
        return _verdict(body, id) if answer.status == 200 else None

    def _secured(self, host: str) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(self._end, server_hostname=host)

    def close(self) -> None:
        self._http.close()


def _verdict(body: bytes, id: str) -> bool | None:
    try:
        response = json.loads(body)["response"]
        allowed = response["allowed"]
        return allowed if response["uid"] == id and isinstance(allowed, bool) else None
    except (ValueError, TypeError, KeyError):
        return None
