"""What adapters ask of the way to one API server. api_connection.Connection is the real one; a simulator has its own.

tests/contracts/test_api_connection.py holds for every implementation.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from socket import socket
from typing import Protocol

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A success (2xx), whole. `headers` are in lower case. The body stays out of repr: it may hold a secret."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class ApiConnection(Protocol):
    """One API server with credentials, safe to use from several threads.

    All questions raise the errors of errors.py, by what the server said: NotAllowed (401), Forbidden (403), NotServed
    and NotFound (404), Conflict (409), Expired (410), Invalid (400, 422, admission), TooManyRequests (429),
    Unavailable (5xx), Broken (no Kubernetes API answers there); and by how far they came: NotReachable (nothing was
    sent), NotTrusted (TLS), TimedOut (sent, no whole answer: a write may have been carried out). BadInput and
    NotAllowed also come from a kubeconfig or plugin that gives no credentials.

    Credentials are renewed before they expire, and once for any number of answers of 401. A GET is tried again for
    some seconds while the server is overloaded; a write only where the server was too busy to take it (429, but for
    that of a PodDisruptionBudget, which refuses an eviction).
    """

    @property
    def name(self) -> str:
        """The cluster's name where it is known: of EKS, or of the kubeconfig's cluster entry."""
        ...

    @property
    def server(self) -> str:
        """URL of the API server."""
        ...

    @property
    def context(self) -> str:
        """The kubeconfig's context; empty where none was used."""
        ...

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request. `headers` go over those that are set here: Accept and Content-Type, both JSON."""
        ...

    def lines(
        self, path: str, query: Mapping[str, str] | None = None, silence_s: float = 30
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The lines of a GET's answer as they come, for watches and logs; ends where the server ends it.

        Raises TimedOut out of the iteration when nothing comes for `silence_s`, or the connection breaks.
        """
        ...

    def forward(self, namespace: str, pod: str, port: int) -> AbstractContextManager[socket]:
        """A stream to a port of a pod, through the API server. Raises NotReachable where nothing listens."""
        ...
