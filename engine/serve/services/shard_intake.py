"""Serves the call by which a front passes on what gateways pushed."""

from typing import Any

import grpc

from engine.serve.access.fronts_only import INTAKE_SERVICE, TAKE_METHOD
from engine.serve.port import PushPort


def add_to_server(pushes: PushPort, server: grpc.aio.Server) -> None:
    """Serve the call. FrontsOnly lets nobody but fronts make it."""

    async def take(raw: bytes, context: Any) -> bytes:
        del context
        return await pushes.take(raw)

    handlers: dict[str, Any] = {TAKE_METHOD: grpc.unary_unary_rpc_method_handler(take)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(INTAKE_SERVICE, handlers),))
