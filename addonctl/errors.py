"""Errors of addonctl: each says what, where and the fix, and reads the same in the CLI, the API and MCP.

    AddonctlError
    ├── BadInput             what was given cannot be used: a file, a version, a name, an option
    ├── NotAllowed           credentials are missing, not accepted (401), or lack a permission
    │   └── Forbidden        the credentials are good, a permission is missing (403)
    ├── NotReachable      r  no connection: network, proxy, a disk; nothing was sent
    │   ├── TimedOut      r  sent, and no whole answer came: a write may have been carried out
    │   └── NotTrusted       TLS failed: the other side could not prove who it is
    ├── NotServed            there is no such API (404)
    ├── NotFound             the API is there, the object is not (404)
    ├── Conflict             somebody else changed or owns it (409): read again, then decide
    ├── Expired              the position in a list or watch is too old (410): list again
    ├── Invalid              the request itself was refused (400, 422, by an admission webhook …)
    ├── TooManyRequests   r  throttled (429)
    ├── Unavailable       r  the other side is there and cannot answer now (5xx)
    └── Broken               it answered with what its API does not promise: a login page, no JSON

Where an `r` stands, the same call may succeed later: `retry_after_s` says after how many seconds, and is None for all
others. adapters/api_errors.py is the one place where answers and failures of a connection become these.

Bugs are not in this tree: they crash with a traceback.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One of the causes that a refusal names: `field` and what is wrong with it (`reason` is the other side's word)."""

    reason: str
    message: str = ""
    field: str = ""


class AddonctlError(Exception):
    """What happened, and how to fix it.

    `what` is one sentence with the offending value in it; `fix` is an action the reader can take. `retry_after_s` are
    the seconds after which the same call may succeed; None: it will not by itself. `reason` and `causes` are the other
    side's own words for it (a Status' reason such as AlreadyExists, an error code of AWS), empty where it gave none.
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
            assert self.retry_after_s is not None, f"{type(self).__name__} is not cured by waiting {retry_after_s} s"
            assert retry_after_s >= 0, retry_after_s
            self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.what}\nFix: {self.fix}" if self.fix else self.what


class BadInput(AddonctlError):
    """What was given cannot be used."""


class NotAllowed(AddonctlError):
    """Credentials are missing, not accepted, or lack a permission; trying again does not help."""


class Forbidden(NotAllowed):
    """The credentials are accepted and lack a permission (403)."""


class NotReachable(AddonctlError):
    """There was no connection to the other side, so nothing was sent; trying again may help."""

    retry_after_s: float | None = 1.0


class TimedOut(NotReachable):
    """The request was sent and no whole answer came: what it asked for may have been done."""


class NotTrusted(NotReachable):
    """The other side could not prove who it is (TLS); that does not heal by itself."""

    retry_after_s = None


class NotServed(AddonctlError):
    """There is no such API: it is not installed, not enabled, or removed in this version (404)."""


class NotFound(AddonctlError):
    """The API is served, and has no such object (404)."""


class Conflict(AddonctlError):
    """Somebody else changed the object, owns the field, or is at work on it (409): read again before deciding.

    `reason` tells them apart: Kubernetes says AlreadyExists or Conflict; `causes` name the fields of other managers.
    """


class Expired(AddonctlError):
    """The position in a list or watch is no longer kept (410): begin again with a list."""


class Invalid(AddonctlError):
    """The request was judged and refused as such (400, 422, an admission webhook's no); `causes` name the fields."""


class TooManyRequests(AddonctlError):
    """Throttled (429). `retry_after_s` is what the other side asked for, where it did."""

    retry_after_s = 1.0


class Unavailable(AddonctlError):
    """The other side answered that it cannot answer now (5xx)."""

    retry_after_s = 1.0


class Broken(AddonctlError):
    """It answered, but not with what its API promises: a login page, a redirect, something that is no JSON."""
