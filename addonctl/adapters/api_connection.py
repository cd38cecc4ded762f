"""The connection to one API server: credentials, transport and retries; responses are returned raw. See ApiConnection.

kubeconfig.py selects cluster and user, credentials.py renews credentials, api_transport.py opens the sockets, and
api_errors.py turns failures into typed errors.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import addonctl
from addonctl.adapters import api_errors, credentials, kubeconfig
from addonctl.adapters.api_protocol import JSON, Response
from addonctl.adapters.api_transport import READ_TIMEOUT_S, Timeouts, Transport, authorization
from addonctl.adapters.credentials import Credential, Credentials
from addonctl.adapters.kubeconfig import Server
from addonctl.errors import AddonctlError, BadInput, Broken, NotReachable, TimedOut, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

_log = logging.getLogger(__name__)
# Retries of a read that the server was too busy for, and of one that could not connect.
_RETRIES_BUSY, _RETRIES_NO_CONNECTION = 4, 1
_BACKOFF_S = 0.3
# If the server asks for a longer wait than this, the caller decides whether to wait.
_WAIT_MAX_S = 10.0
# A server may close an idle connection just as it is reused, which shows at once.
_BROKEN_AT_ONCE_S = 1.0
# A page of 500 objects at etcd's limit (1.5 MiB each) is 750 MiB; more is not a response of an API server.
_BODY_BYTES, _PIECE_BYTES = 1 << 30, 1 << 20
# One event of a watch: an object at etcd's limit, as JSON.
_LINE_BYTES = 16 << 20
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_NO_API = "Check the address in the kubeconfig, VPN and proxy: no Kubernetes API answers there."


class Endpoint(Protocol):
    """The API server of an EKS cluster, as AWS describes it."""

    @property
    def name(self) -> str: ...
    @property
    def server(self) -> str: ...
    @property
    def ca_pem(self) -> str: ...


@dataclass(slots=True)
class Traffic:
    """What a connection has used so far."""

    requests: int = 0
    bytes: int = 0


@dataclass(eq=False)
class Connection:
    """One API server with credentials; the real implementation of ApiConnection."""

    name: str
    server: str
    context: str
    _at: Server = field(repr=False)
    _credentials: Credentials = field(repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    traffic: Traffic = field(default_factory=Traffic)
    pause: Callable[[float], None] = time.sleep
    retries: bool = True
    acting_as: tuple[tuple[str, str], ...] = ()  # headers of impersonation, in place of the kubeconfig's
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _way: "tuple[Credential, Transport, HTTPConnectionPool] | None" = field(default=None, repr=False)

    def impatient(self, timeout_s: float) -> "Connection":
        """Another one to the same server, which asks once and waits so long for each response: it counts failures."""
        timeouts = Timeouts.of(timeout_s)
        made = Connection(self.name, self.server, self.context, self._at, self._credentials, timeouts, retries=False)
        made.acting_as = self.acting_as
        return made

    # ── Questions ───────────────────────────────────────────────────────────────────────────────────────────────

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """See ApiConnection."""
        if not self.retries:
            return self._once(method, path, query, body, headers or {})
        busy = lost = 0
        while True:
            began = time.monotonic()
            try:
                return self._once(method, path, query, body, headers or {})
            except (TooManyRequests, Unavailable) as error:
                wait = max(_BACKOFF_S * 2**busy, _asked_s(error))
                again = method == "GET" or (isinstance(error, TooManyRequests) and not _is_of_a_budget(error))
                busy += 1
                if not again or busy > _RETRIES_BUSY or wait > _WAIT_MAX_S:
                    raise
                self.pause(wait)
            except NotReachable as error:
                late = isinstance(error, TimedOut) and time.monotonic() - began > _BROKEN_AT_ONCE_S
                lost += 1
                if error.retry_after_s is None or method != "GET" or late or lost > _RETRIES_NO_CONNECTION:
                    raise
                self.pause(_BACKOFF_S)

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = JSON) -> bytes:
        """The body of a GET."""
        return self.request("GET", path, query, headers={"Accept": accept}).body

    def review(self, path: str, body: bytes) -> bytes:
        """The response to a review of our own permissions, which stores nothing."""
        return self.request("POST", path, body=body).body

    def dry_run(self, path: str, body: bytes) -> bytes:
        """The response to a creation that runs all of admission and is not stored."""
        return self.request("POST", path, {"dryRun": "All"}, body).body

    @contextmanager
    def lines(
        self, path: str, query: Mapping[str, str] | None = None, silence_s: float = READ_TIMEOUT_S
    ) -> Iterator[Iterator[bytes]]:
        """See ApiConnection."""
        answer = self._answer("GET", path, query, None, {"Accept-Encoding": "identity"}, silence_s)
        try:
            if answer.status >= 300:
                raise self._refusal(path, answer)
            yield self._lines(path, answer)
        finally:
            answer.close()

    @contextmanager
    def forward(self, namespace: str, pod: str, port: int) -> Iterator[socket]:
        """See ApiConnection."""
        from addonctl.adapters import port_forward

        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/portforward?ports={port}"
        channel = self._upgraded(path)
        with port_forward.stream(channel, f"port {port} of pod {namespace}/{pod}") as end:
            yield end

    # ── One exchange ────────────────────────────────────────────────────────────────────────────────────────────

    def _once(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        answer = self._answer(method, path, query, body, headers, self.timeouts.read_s)
        try:
            if answer.status >= 300:
                raise self._refusal(path, answer)
            whole = self._whole(path, answer)
        finally:
            answer.release_conn()
        said = _lower(answer)
        wants_json = headers.get("Accept", JSON).startswith("application/json")
        if wants_json and ("text/html" in said.get("content-type", "") or whole.lstrip()[:1] == b"<"):
            raise Broken(f"{self.server}{path} answered with {api_errors.described(whole, said)}", _NO_API)
        return Response(status=answer.status, headers=said, body=whole)

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str],
        read_timeout_s: float,
    ) -> "BaseHTTPResponse":
        """The head of a response; on 401 the request is repeated with renewed credentials."""
        target = path + (f"?{urlencode(query)}" if query else "")
        began = time.monotonic()
        credential, generation = self._credentials.current()
        answer = self._send(credential, method, target, body, headers, read_timeout_s)
        if answer.status == 401 and self._credentials.refused(generation):
            answer.drain_conn()
            credential, _ = self._credentials.current()
            answer = self._send(credential, method, target, body, headers, read_timeout_s)
        with self._lock:
            self.traffic.requests += 1
        _log.debug("%s %s%s: %d after %.0f ms", method, self.server, path, answer.status, _ms(began))
        return answer

    def _send(
        self,
        credential: Credential,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        read_timeout_s: float,
    ) -> "BaseHTTPResponse":
        from urllib3 import HTTPHeaderDict, Timeout
        from urllib3.exceptions import HTTPError

        transport, pool = self._transport(credential)
        sent = HTTPHeaderDict(self._headers(transport, body is not None) | dict(headers))
        for name, value in self._identity(credential):
            sent.add(name, value)
        url = f"{transport.url.path}{target}"
        if transport.plain_proxy is not None:  # without TLS, a proxy needs the whole URL
            url = f"{transport.url.scheme}://{transport.url.netloc}{url}"
        try:
            return pool.urlopen(
                method,
                url,
                body=body,
                headers=sent,
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=None, read=read_timeout_s),  # Transport.open has its own timeout for connecting
            )
        except (HTTPError, OSError) as error:
            raise api_errors.failure(error, self._where, sent=True) from error

    def _identity(self, credential: Credential) -> list[tuple[str, str]]:
        if not self.acting_as:
            return list(credential.headers)
        own = (each for each in credential.headers if not each[0].startswith("Impersonate-"))
        return [*own, *self.acting_as]

    def _headers(self, transport: Transport, has_body: bool) -> dict[str, str]:
        agent = f"addonctl/{addonctl.__version__}"
        headers = {"Host": transport.url.netloc, "Accept": JSON, "Accept-Encoding": "gzip", "User-Agent": agent}
        if has_body:
            headers["Content-Type"] = JSON
        if transport.plain_proxy is not None and (secret := authorization(transport.plain_proxy)):
            headers["Proxy-Authorization"] = secret
        return headers

    def _transport(self, credential: Credential) -> "tuple[Transport, HTTPConnectionPool]":
        """The sockets for this credential's client certificate: a new certificate needs new sockets."""
        with self._lock:
            held = self._way
            same = held is not None and (held[0].certificate_pem, held[0].key_pem) == (
                credential.certificate_pem,
                credential.key_pem,
            )
            if held is None or not same:
                transport = Transport(self._at, credential, self._where, self.timeouts)
                held = self._way = credential, transport, transport.pool()
            return held[1], held[2]

    @property
    def _where(self) -> str:
        return f"{self.server} (context {self.context})" if self.context else self.server

    # ── Bodies ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _pieces(self, answer: "BaseHTTPResponse") -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        try:
            for piece in answer.stream(_PIECE_BYTES, decode_content=True):
                with self._lock:
                    self.traffic.bytes += len(piece)
                yield piece
        except (HTTPError, OSError) as error:
            raise api_errors.failure(error, self._where, sent=True) from error

    def _whole(self, path: str, answer: "BaseHTTPResponse") -> bytes:
        pieces, size = [], 0
        for piece in self._pieces(answer):
            size += len(piece)
            if size > _BODY_BYTES:
                answer.close()
                raise Broken(f"{self.server}{path} answered with more than {_BODY_BYTES >> 20} MiB", _NO_API)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _lines(self, path: str, answer: "BaseHTTPResponse") -> Iterator[bytes]:
        rest = b""
        for piece in self._pieces(answer):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line for line in whole if line)
            if len(rest) > _LINE_BYTES:
                raise Broken(f"{self.server}{path} sent a line of more than {_LINE_BYTES >> 20} MiB", _NO_API)
        if rest:
            yield rest

    def _refusal(self, path: str, answer: "BaseHTTPResponse") -> AddonctlError:
        return api_errors.refusal(self.server, path, answer.status, _lower(answer), self._whole(path, answer))

    # ── WebSocket ───────────────────────────────────────────────────────────────────────────────────────────────

    def _upgraded(self, path: str) -> Any:
        from websocket import WebSocketBadStatusException, WebSocketException

        from addonctl.adapters import port_forward

        for attempt in range(2):
            credential, generation = self._credentials.current()
            transport, _ = self._transport(credential)
            try:
                target = f"{transport.url.path}{path}"
                return port_forward.handshake(transport, target, self._identity(credential))
            except WebSocketBadStatusException as error:
                if error.status_code == 401 and attempt == 0 and self._credentials.refused(generation):
                    continue
                headers = {name.lower(): str(value) for name, value in (error.resp_headers or {}).items()}
                body = error.resp_body or b""
                raise api_errors.refusal(self.server, path, error.status_code, headers, body) from error
            except (WebSocketException, OSError) as error:
                raise api_errors.failure(error, self._where, sent=True) from error
        raise AssertionError("the second attempt returns or raises")


