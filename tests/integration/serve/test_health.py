"""The health service follows what keeps the engine from its work, without the hub's thread having to say so."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engine.serve.services.health import HealthReporter

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_health_is_not_serving_while_there_is_a_reason_against_it() -> None:
    reasons: list[str] = []

    async def run() -> list[int]:
        server = grpc.aio.server()
        reporter = HealthReporter(("", "patrol.v1.PatrolService"), lambda: reasons)
        reporter.add_to_server(server)
        await reporter.show()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        upkeep = asyncio.create_task(reporter.keep_showing())
        seen: list[int] = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            async with asyncio.timeout(60):
                async for reply in stub.Watch(health_pb2.HealthCheckRequest(service="patrol.v1.PatrolService")):
                    seen.append(reply.status)
                    if len(seen) == 1:
                        await reporter.set_ready(True)
                    elif len(seen) == 2:
                        reasons.append("the disk is full")
                    elif len(seen) == 3:
                        reasons.clear()
                    else:
                        break
        upkeep.cancel()
        await server.stop(0)
        return seen

    assert asyncio.run(run()) == [NOT_SERVING, SERVING, NOT_SERVING, SERVING]
