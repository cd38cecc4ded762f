"""The protocol between adapters and the connection to one API server. api_connection.Connection implements it.

tests/contracts/test_api_connection.py is the contract of every implementation.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from socket import socket
from typing import Protocol

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete success response (2xx). `headers` are in lower case. The body is not in the repr: it may be secret."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class ApiConnection(Protocol):
    """One API server with credentials, safe to use from several threads.

    All methods raise the errors of errors.py, by the response: NotAllowed (401), Forbidden (403), NotServed and
    NotFound (404), Conflict (409), Expired (410), Invalid (400, 422, admission), TooManyRequests (429), Unavailable
    (5xx), Broken (not a Kubernetes API); and by how far the request came: NotReachable (nothing was sent), NotTrusted
    (TLS), TimedOut (sent, no complete response: a write may have taken effect). BadInput and NotAllowed are also raised
    when a kubeconfig or plugin gives no credentials.

    Credentials are renewed before they expire, and once for any number of 401 responses. A GET is retried for some
    seconds while the server is overloaded; a write only if the server was too busy to accept it (429, except that of a
    PodDisruptionBudget, which refuses an eviction).
    """

    @property
    def name(self) -> str:
        """The cluster's name, from EKS or from the kubeconfig's cluster entry."""
        ...

    @property
    def server(self) -> str:
        """The URL of the API server."""
        ...

    @property
    def context(self) -> str:
        """The kubeconfig context; empty if none was used."""
        ...

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request. `headers` override the defaults: Accept and Content-Type, both JSON."""
        ...

    def lines(
        self, path: str, query: Mapping[str, str] | None = None, silence_s: float = 30
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The lines of a GET response as they arrive, for watches and logs; ends when the server ends it.

        The iteration raises TimedOut when nothing arrives for `silence_s`, or the connection breaks.
        """
        ...

    def forward(self, namespace: str, pod: str, port: int) -> AbstractContextManager[socket]:
        """A stream to a port of a pod, through the API server. Raises NotReachable when nothing listens."""
        ...
