"""Answers and failures of a connection: the type says whether trying again may help, the words never show a body."""

import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from addonctl import errors
from addonctl.adapters import api_errors
from addonctl.errors import AddonctlError
from addonctl.model import GapReason

SERVER = "https://prod-eu-1.example"


def refused(code: int, message: str = "no", headers: dict[str, str] | None = None, **more: Any) -> AddonctlError:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, **more}
    return api_errors.refusal(SERVER, "/api/v1/pods?limit=5", code, headers or {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("code", "details", "expected", "again"),
    [
        (400, {}, errors.Invalid, False),
        (401, {}, errors.NotAllowed, False),
        (403, {}, errors.Forbidden, False),
        (404, {}, errors.NotServed, False),
        (404, {"name": "coredns", "kind": "configmaps"}, errors.NotFound, False),
        (408, {}, errors.TimedOut, True),
        (409, {}, errors.Conflict, False),
        (410, {}, errors.Expired, False),
        (422, {}, errors.Invalid, False),
        (429, {}, errors.TooManyRequests, True),
        (500, {}, errors.Unavailable, True),
        (503, {}, errors.Unavailable, True),
        (504, {}, errors.TimedOut, True),
    ],
)
def test_the_type_says_whether_trying_again_may_help(
    code: int, details: dict[str, str], expected: type[AddonctlError], again: bool
) -> None:
    error = refused(code, "not today", details=details)
    assert type(error) is expected
    assert (error.retry_after_s is not None) is again
    assert error.what == f"{SERVER}/api/v1/pods answered {code}: not today"


def test_what_is_gone_for_good_is_not_a_network_problem() -> None:
    assert not isinstance(refused(404), errors.NotReachable)
    assert not isinstance(refused(410), errors.NotReachable)


def test_a_wait_that_was_asked_for_is_kept() -> None:
    assert refused(429, headers={"retry-after": "7"}).retry_after_s == 7
    assert refused(429, details={"retryAfterSeconds": 3}).retry_after_s == 3
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    wait = refused(503, headers={"retry-after": later}).retry_after_s
    assert wait is not None
    assert 25 < wait <= 30
    assert refused(503, headers={"retry-after": "soon"}).retry_after_s == 1


def test_an_error_that_is_never_retried_has_no_delay() -> None:
    with pytest.raises(AssertionError, match="is never retried"):
        errors.Conflict("somebody else", retry_after_s=1)


def test_the_causes_of_a_refusal_are_values() -> None:
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "argocd"', "field": ".spec.replicas"}
    error = refused(409, reason="Conflict", details={"name": "coredns", "causes": [cause, "odd"]})
    assert error.reason == "Conflict"
    assert error.causes == (
        errors.Cause(reason="FieldManagerConflict", message='conflict with "argocd"', field=".spec.replicas"),
    )


@pytest.mark.parametrize(
    "message",
    [
        'admission webhook "validate.kyverno.svc" denied the request: no latest tag',
        "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'pss' with binding 'pss' denied request: no",
    ],
)
def test_a_no_of_admission_is_no_missing_permission(message: str) -> None:
    assert type(refused(403, message, reason="Forbidden")) is errors.Invalid


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><html>token=hunter2</html>", "an HTML page (a login page or proxy?)"),
        (b"\n <HTML><body>hunter2", "an HTML page (a login page or proxy?)"),
        (b'{"password": "hunter2"}', "JSON that is not a Status"),
        (b'["hunter2"]', "JSON that is not a Status"),
        (b"hunter2", "text that is not a Status"),
        (b"", "an empty body"),
    ],
)
@pytest.mark.parametrize("code", [400, 401, 403, 404, 500, 503])
def test_a_body_that_is_no_status_is_never_shown(code: int, body: bytes, words: str) -> None:
    error = api_errors.refusal(SERVER, "/api", code, {}, body)
    assert error.what.endswith(f"answered {code}: {words}")
    assert "hunter2" not in str(error)


def test_a_portal_that_refuses_is_no_missing_permission() -> None:
    error = api_errors.refusal(SERVER, "/api", 403, {}, b"<html>Blocked by policy</html>")
    assert type(error) is errors.Broken
    assert api_errors.gap("pods", error, "list pods").permission == ""


def test_a_redirect_names_the_place_without_its_query() -> None:
    headers = {"location": "https://me:pw@login.example/start?SAMLRequest=hunter2"}
    error = api_errors.refusal(SERVER, "/version", 302, headers, b"")
    assert type(error) is errors.Broken
    assert "https://login.example/start (a login page or proxy?)" in error.what
    assert "hunter2" not in str(error)
    assert "pw" not in str(error)


def test_a_message_with_a_credential_is_shown_without_it() -> None:
    assert "hunter2hunter2" not in str(refused(403, "bearer hunter2hunter2hunter2 is not known"))


def wrapped(inner: Exception) -> Exception:
    """As HTTP libraries do it: once by argument, once by cause."""
    outer = RuntimeError("Connection aborted.", inner)
    try:
        raise ValueError("tried") from outer
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("error", "sent", "expected", "words"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            False,
            errors.NotReachable,
            "cannot be reached: Connection",
        ),
        (socket.gaierror(-2, "Name or service not known"), False, errors.NotReachable, "name cannot be resolved"),
        (TimeoutError("timed out"), False, errors.NotReachable, "no connection in time"),
        (TimeoutError("timed out"), True, errors.TimedOut, "did not answer in time"),
        (ConnectionResetError(104, "Connection reset by peer"), True, errors.TimedOut, "broke off"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version"), False, errors.NotTrusted, "TLS to"),
    ],
)
def test_a_failure_says_whether_anything_was_sent(
    error: Exception, sent: bool, expected: type[AddonctlError], words: str
) -> None:
    for one in (error, wrapped(error)) if not isinstance(error, ssl.SSLError) else (error,):
        found = api_errors.failure(one, SERVER, sent=sent)
        assert type(found) is expected
        assert words in found.what
        assert (found.retry_after_s is None) is (expected is errors.NotTrusted)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.Forbidden("x"), GapReason.FORBIDDEN),
        (errors.NotAllowed("x"), GapReason.NO_CREDENTIALS),
        (errors.NotServed("x"), GapReason.NOT_SERVED),
        (errors.NotFound("x"), GapReason.NOT_SERVED),
        (errors.Expired("x"), GapReason.TIMEOUT),
        (errors.TimedOut("x"), GapReason.TIMEOUT),
        (errors.Unavailable("x"), GapReason.TIMEOUT),
        (errors.NotReachable("x"), GapReason.NOT_REACHABLE),
        (errors.NotTrusted("x"), GapReason.NOT_REACHABLE),
        (errors.Broken("x"), GapReason.BROKEN),
    ],
)
def test_a_gap_has_the_reason_of_the_error(error: AddonctlError, reason: GapReason) -> None:
    gap = api_errors.gap("pods", error, "list pods")
    assert (gap.reason, gap.detail) == (reason, "x")
    assert gap.permission == ("list pods" if reason is GapReason.FORBIDDEN else "")
