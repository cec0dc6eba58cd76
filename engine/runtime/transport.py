"""Wraps ZeroMQ sockets: bounded, never blocking, without a copy of large frames. The only import of zmq.

Inside the engine the hub binds two ROUTER sockets on Unix sockets in a private directory: one for feeders (orders and
keyframes), one for workers (jobs and results). Each feeder and worker connects a DEALER. Gateways push
to a PULL socket.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import parse_monitor_message

from engine.errors import ConfigError, ListenError
from engine.runtime.connection_limit import ConnectionLimit

Frame = bytes | memoryview

FRAMES_MAX = 64
"""No message of the engine has more frames; further frames are read and discarded."""
_QUEUE_MESSAGES_MAX = 4096
_GATEWAY_MESSAGES_MAX, _GATEWAY_FRAMES_MAX = 16, 8
_LARGE_BYTES = 65_536
_HANDSHAKE_MS_MAX = 10_000
_KEEPALIVE = {zmq.TCP_KEEPALIVE: 1, zmq.TCP_KEEPALIVE_IDLE: 60, zmq.TCP_KEEPALIVE_INTVL: 20, zmq.TCP_KEEPALIVE_CNT: 3}
"""A gateway whose line is dead is gone after two minutes, instead of never."""
_HANDSHAKE_FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_USER_ID = "User-Id"
"""The property of a message that holds its sender's key: pyzmq's authenticator sets it, and no peer can."""


class Channel:
    """One socket. No call blocks. `keyed`: it has CURVE, and every message tells whose it is. `watched`: counts
    handshakes that failed. `frames_max`: frames of a message that are kept, a ROUTER's name of the peer aside."""

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        routed: bool,
        keyed: bool = False,
        watched: "_Watched | None" = None,
        frames_max: int = FRAMES_MAX,
    ) -> None:
        self._frames_max = frames_max
        self._socket = socket
        self._watched = watched
        self._routed = routed
        self._keyed = keyed
        self.lost_sends = 0
        self.sender_key = ""
        """Public key of the peer that sent the message received last, in Z85; empty on a socket without CURVE."""

    def receive(self) -> list[Frame] | None:
        """Return the next message, or None. A ROUTER's first frame is the peer's name. Large frames are borrowed."""
        frames: list[Frame] = []
        try:
            part = self._socket.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        if self._keyed:
            self.sender_key = str(part.get(_USER_ID))
        while True:
            if len(frames) <= self._frames_max:
                buffer = part.buffer
                frames.append(buffer if len(buffer) > _LARGE_BYTES else bytes(buffer))
            if not part.more:
                return frames
            part = self._socket.recv(copy=False)

    def send(self, frames: Sequence[Frame], to: bytes = b"") -> bool:
        """Queue a message. Returns False if the peer is gone or its queue is full; the caller counts that."""
        message = [to, *frames] if self._routed else list(frames)
        try:
            last = len(message) - 1
            for place, frame in enumerate(message):
                is_small = len(frame) <= _LARGE_BYTES
                flags = zmq.NOBLOCK if place == last else zmq.NOBLOCK | zmq.SNDMORE
                self._socket.send(frame if is_small else _uncopied(frame), flags, copy=is_small)
        except (zmq.Again, zmq.ZMQError):
            self.lost_sends += 1
            return False
        return True

    def drain_failed_handshakes(self) -> int:
        """Return how many connections since the last call ended in their handshake: they spoke no CURVE, had a wrong
        key of ours, or were broken off, which is what a client may do that notices first that CURVE is spoken here.
        libzmq does not tell from where."""
        return 0 if self._watched is None else self._watched.drain_failed_handshakes()

    @property
    def socket(self) -> "zmq.Socket[bytes]":
        """For a Poller of this module only."""
        return self._socket

    @property
    def descriptor(self) -> int:
        """The file descriptor that signals activity; edge-triggered."""
        return int(self._socket.getsockopt(zmq.FD))

    def close(self) -> None:
        """Close, and discard what waits."""
        self._socket.close(linger=0)


@dataclass(frozen=True, slots=True)
class Curve:
    """Keys of an intake with CURVE. `admits(key, address)`: whether a gateway with this public key, in Z85, may connect
    from there.

    A thread of pyzmq calls it at each handshake.
    """

    secret_file: Path
    admits: Callable[[str, str], bool]


