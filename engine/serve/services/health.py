"""The standard health service of gRPC: SERVING while the engine serves and can do its work.

The thread of the gRPC server asks for itself: a hub whose own thread hangs would not say so.
"""

import asyncio
from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

_INTERVAL_S = 1.0


class HealthReporter:
    """For the event loop of the server. `names`: of the services; the empty one is the server as a whole. `unready`:
    returns why the engine cannot do its work."""

    def __init__(self, names: Sequence[str], unready: Callable[[], Sequence[str]]) -> None:
        self._names = names
        self._unready = unready
        self._servicer = HealthServicer()
        self._ready = False
        self._shown: int | None = None

    def add_to_server(self, server: grpc.aio.Server) -> None:
        """Add the service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def set_ready(self, ready: bool) -> None:
        """Set whether the engine serves at all."""
        self._ready = ready
        await self.show()

    async def show(self) -> None:
        """Tell who watches, if it has changed."""
        status = health_pb2.HealthCheckResponse
        shown = status.SERVING if self._ready and not self._unready() else status.NOT_SERVING
        if shown == self._shown:
            return
        self._shown = shown
        for name in self._names:
            await self._servicer.set(name, shown)

    async def keep_showing(self) -> None:
        """Do so once a second, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await self.show()
