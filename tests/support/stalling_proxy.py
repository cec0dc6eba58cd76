"""A TCP proxy that can stop to forward, as a link does that is cut: connections stay, and nothing comes any more."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class StallingProxy:
    """`port`: where it listens."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stalled: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> int:
        """Forward nothing more on the connections that are there; new ones work. Returns how many there are."""
        with self._lock:
            self._stalled |= self._open
            return len(self._open) // 2

    def close(self) -> None:
        self._listener.close()
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                engine = socket.create_connection(("127.0.0.1", self._to_port))
                with self._lock:
                    self._open |= {caller, engine}
                for source, to in ((caller, engine), (engine, caller)):
                    threading.Thread(target=self._forward, args=(source, to), daemon=True).start()

    def _forward(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if source not in self._stalled:
                    to.sendall(data)
        if source not in self._stalled:
            with suppress(OSError):
                to.shutdown(socket.SHUT_RDWR)


@contextmanager
def stalling_proxy(to_port: int) -> Iterator[StallingProxy]:
    """Run a proxy to a port of this machine."""
    proxy = StallingProxy(to_port)
    try:
        yield proxy
    finally:
        proxy.close()
