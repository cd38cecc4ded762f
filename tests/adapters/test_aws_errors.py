"""Exceptions of botocore's: each becomes the error whose type says whether trying again may help."""

import pytest
from botocore import exceptions as aws

from addonctl import errors
from addonctl.adapters import aws_errors


@pytest.mark.parametrize(
    ("code", "status", "expected", "again"),
    [
        ("AccessDeniedException", 403, errors.Forbidden, False),
        ("ExpiredTokenException", 403, errors.NotAllowed, False),
        ("ResourceNotFoundException", 404, errors.NotFound, False),
        ("UnknownOperationException", 404, errors.NotServed, False),
        ("ResourceInUseException", 409, errors.Conflict, False),
        ("InvalidParameterException", 400, errors.Invalid, False),
        ("ThrottlingException", 400, errors.TooManyRequests, True),
        ("ServerException", 500, errors.Unavailable, True),
        ("ServiceUnavailableException", 503, errors.Unavailable, True),
        ("SomethingNew", 403, errors.Forbidden, False),
        ("SomethingNew", 418, errors.Invalid, False),
    ],
)
def test_a_refusal_has_its_type(code: str, status: int, expected: type[errors.AddonctlError], again: bool) -> None:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = aws_errors.failure(aws.ClientError(response, "DescribeAddon"))  # type: ignore[arg-type]
    assert type(error) is expected
    assert (error.retry_after_s is not None) is again
    assert error.reason == code
    assert "no" in error.what


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (aws.ConnectTimeoutError(endpoint_url="https://eks.invalid"), errors.NotReachable),
        (aws.EndpointConnectionError(endpoint_url="https://eks.invalid"), errors.NotReachable),
        (aws.ProxyConnectionError(proxy_url="http://proxy.invalid"), errors.NotReachable),
        (aws.SSLError(endpoint_url="https://eks.invalid", error=ValueError("self-signed")), errors.NotTrusted),
        (aws.ReadTimeoutError(endpoint_url="https://eks.invalid"), errors.TimedOut),
        (aws.ConnectionClosedError(endpoint_url="https://eks.invalid"), errors.TimedOut),
        (aws.NoCredentialsError(), errors.NotAllowed),
        (aws.NoRegionError(), errors.BadInput),
        (KeyError("cluster"), errors.Broken),
    ],
)
def test_a_connection_that_fails_is_no_broken_answer(raised: Exception, expected: type[errors.AddonctlError]) -> None:
    error = aws_errors.failure(raised)
    assert type(error) is expected
    assert error.what[0].isupper()


def test_an_error_of_ours_stays_what_it_is() -> None:
    mine = errors.Conflict("busy")
    assert aws_errors.failure(mine) is mine