class _Authenticator(ThreadAuthenticator):
    """Answers libzmq's questions about keys, one after the other, in a thread. pyzmq's own does not tell addresses."""

    def __init__(self, context: "zmq.Context[Any]", admits: Callable[[str, str], bool]) -> None:
        super().__init__(context)
        self._admits = admits
        self._address = ""
        self.configure_curve_callback(domain="*", credentials_provider=self)

    async def handle_zap_message(self, msg: list[bytes]) -> None:
        """Answer one question; its fourth frame is the address of who connects."""
        self._address = msg[3].decode(errors="replace") if len(msg) > 3 else ""
        await super().handle_zap_message(msg)

    def callback(self, domain: str, key: bytes) -> bool:
        """Answer pyzmq's authenticator, which calls a method of this name."""
        return self._admits(key.decode("ascii"), self._address)


class Poller:
    """Waits for channels and plain file descriptors together."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()
        self._names: dict[object, str] = {}

    def watch(self, name: str, source: Channel | int) -> None:
        """Add a source; `wait` returns its name when it is readable."""
        key: object = source.socket if isinstance(source, Channel) else source
        self._names[key] = name
        self._poller.register(key, zmq.POLLIN)

    def watch_writable(self, name: str, channel: Channel) -> None:
        """Add a channel; `wait` returns its name when it takes another message."""
        self._names[channel.socket] = name
        self._poller.register(channel.socket, zmq.POLLOUT)

    def ignore(self, source: Channel | int) -> None:
        """Remove a source."""
        key: object = source.socket if isinstance(source, Channel) else source
        if self._names.pop(key, None) is not None:
            self._poller.unregister(key)

    def wait(self, timeout_ms: int) -> set[str]:
        """Return the names of readable sources; empty after `timeout_ms`."""
        return {self._names[key] for key, _ in self._poller.poll(timeout_ms)}


class Transport:
    """The sockets of one process."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._authenticator: ThreadAuthenticator | None = None
        self._watched: _Watched | None = None

    def bind_router(self, address: str) -> Channel:
        """Bind the hub's end for feeders or workers; a send to a peer that is gone fails. Raises ListenError."""
        socket = self._socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        _bind(socket, address)
        return Channel(socket, routed=True)

    def connect_dealer(self, address: str, name: str, *, queue_unconnected: bool = True) -> Channel:
        """Connect a feeder's or worker's end; the hub sees it as `name`.

        `queue_unconnected`: whether messages wait for the connection; if not, they are refused before.
        """
        socket = self._socket(zmq.DEALER)
        socket.setsockopt(zmq.IMMEDIATE, not queue_unconnected)
        socket.setsockopt(zmq.IDENTITY, name.encode())
        socket.connect(address)
        return Channel(socket, routed=False)

    def bind_pull(
        self,
        address: str,
        frame_bytes_max: int,
        curve: Curve | None = None,
        connections: ConnectionLimit | None = None,
    ) -> tuple[Channel, str]:
        """Bind the intake for gateways. Returns it with the address bound; port 0 and `*` are filled in.

        libzmq disconnects a peer that sends a frame beyond twice `frame_bytes_max`; smaller ones that are still too
        large are refused and counted. `connections`: bounds the connections over TCP; libzmq does not. Raises
        ListenError, or ConfigError if the CURVE keys cannot be used.
        """
        socket = self._socket(zmq.PULL)
        socket.setsockopt(zmq.RCVHWM, _GATEWAY_MESSAGES_MAX)
        socket.setsockopt(zmq.MAXMSGSIZE, 2 * frame_bytes_max)
        socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS_MAX)
        for option, value in _KEEPALIVE.items():
            socket.setsockopt(option, value)
        if curve is not None:
            self._secure(socket, curve)
        watched = None
        if connections is not None or curve is not None:
            watched = _Watched(socket, connections if address.startswith("tcp:") else None)
        _bind(socket, address)
        bound = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        if watched is not None:
            self._watched = watched
            watched.start(bound)
        is_keyed = curve is not None
        return Channel(socket, routed=False, keyed=is_keyed, watched=watched, frames_max=_GATEWAY_FRAMES_MAX), bound

    def connect_push(self, address: str, queue_messages_max: int = 16) -> Channel:
        """Connect a gateway's end; benchmarks and tests use it."""
        socket = self._socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, queue_messages_max)
        socket.connect(address)
        return Channel(socket, routed=False)

    def close(self) -> None:
        """Close all sockets and discard what waits."""
        if self._watched is not None:
            self._watched.stop()
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.destroy(linger=0)

    def _socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, _QUEUE_MESSAGES_MAX)
        socket.setsockopt(zmq.RCVHWM, _QUEUE_MESSAGES_MAX)
        return socket

    def _secure(self, socket: "zmq.Socket[bytes]", curve: Curve) -> None:
        try:
            public, secret = zmq.auth.load_certificate(curve.secret_file)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"intake.curve_secret_file = {str(curve.secret_file)!r}: {error}; give a key file"
            ) from error
        if secret is None:
            raise ConfigError(
                f"intake.curve_secret_file = {str(curve.secret_file)!r}: holds no secret key; give the file that ends "
                "in .key_secret"
            )
        self._authenticator = _Authenticator(self._context, curve.admits)
        self._authenticator.start()
        socket.curve_server = True
        socket.curve_publickey = public
        socket.curve_secretkey = secret


