"""Turns boto3's exceptions into our errors: rejections by AWS and failed connections."""

from collections.abc import Mapping
from typing import Any

from addonctl.adapters import redact
from addonctl.errors import (
    AddonctlError,
    BadInput,
    Broken,
    Conflict,
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

_MESSAGE_CHARACTERS = 300
_LOG_IN = "Log in to AWS, or give --profile."
_WAY = "Check network, VPN and proxy, and --region."
_AGAIN = "Try again."

_BY_CODE: Mapping[str, tuple[type[AddonctlError], str]] = {
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation"),
        (Forbidden, "Allow the action; `addonctl rbac --iam` prints the policy."),
    ),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "AuthFailure",
            "RequestExpired",
            "SignatureDoesNotMatch",
        ),
        (NotAllowed, _LOG_IN),
    ),
    **dict.fromkeys(
        ("ResourceNotFoundException", "NotFoundException"), (NotFound, "Check the cluster's name and --region.")
    ),
    **dict.fromkeys(("UnknownOperationException", "InvalidAction"), (NotServed, "")),
    "404": (NotServed, "Check AWS_ENDPOINT_URL and the proxy: AWS itself gives its refusals a name."),
    "ResourceInUseException": (Conflict, "Follow the update in progress, then decide again."),
    **dict.fromkeys(
        ("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded"),
        (TooManyRequests, "Try again later; AWS limits this account's requests."),
    ),
    **dict.fromkeys(("InvalidParameterException", "InvalidRequestException", "ClientException"), (Invalid, "")),
}
_BY_STATUS: Mapping[int, type[AddonctlError]] = {401: NotAllowed, 403: Forbidden, 404: NotFound, 409: Conflict}


def failure(error: Exception) -> AddonctlError:
    """The error for a botocore exception, or for a response of an unexpected shape. `reason` is AWS's error code."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    said = _line(error)
    match error:
        case AddonctlError():
            return error
        case aws.ClientError():
            return _refusal(error.response, said)
        case aws.NoRegionError():
            return BadInput("No AWS region is set", "Give --region, or set AWS_REGION.")
        case (
            aws.NoCredentialsError()
            | aws.PartialCredentialsError()
            | aws.TokenRetrievalError()
            | aws.SSOError()
            | aws.CredentialRetrievalError()
        ):
            return NotAllowed(f"No AWS credentials: {said}", _LOG_IN)
        case ResponseParserError():  # what it answered may be any page, and is not quoted
            return Broken("What answers for AWS sent neither JSON nor XML of its API (a login page or proxy?)", _WAY)
        case aws.SSLError():
            return NotTrusted(
                f"TLS to AWS failed: {said}", "Check the proxy, and AWS_CA_BUNDLE where it has its own CA."
            )
        case aws.ReadTimeoutError() | aws.ConnectionClosedError():
            return TimedOut(f"AWS gave no whole answer: {said}", _AGAIN)
        case aws.ConnectionError() | aws.HTTPClientError():
            return NotReachable(f"AWS cannot be reached: {said}", _WAY)
        case (
            _
        ):  # AttributeError: this boto3 is older than the operation; KeyError and TypeError: not the documented shape
            return Broken(f"AWS's answer is not what its API promises: {type(error).__name__}: {said}")


def _refusal(response: Mapping[str, Any], said: str) -> AddonctlError:
    code = str((response.get("Error") or {}).get("Code") or "")
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    if code in _BY_CODE:
        kind, fix = _BY_CODE[code]
        return kind(said, fix, reason=code)
    if isinstance(status, int) and status >= 500:
        return Unavailable(said, _AGAIN, reason=code)
    kind = _BY_STATUS.get(status or 0, Invalid)
    return kind(said, _LOG_IN if kind is NotAllowed else "", reason=code)


def _line(error: Exception) -> str:
    return redact.text(" ".join(str(error).split()))[:_MESSAGE_CHARACTERS]
