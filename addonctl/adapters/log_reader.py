"""Reads the last lines of containers, few and bounded, through the net for secrets. See ports.LogReader."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from addonctl.adapters import redact
from addonctl.adapters.api_connection import Connection
from addonctl.errors import AddonctlError, NotAllowed
from addonctl.logs import Wanted
from addonctl.model import Gap, GapReason
from addonctl.ports import LogLines

# Of each container: what it said last says why it ends; a line may be long, so bytes have a bound of their own.
_LINES, _BYTES, _SHOWN = 20, 65_536, 400
_PARALLEL = 4
RULES: tuple[dict[str, Any], ...] = ({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},)
"""The permission that it needs beyond reading."""


def last_lines(connection: Connection, wanted: Sequence[Wanted]) -> LogLines:
    """What each container said last; a container without a log is omitted, what may not be read is a gap."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        answers = list(pool.map(lambda each: _of(connection, each), wanted))
    refused = next((answer for answer in answers if isinstance(answer, NotAllowed)), None)
    detail = str(refused) if refused else ""
    gap = Gap(part="logs", reason=GapReason.FORBIDDEN, detail=detail, permission="get pods/log")
    said = {each: answer for each, answer in zip(wanted, answers, strict=True) if isinstance(answer, str) and answer}
    return LogLines(lines=said, gaps=(gap,) if refused else ())


def _of(connection: Connection, wanted: Wanted) -> str | AddonctlError:
    pod = wanted.pod
    path = f"/api/v1/namespaces/{quote(pod.namespace)}/pods/{quote(pod.name)}/log"
    query = {"container": wanted.container, "tailLines": str(_LINES), "limitBytes": str(_BYTES)}
    if wanted.previous:
        query["previous"] = "true"
    try:
        body = connection.get(path, query, accept="*/*")
    except AddonctlError as error:
        return error
    return redact.text(body.decode(errors="replace"))[-_SHOWN:]
