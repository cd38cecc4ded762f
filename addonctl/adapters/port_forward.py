"""A port of a pod as a socket, by WebSocket through the API server (subprotocol v4.channel.k8s.io).

Every message starts with its channel: 0 is the port's stream, 1 its errors; the first message of each names the port. A
thread copies bytes between the WebSocket and one end of a socket pair; its errors are stored, not printed.
"""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from addonctl.adapters import redact
from addonctl.adapters.api_transport import CONNECT_TIMEOUT_S, Transport
from addonctl.errors import NotReachable

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PIECE_BYTES = 64 << 10
_PORT_BYTES = 2
_SHUTDOWN_S = 2.0


def handshake(transport: Transport, path: str, headers: Iterable[tuple[str, str]]) -> Any:
    """An open WebSocket. Raises websocket.WebSocketBadStatusException with the server's response if it refuses."""
    import websocket

    channel: Any = websocket.WebSocket(skip_utf8_validation=True)
    raw = transport.open()
    try:
        raw.settimeout(transport.timeouts.connect_s)
        scheme = "wss" if transport.url.scheme == "https" else "ws"
        channel.connect(
            f"{scheme}://{transport.url.netloc}{path}",
            socket=raw,
            header=[f"{name}: {value}" for name, value in headers],
            subprotocols=[_PROTOCOL],
            suppress_origin=True,
            redirect_limit=0,
        )
        raw.settimeout(None)
    except BaseException:
        raw.close()
        raise
    return channel


@contextlib.contextmanager
def stream(channel: Any, what: str) -> Iterator[socket.socket]:
    """One end of the stream, closed with the context. Raises NotReachable when the pod refuses the connection."""
    ours, theirs = socket.socketpair()
    carrier = _Carrier(channel, ours)
    carrier.start()
    theirs.settimeout(CONNECT_TIMEOUT_S)
    try:
        with theirs:
            yield theirs
    except OSError as error:
        why = carrier.refusal or redact.text(str(error))[:200]
        raise NotReachable(f"{what} cannot be reached: {why}") from error
    finally:
        theirs.close()
        carrier.join(_SHUTDOWN_S)
    if carrier.refusal:
        raise NotReachable(f"{what} cannot be reached: {carrier.refusal}")


class _Carrier(threading.Thread):
    """Copies bytes until either side ends, then closes both."""

    def __init__(self, channel: Any, end: socket.socket) -> None:
        super().__init__(name="addonctl-port-forward", daemon=True)
        self._channel, self._end = channel, end
        self._named: set[int] = set()
        self._waiting = selectors.DefaultSelector()
        self.refusal = ""

    def run(self) -> None:
        from websocket import WebSocketException

        try:
            with self._waiting:
                self._waiting.register(self._channel.sock, selectors.EVENT_READ)
                self._waiting.register(self._end, selectors.EVENT_READ)
                while self._carry():
                    pass
        except (OSError, WebSocketException):
            pass  # the other end sees the end of its stream
        finally:
            self._end.close()
            with contextlib.suppress(OSError, WebSocketException):
                self._channel.send_close()
            self._channel.shutdown()

    def _carry(self) -> bool:
        """One step; False at the end."""
        wire = self._channel.sock
        pending = getattr(wire, "pending", lambda: 0)()  # TLS may have buffered data that the socket no longer shows
        ready = [wire] if pending else [key.fileobj for key, _ in self._waiting.select()]
        if self._end in ready:
            piece = self._end.recv(_PIECE_BYTES)
            if not piece:
                return False
            self._channel.send_binary(bytes((_DATA,)) + piece)
        return wire not in ready or self._receive()

    def _receive(self) -> bool:
        from websocket import ABNF

        opcode, message = self._channel.recv_data(control_frame=True)  # pings are answered in there
        if opcode not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT):
            return bool(opcode != ABNF.OPCODE_CLOSE)
        channel, piece = (message[0], message[1:]) if message else (_DATA, b"")
        if channel not in self._named:  # the first message of each channel is the port's number
            self._named.add(channel)
            piece = piece[_PORT_BYTES:]
        if channel == _ERROR and piece:
            self.refusal = redact.text(" ".join(piece.decode(errors="replace").split()))[:200]
            return False
        if channel == _DATA and piece:
            self._end.sendall(piece)
        return True
