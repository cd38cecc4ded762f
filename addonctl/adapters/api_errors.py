"""Turns responses and connection failures into our errors: the only place that maps an HTTP status or an exception.

Only the message of a Kubernetes `Status` or of an error of Prometheus' API is shown, with anything that looks like a
credential replaced. Any other body may contain anything, so only its kind is named ("an HTML page").
"""

import json
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from addonctl.adapters import redact
from addonctl.errors import (
    AddonctlError,
    Broken,
    Cause,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotAllowed,
    NotFound,
    NotReachable,
    NotServed,
    NotTrusted,
    TimedOut,
    TooManyRequests,
    Unavailable,
)
from addonctl.model import Gap, GapReason

# A message is one line of a report; a webhook may return pages.
_MESSAGE_CHARACTERS = 300
# Causes of one rejection: for an invalid object, every field may be named.
_CAUSES = 50
_HTML = re.compile(rb"\s*<(!doctype|html|head|body|script|meta|\?xml)", re.IGNORECASE)
# Admission returns the code that the webhook chose, 403 by default: only the message distinguishes it from RBAC's 403.
_ADMISSION = re.compile(r'admission webhook "[^"]*" denied the request|ValidatingAdmissionPolicy \'[^\']*\'.* denied')
# `cannot impersonate resource "users"`, in Kubernetes 1.36 `cannot impersonate-on:user-info:get path "/version"`.
_IMPERSONATION = re.compile(r"cannot impersonate\b")


@dataclass(frozen=True, slots=True)
class _Status:
    """The fields of a `Status` object that are used."""

    message: str
    reason: str
    names_object: bool
    causes: tuple[Cause, ...]
    retry_after_s: float | None