def _is_of_a_budget(error: AddonctlError) -> bool:
    """Whether a PodDisruptionBudget refuses an eviction: also a 429, but unrelated to the server's load."""
    return any(cause.reason == "DisruptionBudget" for cause in error.causes)


def _asked_s(error: AddonctlError) -> float:
    """How long the server asked to wait; 0 if it did not ask and the delay is the error type's own."""
    return float(vars(error).get("retry_after_s") or 0)


def _ms(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _lower(answer: "BaseHTTPResponse") -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


# ── Connecting ──────────────────────────────────────────────────────────────────────────────────────────────────


def connect(
    context: str | None = None,
    kubeconfig_path: str | None = None,
    *,
    eks: Endpoint | None = None,
    token: Callable[[], tuple[str, datetime]] | None = None,
    timeout_s: float | None = None,
    act_as: str = "",
    groups: Iterable[str] = (),
) -> Connection:
    """A connection by EKS endpoint and token, by kubeconfig context, or by the service account of our own pod.

    `act_as` is a user to impersonate, in `groups`. Raises BadInput for groups without a user.

    Neither the server nor a plugin is called yet. `timeout_s` is how long to wait for one response. Raises BadInput for
    a kubeconfig that cannot be used.
    """
    connection = _connected(context, kubeconfig_path, eks, token, Timeouts.of(timeout_s))
    connection.acting_as = tuple(kubeconfig.impersonation(act_as, groups))
    return connection


def _connected(
    context: str | None,
    kubeconfig_path: str | None,
    eks: Endpoint | None,
    token: Callable[[], tuple[str, datetime]] | None,
    timeouts: Timeouts,
) -> Connection:
    if eks is not None and token is not None:
        server = Server(name=eks.name, url=eks.server.rstrip("/"), ca_pem=eks.ca_pem)
        return Connection(eks.name, server.url, "", server, credentials.of_tokens(token), timeouts)
    in_cluster = bool(os.environ.get("KUBERNETES_SERVICE_HOST"))
    if not kubeconfig_path and not context and in_cluster and not kubeconfig.files():
        return by_service_account(_ACCOUNT, timeouts)
    chosen = kubeconfig.choose(context or "", kubeconfig_path or "")
    held = credentials.of_user(chosen.user, chosen.server, chosen.context)
    return Connection(chosen.server.name, chosen.server.url, chosen.context, chosen.server, held, timeouts)


def by_service_account(folder: Path, timeouts: Timeouts | None = None) -> Connection:
    """With the service account of our own pod; its token is read again when it is replaced."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        ca_pem = (folder / "ca.crt").read_text("ascii")
    except (OSError, UnicodeError) as error:
        why = f"The pod's service account in {folder} cannot be used"
        raise BadInput(why, "Mount its token: automountServiceAccountToken.") from error
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    server = Server(name="in-cluster", url=url, ca_pem=ca_pem)
    held = credentials.of_token_file(folder / "token")
    return Connection("in-cluster", url, "", server, held, timeouts or Timeouts())
