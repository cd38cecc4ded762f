"""The way to one API server: credentials, TLS, proxies and retries; bodies come back raw.

The official client knows kubeconfigs, exec plugins, certificates and proxies; it renews exec credentials when they
expire. Added here: renewal on 401, bounded retries, and errors that say what, where and the fix without showing a
credential.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any, Protocol
from urllib.parse import urlencode

import addonctl
from addonctl.adapters import redact
from addonctl.adapters.api_errors import failure, refusal
from addonctl.errors import AddonctlError, BadInput, NotAllowed, NotReachable

# A control plane answers a TCP handshake at once or not at all; a page of 500 objects takes it seconds at worst.
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 30
RETRIES = 4
_RETRIED = (429, 500, 502, 503, 504)
# Renew an EKS token this long before AWS lets it lapse: a list may take that long.
_RENEW_BEFORE = timedelta(minutes=1)
JSON = "application/json"


class Endpoint(Protocol):
    """Where an EKS cluster's API server is, as AWS says."""

    @property
    def name(self) -> str: ...
    @property
    def server(self) -> str: ...
    @property
    def ca_pem(self) -> str: ...


@dataclass(slots=True)
class Traffic:
    """What a connection has cost so far."""

    requests: int = 0
    bytes: int = 0


@dataclass
class Connection:
    """One API server with credentials. Safe to use from several threads."""

    name: str
    server: str
    context: str
    _configuration: Any
    _reload: Callable[[Any], None]
    traffic: Traffic = field(default_factory=Traffic)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _rest: Any = None

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = JSON) -> bytes:
        """The body of a GET. Raises an AddonctlError whose type says whether trying again may help."""
        return self._request("GET", path + (f"?{urlencode(query)}" if query else ""), accept, None)

    def review(self, path: str, body: bytes) -> bytes:
        """The answer to a review of one's own rights, which stores nothing."""
        return self._request("POST", path, JSON, body)

    def dry_run(self, path: str, body: bytes) -> bytes:
        """The answer to a creation that goes through all of admission and is not stored."""
        return self._request("POST", f"{path}?dryRun=All", JSON, body)

    @contextmanager
    def forward(self, namespace: str, pod: str, port: int) -> Iterator[socket]:
        """A stream to a port of a pod, through the API server. Raises NotReachable when there is none."""
        from kubernetes import client
        from kubernetes.stream import portforward
        from websocket import WebSocketException

        api = client.CoreV1Api(client.ApiClient(self._configuration))
        ask = api.connect_get_namespaced_pod_portforward
        try:
            stream = portforward(ask, pod, namespace, ports=str(port))
            with closing(stream.socket(port)) as end:
                end.settimeout(CONNECT_TIMEOUT_S)
                yield end
                refused = stream.error(port)
        except (client.ApiException, WebSocketException, OSError) as error:
            why = redact.text(" ".join(str(error).split()))[:200]
            raise NotReachable(f"port {port} of pod {namespace}/{pod} cannot be reached: {why}") from error
        if refused:
            raise NotReachable(f"port {port} of pod {namespace}/{pod} cannot be reached: {refused.strip()[:200]}")

    def _request(self, method: str, path: str, accept: str, body: bytes | None) -> bytes:
        response = self._send(method, path, accept, body)
        if response.status == 401:
            with self._lock:
                self._renew()
            response = self._send(method, path, accept, body)
        data: bytes = response.read()
        with self._lock:
            self.traffic.requests += 1
            self.traffic.bytes += len(data)
        if response.status >= 400:
            headers = {key.lower(): value for key, value in response.getheaders().items()}
            raise refusal(self.server, path, response.status, headers, data)
        return data

    def _send(self, method: str, path: str, accept: str, body: bytes | None) -> Any:
        import json

        from urllib3 import exceptions

        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": f"addonctl/{addonctl.__version__}"}
        try:
            with self._lock:
                rest = self._client()
                token = self._configuration.get_api_key_with_prefix("BearerToken")
            if token:
                headers["authorization"] = token
            if body is not None:
                headers["Content-Type"] = JSON
            return rest.request(
                method, self.server + path, headers=headers, body=json.loads(body) if body else None,
                _request_timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            )  # fmt: skip
        except exceptions.HTTPError as error:
            raise self._no_answer(error) from error

    def _client(self) -> Any:
        from kubernetes.client.rest import RESTClientObject

        if self._rest is None:
            if not self._configuration.verify_ssl:  # the kubeconfig says so; urllib3 would warn at every request
                import urllib3

                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            self._rest = RESTClientObject(self._configuration)
        return self._rest

    def _renew(self) -> None:
        self._reload(self._configuration)
        self._rest = None  # a plugin may have given new certificates, which the pool holds

    def _no_answer(self, error: Exception) -> AddonctlError:
        from urllib3 import exceptions

        where = f"{self.server} (context {self.context or '-'})"
        cause: Any = getattr(error, "reason", None) or error
        return failure(
            cause, where, sent=not isinstance(cause, exceptions.NewConnectionError | exceptions.ConnectTimeoutError)
        )


# ── Ways in ─────────────────────────────────────────────────────────────────────────────────────────────────────


