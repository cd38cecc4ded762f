"""Sockets to one API server: direct, through an HTTP or SOCKS5 proxy, with TLS; and HTTP over them with urllib3.

api_connection.py uses HTTP and port_forward.py WebSocket, both over the same route with the same client certificate.
"""

import base64
import contextlib
import ipaddress
import os
import socket
import ssl
import struct
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

from addonctl.adapters import redact
from addonctl.adapters.api_errors import failure
from addonctl.adapters.credentials import Credential
from addonctl.adapters.kubeconfig import Server
from addonctl.errors import BadInput, NotReachable

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool

# A control plane answers a TCP handshake at once or not at all; a page of 500 objects takes seconds at worst.
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for one connection and for one response."""

    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S

    @classmethod
    def of(cls, seconds: float | None) -> Self:
        """Both as given; None: the defaults."""
        return cls() if seconds is None else cls(connect_s=seconds, read_s=seconds)


# Connections kept open: one for each concurrent read (api_reader.PARALLEL), and one for writing.
_KEPT_OPEN = 5
_PROXY_ANSWER_BYTES = 64 << 10
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Transport:
    """The route to one server with one client certificate. Safe to use from several threads."""

    def __init__(self, server: Server, credential: Credential, where: str, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self.url = urlsplit(server.url)
        self.where = where
        self.host, self.port = self.url.hostname or "", self.url.port or _PORTS[self.url.scheme]
        self.proxy = _proxy(server, self.url)
        self._server_name = server.tls_server_name or self.host
        self._context = _tls(server, credential) if self.url.scheme == "https" else None
        self.plain_proxy = self.proxy if self._context is None and self.proxy and _speaks_http(self.proxy) else None

    def open(self) -> socket.socket:
        """A connected socket, with TLS if the server uses it. Raises NotReachable, NotTrusted or BadInput."""
        where = f"{self.where} through proxy {redact.url(self.proxy.geturl())}" if self.proxy else self.where
        with contextlib.ExitStack() as undo:
            try:
                plain = self._connected()
                undo.callback(plain.close)
                ready = _secured(plain, self._context, self._server_name) if self._context else plain
            except (OSError, ssl.CertificateError) as error:
                raise failure(error, where, sent=False) from error
            ready.settimeout(self.timeouts.read_s)
            undo.pop_all()
            return ready

    def _connected(self) -> socket.socket:
        if self.proxy is None:
            return socket.create_connection((self.host, self.port), self.timeouts.connect_s)
        host, port = self.proxy.hostname or "", self.proxy.port or _PORTS[self.proxy.scheme]
        to_proxy = socket.create_connection((host, port), self.timeouts.connect_s)
        try:
            if self.proxy.scheme == "https":
                to_proxy = ssl.create_default_context().wrap_socket(to_proxy, server_hostname=host)
            if not _speaks_http(self.proxy):
                _socks5(to_proxy, self.proxy, self.host, self.port)
            elif self.plain_proxy is None:
                _tunnel(to_proxy, self.proxy, self.host, self.port)
        except BaseException:
            to_proxy.close()
            raise
        return to_proxy

    def pool(self) -> "HTTPConnectionPool":
        """HTTP over these sockets, which are kept open between requests."""
        from urllib3 import HTTPConnectionPool, Timeout
        from urllib3.connection import HTTPConnection

        class Connection(HTTPConnection):
            def __init__(self, *args: Any, dial: Callable[[], socket.socket], **more: Any) -> None:
                super().__init__(*args, **more)
                self._dial = dial

            def connect(self) -> None:
                self.sock = self._dial()

        class Pool(HTTPConnectionPool):
            ConnectionCls = Connection

        timeout = Timeout(connect=self.timeouts.connect_s, read=self.timeouts.read_s)
        return Pool(self.host, self.port, maxsize=_KEPT_OPEN, timeout=timeout, retries=False, dial=self.open)


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tls(server: Server, credential: Credential) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The CAs of clusters lack extensions that strict verification (Python 3.13) requires; kubectl does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if server.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if server.ca_pem:
            context.load_verify_locations(cadata=server.ca_pem)
        elif not server.insecure:
            context.load_default_certs()
        if credential.certificate_pem and credential.key_pem:
            _load_chain(context, credential)
    except (ssl.SSLError, ValueError) as error:
        what = f"Certificate authority, client certificate or key of {server.name} cannot be used"
        why = getattr(error, "reason", None) or "no PEM"
        raise BadInput(f"{what}: {why}", "Check them in the kubeconfig, or log in again.") from error
    return context


def _load_chain(context: ssl.SSLContext, credential: Credential) -> None:
    """Python's ssl only loads a client certificate from a file: a temporary one, deleted right after."""
    handle, name = tempfile.mkstemp(prefix="addonctl-", suffix=".pem")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{credential.certificate_pem}\n{credential.key_pem}\n")
        context.load_cert_chain(name, password="")  # without one, OpenSSL would prompt on the terminal
    finally:
        Path(name).unlink()