class _Watched:
    """Follows the connections of a socket in a thread of its own: libzmq waits for whoever reads its events, and a
    socket has one reader of them.

    It must be made before the socket is bound, or misses connections. `connections`: None if nobody counts them.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", connections: ConnectionLimit | None) -> None:
        self._socket = socket
        self._connections = connections
        events = _HANDSHAKE_FAILED | zmq.EVENT_MONITOR_STOPPED
        if connections is not None:
            events |= zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
        self._events = socket.get_monitor_socket(events)
        self._thread: threading.Thread | None = None
        self._failed_handshakes = 0
        self._lock = threading.Lock()

    def start(self, address: str) -> None:
        """Follow the connections to this address, which the socket is bound to."""
        port = int(address.rpartition(":")[2]) if address.startswith("tcp:") else 0
        self._thread = threading.Thread(target=self._follow, args=(port,), name="intake-connections", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following. In the thread that owns the socket."""
        self._socket.disable_monitor()
        if self._thread is not None:
            self._thread.join()

    def drain_failed_handshakes(self) -> int:
        """Return how many handshakes failed since the last call."""
        with self._lock:
            failed, self._failed_handshakes = self._failed_handshakes, 0
        return failed

    def _follow(self, port: int) -> None:
        with self._events:
            while True:
                event = parse_monitor_message(self._events.recv_multipart())
                if event["event"] == zmq.EVENT_MONITOR_STOPPED:
                    return
                if event["event"] & _HANDSHAKE_FAILED:
                    with self._lock:
                        self._failed_handshakes += 1
                elif self._connections is None:
                    continue
                elif event["event"] == zmq.EVENT_ACCEPTED:
                    self._connections.opened(event["value"], port)
                else:
                    self._connections.closed(event["value"])


class AsyncReceiver:
    """Calls `on_message` with each message of a channel, in a running asyncio or uvloop event loop.

    libzmq's descriptor is edge-triggered: call `receive_all` after every send, or a message may go unnoticed.
    """

    def __init__(self, channel: Channel, on_message: Callable[[list[Frame]], None]) -> None:
        self._channel = channel
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._descriptor = channel.descriptor
        self._loop.add_reader(self._descriptor, self.receive_all)
        self._loop.call_soon(self.receive_all)

    def receive_all(self) -> None:
        """Receive every message that has arrived."""
        while (message := self._channel.receive()) is not None:
            self._on_message(message)

    def close(self) -> None:
        """Stop receiving; the channel stays open."""
        self._loop.remove_reader(self._descriptor)


def _uncopied(frame: Frame) -> "Frame | zmq.Frame":
    """Return a borrowed frame as the zmq.Frame it came in: libzmq then counts a reference instead of copying."""
    if isinstance(frame, memoryview) and isinstance(frame.obj, zmq.Frame) and frame.nbytes == len(frame.obj):
        return frame.obj
    return frame


def _bind(socket: "zmq.Socket[bytes]", address: str) -> None:
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        why = os.strerror(error.errno or 0)
        raise ListenError(
            f"intake.listen = {address!r}: {why}; stop what listens there or choose another address"
        ) from error
