"""Errors of addonctl: each says what, where and the fix, and reads the same in the CLI, the API and MCP.

    AddonctlError
    ├── BadInput             an argument cannot be used: a file, a version, a name, an option
    ├── NotAllowed           credentials are missing, rejected (401), or lack a permission
    │   └── Forbidden        the credentials are valid, a permission is missing (403)
    ├── NotReachable      r  no connection: network, proxy, a disk; nothing was sent
    │   ├── TimedOut      r  sent, but no complete response: a write may have taken effect
    │   └── NotTrusted       TLS failed: the server's certificate could not be verified
    ├── NotServed            there is no such API (404)
    ├── NotFound             the API exists, the object does not (404)
    ├── Conflict             something else changed or owns it (409): read again, then decide
    ├── Expired              the position in a list or watch is too old (410): list again
    ├── Invalid              the request itself was rejected (400, 422, by an admission webhook …)
    ├── TooManyRequests   r  throttled (429)
    ├── Unavailable       r  the server is up but cannot answer now (5xx)
    └── Broken               the response breaks the API's contract: a login page, no JSON

Those marked `r` may succeed on retry: `retry_after_s` says after how many seconds; for all others it is None.
adapters/api_errors.py and adapters/aws_errors.py turn responses and connection failures into these.

Bugs are not part of this tree: they crash with a traceback.
"""

from typing import NamedTuple


class Cause(NamedTuple):
    """One cause named by a rejection: the `field` and what is wrong with it (`reason` is the server's term)."""

    reason: str
    message: str = ""
    field: str = ""


class AddonctlError(Exception):
    """What happened, and how to fix it.

    `what` is one sentence that contains the offending value; `fix` is an action that the reader can take.
    `retry_after_s` is the number of seconds after which the same call may succeed, None if retrying does not help.
    `reason` and `causes` are the server's own terms (a Status reason such as AlreadyExists, an AWS error code), empty
    if it gave none.
    """

    retry_after_s: float | None = None

    def __init__(
        self,
        what: str,
        fix: str = "",
        *,
        reason: str = "",
        causes: tuple[Cause, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.reason = reason
        self.causes = causes
        if retry_after_s is not None:
            assert self.retry_after_s is not None, f"{type(self).__name__} is never retried, not in {retry_after_s} s"
            assert retry_after_s >= 0, retry_after_s
            self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.what}\nFix: {self.fix}" if self.fix else self.what


class BadInput(AddonctlError):
    """An argument cannot be used."""


class NotAllowed(AddonctlError):
    """Credentials are missing, rejected, or lack a permission; retrying does not help."""


class Forbidden(NotAllowed):
    """The credentials are valid but lack a permission (403)."""


class NotReachable(AddonctlError):
    """No connection could be made, so nothing was sent; retrying may help."""

    retry_after_s: float | None = 1.0


class TimedOut(NotReachable):
    """The request was sent but no complete response arrived: it may have taken effect."""


class NotTrusted(NotReachable):
    """The server's TLS certificate could not be verified; retrying does not help."""

    retry_after_s = None


class NotServed(AddonctlError):
    """The API does not exist: not installed, not enabled, or removed in this version (404)."""


class NotFound(AddonctlError):
    """The API is served, but the object does not exist (404)."""


class Conflict(AddonctlError):
    """Something else changed the object, owns the field, or is updating it (409): read again before deciding.

    `reason` distinguishes them (Kubernetes: AlreadyExists or Conflict); `causes` name fields that others manage.
    """


class Expired(AddonctlError):
    """The position in a list or watch is no longer available (410): start again with a list."""


class Invalid(AddonctlError):
    """The request itself was rejected (400, 422, or by an admission webhook); `causes` name the fields."""


class TooManyRequests(AddonctlError):
    """Throttled (429). `retry_after_s` is the server's Retry-After, if it sent one."""

    retry_after_s = 1.0


class Unavailable(AddonctlError):
    """The server cannot answer at the moment (5xx)."""

    retry_after_s = 1.0


class Broken(AddonctlError):
    """The response breaks the API's contract: a login page, a redirect, something that is not JSON."""