def connect(
    context: str | None = None,
    kubeconfig: str | None = None,
    *,
    eks: Endpoint | None = None,
    token: Callable[[], tuple[str, datetime]] | None = None,
) -> Connection:
    """A connection by EKS endpoint and token, by kubeconfig context, or by the service account of the pod we are in.

    Nothing is asked of the server yet. Raises BadInput for a kubeconfig that cannot be used, NotAllowed where its
    plugin gives no credentials.
    """
    if eks is not None and token is not None:
        return _by_eks(eks, token)
    if kubeconfig is None and context is None and not _kubeconfig_files() and _in_cluster():
        return _by_service_account()
    return _by_kubeconfig(context, kubeconfig)


def _configuration() -> Any:
    from kubernetes import client
    from urllib3.util import Retry

    configuration = client.Configuration()
    configuration.retries = Retry(
        total=RETRIES, connect=1, read=0, status=RETRIES, redirect=0, backoff_factor=0.3, backoff_max=5,
        status_forcelist=_RETRIED, allowed_methods=("GET",), raise_on_status=False,
    )  # fmt: skip
    return configuration


def _kubeconfig_files() -> list[str]:
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return [path for path in named.split(os.pathsep) if path and Path(path).exists()]


def _in_cluster() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def _by_kubeconfig(context: str | None, path: str | None) -> Connection:
    import yaml
    from kubernetes import config

    given = path or os.environ.get("KUBECONFIG") or None
    if path is not None and not Path(path).exists():
        raise BadInput(f"kubeconfig {path} does not exist", "Give its path with --kubeconfig or KUBECONFIG.")
    if path is None and not _kubeconfig_files():
        raise BadInput(
            "No kubeconfig was found, and this is no pod with a service account",
            "Give --kubeconfig, or --eks CLUSTER --region REGION; or read files with -f or --snapshot.",
        )
    with _quiet_log():
        try:
            contexts, active = config.list_kube_config_contexts(given)  # type: ignore[no-untyped-call]
        except (config.ConfigException, OSError, ValueError, TypeError, yaml.YAMLError) as error:
            why = redact.text(" ".join(str(error).split()))[:300]
            raise BadInput(f"The kubeconfig cannot be used: {why}", "Check it with `kubectl config view`.") from error
    names = [entry["name"] for entry in contexts]
    name = context or (active or {}).get("name") or ""
    if name not in names:
        raise BadInput(f"There is no context {name!r} in the kubeconfig", f"There are: {', '.join(names) or 'none'}.")

    def load(configuration: Any) -> None:
        _load_kubeconfig(given, name, configuration)

    configuration = _configuration()
    load(configuration)
    entry = next(entry["context"] for entry in contexts if entry["name"] == name)
    return Connection(
        name=str(entry.get("cluster") or name), server=str(configuration.host), context=name,
        _configuration=configuration, _reload=load,
    )  # fmt: skip


def _load_kubeconfig(path: str | None, context: str, configuration: Any) -> None:
    """Loads credentials; the client logs a failing plugin and goes on without any, which is an error here."""
    import yaml
    from kubernetes import config

    configuration.api_key.pop("BearerToken", None)
    with _quiet_log() as log:
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                path, context, configuration, persist_config=False
            )
        except (config.ConfigException, OSError, ValueError, TypeError, yaml.YAMLError) as error:
            why = redact.text(str(error))[:300]
            raise BadInput(f"Context {context!r} cannot be used: {why}", "Check it with `kubectl`.") from error
    if log and not configuration.api_key.get("BearerToken"):
        why = redact.text("; ".join(log))[:300]
        raise NotAllowed(f"The credential plugin of context {context!r} failed: {why}", "Run it by hand, or log in.")


@contextmanager
def _quiet_log() -> Iterator[list[str]]:
    """What the client logs through the root logger while credentials load; it would otherwise print to stderr."""
    caught: list[str] = []

    class Catch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            caught.append(record.getMessage())

    handler, root = Catch(), logging.getLogger()
    root.addHandler(handler)
    try:
        yield caught
    finally:
        root.removeHandler(handler)


def _by_service_account() -> Connection:
    from kubernetes import config

    def load(configuration: Any) -> None:
        try:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise BadInput(f"The pod's service account cannot be used: {error}", "Mount its token.") from error

    configuration = _configuration()
    load(configuration)
    host = str(configuration.host)
    return Connection(name="in-cluster", server=host, context="", _configuration=configuration, _reload=load)


def _by_eks(endpoint: Endpoint, token: Callable[[], tuple[str, datetime]]) -> Connection:
    """By AWS's word on the endpoint, with a token presigned in this process."""
    import tempfile

    configuration = _configuration()
    configuration.host = endpoint.server.rstrip("/")
    with tempfile.NamedTemporaryFile("w", suffix=".crt", delete=False) as handle:  # urllib3 reads a path only
        handle.write(endpoint.ca_pem)
    configuration.ssl_ca_cert = handle.name
    until = [datetime.min.replace(tzinfo=UTC)]

    def load(configured: Any) -> None:
        text, until[0] = token()
        configured.api_key["BearerToken"] = f"Bearer {text}"

    def renew(configured: Any) -> None:
        if datetime.now(UTC) >= until[0] - _RENEW_BEFORE:
            load(configured)

    configuration.refresh_api_key_hook = renew
    return Connection(
        name=endpoint.name, server=configuration.host, context="", _configuration=configuration, _reload=load
    )
