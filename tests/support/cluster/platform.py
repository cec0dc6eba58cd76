"""A media platform for tests that counts the visits that it has at once, by the shard that makes them."""

import selectors
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_TURN_S = 0.02
_REFUSAL = b"RTSP/1.0 404 Not Found\r\nCSeq: %d\r\n\r\n"


@dataclass
class _Visit:
    """One connection. `shard`: by its path, rtsp://platform/SHARD/NUMBER; 0 before it said so."""

    began_s: float
    shard: int = 0
    refused: bool = False


class CountingPlatform:
    """Answers each visit after `takes_s`, always that there is no such stream. `peak`: most visits at once so far."""

    def __init__(self, address: str, takes_s: float) -> None:
        self._server = socket.create_server((address, 0), backlog=1024)
        self._server.setblocking(False)
        self._takes_s = takes_s
        self._visits: dict[socket.socket, _Visit] = {}
        self._most: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.peak = 0

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def most(self, within_s: float = 2.5) -> dict[int, int]:
        """Watch for a while; return the most visits at once by shard, of those that made any."""
        with self._lock:
            self._most.clear()
        time.sleep(within_s)  # it is the highest number of a stretch of time that counts
        with self._lock:
            return dict(self._most)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for connection in (self._server, *self._visits):
            connection.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            while not self._stopped.is_set():
                ready = [key.fileobj for key, _ in selector.select(_TURN_S)]
                for connection in ready:
                    if isinstance(connection, socket.socket) and connection is not self._server:
                        self._read(connection, selector)
                if self._server in ready:  # those that ended first: they may have made room for these
                    self._accept(selector)
                self._answer()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except BlockingIOError:
                return
            self._visits[connection] = _Visit(time.monotonic())
            selector.register(connection, selectors.EVENT_READ)
            self.peak = max(self.peak, len(self._visits))

    def _read(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        try:
            request = connection.recv(4000)
        except OSError:
            request = b""
        if request:
            visit = self._visits[connection]
            visit.shard = visit.shard or int(request.split(b" ")[1].split(b"/")[3])
            with self._lock:
                now = Counter(each.shard for each in self._visits.values())
                self._most[visit.shard] = max(self._most[visit.shard], now[visit.shard])
        else:
            selector.unregister(connection)
            connection.close()
            del self._visits[connection]

    def _answer(self) -> None:
        over_s = time.monotonic() - self._takes_s
        for connection, visit in self._visits.items():
            if visit.shard and not visit.refused and visit.began_s <= over_s:
                visit.refused = True
                try:
                    connection.sendall(_REFUSAL % 1)
                except OSError:
                    continue  # its end is read next
