"""Accepts the connections of an asyncio server, with TLS or without.

asyncio's own server bounds neither how many connections are still in their TLS handshake, nor tells when one fails.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from engine.runtime.log import logger

HANDSHAKE_S = 10.0
"""Longest time for a TLS handshake."""
_RETRY_S = 0.1
"""Wait after a connection could not be accepted, which means that there is no descriptor left."""


class Acceptor:
    """Serves a listening socket in the running event loop, from now on.

    `protocol()`: returns what serves a connection. `context`: of TLS; None without; it may be replaced at any time, and
    holds for new connections. `handshakes_max`: of TLS at once; beyond it the oldest makes room. `failed(host)`: is
    told of each handshake that the peer got wrong; not of those that it only broke off.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext | None,
        handshakes_max: int,
        failed: Callable[[str], None],
    ) -> None:
        self.context = context
        self._listener = listener
        self._protocol = protocol
        self._handshakes_max = handshakes_max
        self._failed = failed
        self._handshakes: dict[asyncio.Task[None], None] = {}
        self._task = asyncio.get_running_loop().create_task(self._accept())

    def close(self) -> None:
        """Accept no more, and end the handshakes; connections that are served go on."""
        self._task.cancel()
        for handshake in tuple(self._handshakes):
            handshake.cancel()

    async def wait_closed(self) -> None:
        """Wait until nothing is accepted any more."""
        await asyncio.gather(self._task, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except OSError as error:
                logger().warning("a connection could not be accepted", detail=error.strerror or str(error))
                await asyncio.sleep(_RETRY_S)
                continue
            if len(self._handshakes) >= self._handshakes_max:
                oldest = next(iter(self._handshakes))
                del self._handshakes[oldest]
                oldest.cancel()
            handshake = loop.create_task(self._begin(connection, address))
            self._handshakes[handshake] = None
            handshake.add_done_callback(lambda done: self._handshakes.pop(done, None))

    async def _begin(self, connection: socket.socket, address: Any) -> None:
        options: dict[str, Any] = {}
        if self.context is not None:
            options = {"ssl": self.context, "ssl_handshake_timeout": HANDSHAKE_S}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection, **options)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return
        except ssl.SSLError:
            self._failed(str(address[0]))
        except OSError:  # it went away, or did not finish in time
            return