def _secured(plain: socket.socket, context: ssl.SSLContext, name: str) -> socket.socket:
    if not isinstance(plain, ssl.SSLSocket):
        return context.wrap_socket(plain, server_hostname=name)
    from urllib3.util.ssltransport import SSLTransport  # TLS in the TLS of the proxy

    inner: Any = SSLTransport(plain, context, server_hostname=name)
    return inner  # type: ignore[no-any-return]


# ── Proxies ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _proxy(server: Server, url: SplitResult) -> SplitResult | None:
    """The kubeconfig's proxy, or else the environment's, unless NO_PROXY excludes the host."""
    given = server.proxy_url
    if given is None:
        found = urllib.request.getproxies_environment()
        given = found.get(url.scheme) or found.get("all") or ""
        if not given or _excepted(url.hostname or "", url.netloc, found.get("no", "")):
            return None
        given = given if "://" in given else f"http://{given}"
    proxy = urlsplit(given)
    try:
        usable = proxy.scheme in _PORTS and bool(proxy.hostname) and (proxy.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        known = ", ".join(f"{scheme}://" for scheme in _PORTS)
        raise BadInput(f"The proxy {redact.url(given)[:100]} cannot be used", f"It is a URL with {known}.")
    return proxy


def _excepted(host: str, netloc: str, rules: str) -> bool:
    """NO_PROXY: domains with their subdomains, addresses and networks, as in Go programs."""
    if not rules:
        return False
    if urllib.request.proxy_bypass_environment(netloc.rpartition("@")[2], {"no": rules}):  # type: ignore[attr-defined]
        return True
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        return any(address in network for network in map(_network, rules.split(",")) if network is not None)
    return False


def _network(rule: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(rule.strip().strip("[]"), strict=False)
    except ValueError:
        return None


def _speaks_http(proxy: SplitResult) -> bool:
    return proxy.scheme in ("http", "https")


def authorization(proxy: SplitResult) -> str:
    """The Proxy-Authorization for the user in the proxy's URL; empty if there is none."""
    if proxy.username is None:
        return ""
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Basic {base64.b64encode(words.encode()).decode()}"


def _tunnel(to_proxy: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    """CONNECT (RFC 9110, section 9.3.6)."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    secret = authorization(proxy)
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    to_proxy.sendall((head + (f"Proxy-Authorization: {secret}\r\n" if secret else "") + "\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        byte = to_proxy.recv(1)  # not one byte beyond the headers: what follows is TLS
        if not byte or len(answer) > _PROXY_ANSWER_BYTES:
            raise NotReachable(f"The proxy {redact.url(proxy.geturl())} gave no answer to CONNECT", "Check the proxy.")
        answer += byte
    status = answer.split(maxsplit=2)[1:2]
    if status[0:1] and status[0].startswith(b"2"):
        return
    code = status[0].decode(errors="replace")[:3] if status else "nothing"
    fix = "Put its credentials into the proxy's URL." if code == "407" else "Check the proxy and what it lets through."
    raise NotReachable(f"The proxy {redact.url(proxy.geturl())} refused to connect to {target}: {code}", fix)


# The replies of a SOCKS5 proxy (RFC 1928, section 6).
_SOCKS_REFUSALS = {
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
}


def _socks5(to_proxy: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    """SOCKS5 (RFC 1928, RFC 1929); the proxy resolves the name, for socks5 as for socks5h, as in kubectl."""
    where = f"The proxy {redact.url(proxy.geturl())}"
    user, password = (unquote(proxy.username or "").encode(), unquote(proxy.password or "").encode())
    to_proxy.sendall(b"\x05\x02\x00\x02" if user else b"\x05\x01\x00")
    method = _exactly(to_proxy, 2, where)[1]
    if method == 2:
        to_proxy.sendall(b"\x01" + bytes((len(user),)) + user + bytes((len(password),)) + password)
        if _exactly(to_proxy, 2, where)[1]:
            raise NotReachable(f"{where} does not accept its user", "Correct the credentials in the proxy's URL.")
    elif method:
        raise NotReachable(f"{where} asks for credentials", "Put them into the proxy's URL.")
    name = host.encode("idna")
    to_proxy.sendall(b"\x05\x01\x00\x03" + bytes((len(name),)) + name + struct.pack(">H", port))
    _, refused, _, kind = _exactly(to_proxy, 4, where)
    if refused:
        why = _SOCKS_REFUSALS.get(refused, f"code {refused}")
        raise NotReachable(f"{where} cannot connect to {host}:{port}: {why}", "Check the proxy and the address.")
    length = {1: 4, 4: 16}.get(kind) or _exactly(to_proxy, 1, where)[0]
    _exactly(to_proxy, length + 2, where)


def _exactly(stream: socket.socket, count: int, where: str) -> bytes:
    body = b""
    while len(body) < count:
        piece = stream.recv(count - len(body))
        if not piece:
            raise NotReachable(
                f"{where} is not a SOCKS5 proxy, or closed the connection", "Check proxy-url or HTTPS_PROXY."
            )
        body += piece
    return body
