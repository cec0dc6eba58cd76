"""Tells systemd that the engine is ready, stops, and lives (sd_notify(3)); does nothing where systemd does not ask.

A unit with Type=notify and WatchdogSec= restarts a supervisor whose own loop hangs.
"""

import os
import socket

from engine.clock import NS_PER_S

_INTERVAL_NS = NS_PER_S
_EXTENSION_US = 60_000_000
"""How much longer systemd waits for the start, from each message on; the supervisor bounds the start itself."""


class Systemd:
    """For the supervisor. Takes NOTIFY_SOCKET out of the environment, so that no child can speak for it."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._next_ns = 0
        self._told_ready = False

    def turn(self, now_ns: int, ready: bool, compiles: bool = False) -> None:
        """Say once a second that the loop has a turn, and once that the engine is ready. `compiles`: before that, ask
        systemd to wait beyond TimeoutStartSec."""
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + _INTERVAL_NS
            self._tell("WATCHDOG=1")
            if compiles and not self._told_ready:
                self._tell(f"EXTEND_TIMEOUT_USEC={_EXTENSION_US}")
        if ready and not self._told_ready:
            self._told_ready = True
            self._tell("READY=1")

    def stopping(self) -> None:
        """Say that the engine stops."""
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(state.encode(), self._address)
        except OSError:
            pass  # systemd is busy or gone; it asks again by its watchdog