def refusal(server: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> AddonctlError:
    """The error for an unsuccessful response. `path` is shown without its query; `headers` are in lower case."""
    said = _status(body)
    words = said.message if said else described(body, headers)
    what = f"{server}{path.partition('?')[0]} answered {status}: {words}"
    kept: dict[str, Any] = {"reason": said.reason, "causes": said.causes} if said else {}
    waits = dict(kept, retry_after_s=_retry_after(headers, said))
    if said is None and _not_the_api(status, body):
        return Broken(what, "Check the address in the kubeconfig, VPN and proxy: another server answers there.")
    if said and _ADMISSION.search(said.message):
        return Invalid(what, "Read the webhook's or policy's reason; the object has to change.", **kept)
    match status:
        case 401:
            return NotAllowed(
                what, "The credentials are not accepted; log in again or check the user's access.", **kept
            )
        case 403 if said and _IMPERSONATION.search(said.message):
            return Forbidden(
                what, "Grant the verb impersonate on that, or leave out --as (of a kubeconfig: as).", **kept
            )
        case 403:
            return Forbidden(what, "Grant the permission; `addonctl rbac` prints the least role.", **kept)
        case 404:
            return NotFound(what, **kept) if said and said.names_object else NotServed(what, **kept)
        case 407:
            return NotReachable(what, "The proxy asks for credentials; put them into proxy-url or HTTPS_PROXY.")
        case 408 | 504:
            return TimedOut(what, "Try again; the API server may be overloaded.", **waits)
        case 409:
            return Conflict(what, "Read the object again: something else changed it.", **kept)
        case 410:
            return Expired(what, "List again.", **kept)
        case 429:
            return TooManyRequests(what, "Try again later; the API server limits this user.", **waits)
        case _ if status >= 500:
            return Unavailable(what, "Try again; the API server may be overloaded.", **waits)
        case _:
            return Invalid(what, **kept)


def _not_the_api(status: int, body: bytes) -> bool:
    """Whether a portal or proxy answered: a redirect, or a page. With 5xx, the page means that the API is down."""
    return 300 <= status < 400 or (status < 500 and status not in (401, 407, 408) and bool(_HTML.match(body)))


def described(body: bytes, headers: Mapping[str, str]) -> str:
    """The kind of a body that is not a Status; nothing of it is quoted."""
    if "location" in headers:
        return f"a redirect to {redact.url(headers['location'])[:100]} (a login page or proxy?)"
    if _HTML.match(body) or "text/html" in headers.get("content-type", ""):
        return "an HTML page (a login page or proxy?)"
    if not body.strip():
        return "an empty body"
    return "JSON that is not a Status" if body.lstrip()[:1] in b"{[" else "text that is not a Status"


def _status(body: bytes) -> _Status | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(said, dict) and said.get("status") == "error" and "errorType" in said:
        return _Status(_line(said.get("error")) or "no reason given", _line(said["errorType"]), False, (), None)
    if not isinstance(said, dict) or said.get("kind") != "Status":
        return None
    details = said.get("details")
    details = details if isinstance(details, dict) else {}
    causes, wait = details.get("causes"), details.get("retryAfterSeconds")
    return _Status(
        message=_line(said.get("message")) or _line(said.get("reason")) or "no reason given",
        reason=_line(said.get("reason")),
        names_object=bool(details.get("name")),
        causes=tuple(_cause(one) for one in causes[:_CAUSES] if isinstance(one, dict))
        if isinstance(causes, list)
        else (),
        retry_after_s=float(wait) if isinstance(wait, int | float) and wait > 0 else None,
    )


def _cause(one: Mapping[str, Any]) -> Cause:
    return Cause(reason=_line(one.get("reason")), message=_line(one.get("message")), field=_line(one.get("field")))


def _line(text: object) -> str:
    return redact.text(" ".join(str(text or "").split()))[:_MESSAGE_CHARACTERS]


def _retry_after(headers: Mapping[str, str], said: _Status | None) -> float | None:
    """The requested delay: Retry-After in seconds or as a date, or else that of the Status."""
    asked = headers.get("retry-after", "").strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            until = parsedate_to_datetime(asked)
        except ValueError:
            return said.retry_after_s if said else None
        return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
    return said.retry_after_s if said else None


# ── No response ─────────────────────────────────────────────────────────────────────────────────────────────────


_BUSY = "Try again, or wait longer with --request-timeout; the API server may be overloaded."


def failure(error: BaseException, where: str, *, sent: bool) -> AddonctlError:
    """The error for a connection that failed; `sent`: a request was under way and may have taken effect."""
    cause = _innermost(error)
    if isinstance(cause, ssl.SSLError):
        why = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or cause
        fix = "Check certificate-authority, tls-server-name and client certificate of the kubeconfig, and the proxy."
        return NotTrusted(f"TLS to {where} failed: {_line(why)}", fix)
    if isinstance(cause, TimeoutError):
        if sent:
            return TimedOut(f"{where} did not answer in time", _BUSY)
        return NotReachable(f"{where} cannot be reached: no connection in time", "Check network, VPN and proxy.")
    if isinstance(cause, socket.gaierror):
        why = f"the name cannot be resolved ({cause.strerror})"
        return NotReachable(f"{where} cannot be reached: {why}", "Check the address, network, VPN and proxy.")
    why = _line(getattr(cause, "strerror", None) or cause) or type(cause).__name__
    if sent:
        return TimedOut(f"{where} broke off before a whole answer came: {why}", "Try again.")
    return NotReachable(f"{where} cannot be reached: {why}", "Check network, VPN and proxy.")


def _innermost(error: BaseException) -> BaseException:
    """The operating system's error inside the exceptions of libraries; the exception itself if there is none."""
    inner = [one for one in (*error.args, error.__cause__, error.__context__) if isinstance(one, BaseException)]
    found = next((deep for deep in map(_innermost, inner) if isinstance(deep, OSError)), None)
    return found or error


# ── Gaps ────────────────────────────────────────────────────────────────────────────────────────────────────────


def gap(part: str, error: AddonctlError, permission: str = "") -> Gap:
    """The gap for a failed read: `part` is unknown, for the reason given by the error's type."""
    reason = gap_reason(error)
    return Gap(
        part=part, reason=reason, detail=error.what, permission=permission if reason is GapReason.FORBIDDEN else ""
    )


def gap_reason(error: AddonctlError) -> GapReason:
    """The reason for a gap, by the type of the error."""
    match error:
        case Forbidden():
            return GapReason.FORBIDDEN
        case NotAllowed():
            return GapReason.NO_CREDENTIALS
        case NotServed() | NotFound():
            return GapReason.NOT_SERVED
        case TimedOut() | Unavailable() | TooManyRequests() | Expired():
            return GapReason.TIMEOUT
        case NotReachable():
            return GapReason.NOT_REACHABLE
        case _:
            return GapReason.BROKEN
