"""A small API server on loopback that plays the awkward moments, and real proxies before it; all in this process."""

import base64
import contextlib
import hashlib
import json
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    client: str = ""  # common name of the client's certificate
    port: int = 0  # of the client's end: one a connection

    @property
    def user(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`body` as it is; `pieces` one chunk each, with `gap` between them; `cut` hangs up in the middle."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    cut: bool = False
    wait: threading.Event | None = None


def refusal(code: int, message: str = "no", **more: Any) -> Answer:
    """A Status, as an API server refuses."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, **more}
    return Answer(status=code, body=status)


def _secured(plain: Any, tls: ssl.SSLContext | None) -> Any:
    return plain if tls is None else tls.wrap_socket(plain, server_side=True)


Route = Callable[[Request], Answer]


class ApiServer(ThreadingHTTPServer):
    """Answers every request by `route` and remembers them."""

    daemon_threads = True

    def __init__(self, route: Route, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.route, self.tls, self.seen = route, tls, list[Request]()
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError), _secured(request, self.tls) as stream:
            super().finish_request(stream, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up or does not trust us is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        subject = dict(pair[0] for pair in self._certificate().get("subject", ()))
        request = Request(
            method=self.command,
            path=self.path,
            headers=headers,
            body=body,
            client=subject.get("commonName", ""),
            port=self.client_address[1],
        )
        with self.server.lock:
            self.server.seen.append(request)
        answer = self.server.route(request)
        if headers.get("upgrade") == "websocket" and answer.status == 101:
            self._port_forward(headers["sec-websocket-key"], answer.body)
        else:
            self._say(answer)

    do_GET = do_POST = do_PATCH = do_DELETE = _any

    def _certificate(self) -> dict[str, Any]:
        return (self.connection.getpeercert() or {}) if isinstance(self.connection, ssl.SSLSocket) else {}

    def _say(self, answer: Answer) -> None:
        if answer.wait is not None:
            answer.wait.wait(10)
        data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.pieces:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in answer.pieces:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()
            if not answer.cut:
                self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(data) + (10 if answer.cut else 0)))
            self.end_headers()
            self.wfile.write(data)
        self.close_connection = self.close_connection or answer.cut

    def _port_forward(self, key: str, behave: "Callable[[Channel], None]") -> None:
        accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.wfile.flush()
        behave(Channel(self.rfile, self.wfile))
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@dataclass
class Channel:
    """The server's end of a WebSocket, in frames (RFC 6455, section 5)."""

    reads: Any
    writes: Any

    def send(self, payload: bytes, opcode: int = 2) -> None:
        short = len(payload) < 126
        length = struct.pack(">B", len(payload)) if short else struct.pack(">BQ", 127, len(payload))
        self.writes.write(bytes((0x80 | opcode,)) + length + payload)
        self.writes.flush()

    def receive(self) -> tuple[int, bytes]:
        """(opcode, payload); (8, b"") at the end."""
        head = self.reads.read(2)
        if len(head) < 2:
            return 8, b""
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.reads.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.reads.read(8))[0]
        mask = self.reads.read(4)
        payload = self.reads.read(length)
        return head[0] & 0xF, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def begin(self, port: int = 53) -> None:
        """What kubelet sends first: each channel with its port."""
        for channel in (b"\x00", b"\x01"):
            self.send(channel + struct.pack("<H", port))


# ── Certificates ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def issue(name: str, by: Issued | None = None, *names: x509.GeneralName) -> Issued:
    """A certificate for `name`; an authority where nobody signs it. As lean as a cluster's own: no key identifiers."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Issued(builder.sign(by.key if by else key, hashes.SHA256()), key)


@cache
def authority() -> Issued:
    return issue("authority")


@cache
def loopback() -> Issued:
    return issue("server", authority(), x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost"))


def server_tls(folder: Path, issued: Issued | None = None, *, asks: bool = False) -> ssl.SSLContext:
    """TLS of a server; `asks`: it wants a certificate of the client's."""
    path = folder / "server.pem"
    one = issued or loopback()
    path.write_text(one.pem + one.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if asks:
        context.load_verify_locations(cadata=authority().pem)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


# ── Proxies ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that speaks CONNECT or SOCKS5, and connects to `target` whatever name is asked for."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, kind: str, target: int, user: str = "", tls: ssl.SSLContext | None = None) -> None:
        handlers = {"http": _Connect, "socks5": _Socks5}
        super().__init__(("127.0.0.1", 0), handlers[kind])
        self.target, self.user, self.tls, self.asked = target, user, tls, list[str]()

    def url(self, scheme: str) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{scheme}://{user}127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError), _secured(request, self.tls) as stream:
            super().finish_request(stream, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Relay(socketserver.BaseRequestHandler):
    server: Proxy

    def relay(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as far:
            sides = {self.request: far, far: self.request}
            while True:
                held = [side for side in sides if isinstance(side, ssl.SSLSocket) and side.pending()]
                for side in held or select.select(list(sides), [], [], 10)[0]:
                    piece = side.recv(65536)
                    if not piece:
                        return
                    sides[side].sendall(piece)


class _Connect(_Relay):
    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(1)
        line, *headers = head.decode().split("\r\n")
        self.server.asked.append(line.split()[1])
        expected = f"Proxy-Authorization: Basic {base64.b64encode(self.server.user.encode()).decode()}"
        if self.server.user and expected not in headers:
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.relay()


class _Socks5(_Relay):
    def handle(self) -> None:
        _, count = self.request.recv(2)
        methods = self.request.recv(count)
        method = 2 if self.server.user else 0
        if method not in methods:
            self.request.sendall(b"\x05\xff")
            return
        self.request.sendall(bytes((5, method)))
        if method and not self._known():
            return
        _, _, _, _, length = self.request.recv(5)
        name = self.request.recv(length).decode()
        port = struct.unpack(">H", self.request.recv(2))[0]
        self.server.asked.append(f"{name}:{port}")
        refused = 5 if name.startswith("refused") else 0
        self.request.sendall(bytes((5, refused, 0, 1, 0, 0, 0, 0, 0, 0)))
        if not refused:
            self.relay()

    def _known(self) -> bool:
        _, length = self.request.recv(2)
        user = self.request.recv(length).decode()
        password = self.request.recv(self.request.recv(1)[0]).decode()
        good = f"{user}:{password}" == self.server.user
        self.request.sendall(b"\x01\x00" if good else b"\x01\x01")
        return good


@contextlib.contextmanager
def running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(2)


def kubeconfig_of(folder: Path, server: str) -> str:
    """The path of a kubeconfig for a server without TLS."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "good"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
    }
    (folder / "config").write_text(json.dumps(document))
    return f"{folder}/config"
