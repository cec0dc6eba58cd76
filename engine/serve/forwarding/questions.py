"""What the front asks shards in the course of a call that it answers itself, with the token of its caller."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import grpc

from engine.errors import PatrolError, UnavailableError
from engine.model.engine_status import MachineStatus
from engine.model.visit import CheckNowReport
from engine.serve.forwarding.calls import CALLER, Caller, ShardCalls
from engine.serve.forwarding.shards import Shards
from engine.serve.messages.resource_names import camera_id_of, camera_name
from patrol.v1 import patrol_pb2

_STATUS_S = 2.0
"""How long shards may take to say how they are; those that take longer are left out."""
_ORDERED_S = 1.0
"""A shard says at once which cameras it will not visit; then it would stream verdicts, which nobody waits for here."""
_NOT_VISITED = (
    patrol_pb2.CHECK_OUTCOME_NOT_FOUND,
    patrol_pb2.CHECK_OUTCOME_NOT_VISITED,
    patrol_pb2.CHECK_OUTCOME_PAUSED,
)


class ShardQuestions:
    """For one event loop, in the course of a call."""

    def __init__(self, shards: Shards, calls: ShardCalls) -> None:
        self._shards = shards
        self._calls = calls

    async def machine(self) -> MachineStatus | None:
        """Return how the patrol goes on all machines that answer; None if none does, or the caller may not see it."""
        caller = replace(CALLER.get(), left_s=_STATUS_S)
        asked = patrol_pb2.GetStatusRequest().SerializeToString()

        async def one(shard_no: int) -> MachineStatus | None:
            path = "/patrol.v1.PatrolService/GetStatus"
            try:
                raw = await self._calls.unary(shard_no, path, asked, caller, repeatable=True)
            except (PatrolError, grpc.aio.AioRpcError):
                return None
            status = patrol_pb2.PatrolStatus.FromString(raw)
            if not status.HasField("machine"):
                return None
            return MachineStatus(**{name: getattr(status.machine, name) for name in MachineStatus.__slots__})

        answers = await asyncio.gather(*(one(number) for number in self._shards.held()))
        found = [answer for answer in answers if answer is not None]
        if not found:
            return None
        sums = {name: sum(getattr(answer, name) for answer in found) for name in MachineStatus.__slots__}
        return MachineStatus(**sums | {"period_lag_s_max": max(answer.period_lag_s_max for answer in found)})

    async def check_now(self, camera_ids: Sequence[str]) -> CheckNowReport:
        """Have cameras visited before all others; those of a shard that nobody runs are not visited."""
        of_camera = await self._shards.of_cameras(camera_ids)
        groups: dict[int, list[str]] = {}
        for camera_id, shard_no in of_camera.items():
            groups.setdefault(shard_no, []).append(camera_id)
        caller = CALLER.get()
        reports = await asyncio.gather(*(self._order(number, ids, caller) for number, ids in groups.items()))
        unknown = [camera_id for camera_id in camera_ids if camera_id not in of_camera]

        def joined(name: str) -> tuple[str, ...]:
            return tuple(camera_id for report in reports for camera_id in getattr(report, name))

        return CheckNowReport(
            accepted=joined("accepted"),
            unknown_ids=(*unknown, *joined("unknown_ids")),
            not_visited_ids=joined("not_visited_ids"),
            paused_ids=joined("paused_ids"),
        )

    async def _order(self, shard_no: int, camera_ids: Sequence[str], caller: Caller) -> CheckNowReport:
        request = patrol_pb2.CheckNowRequest(cameras=map(camera_name, camera_ids))
        path, raw = "/patrol.v1.PatrolService/CheckNow", request.SerializeToString()
        found: dict[int, list[str]] = {outcome: [] for outcome in _NOT_VISITED}
        try:
            async with (
                asyncio.timeout(_ORDERED_S),
                aclosing(self._calls.stream(shard_no, path, raw, caller)) as replies,
            ):
                async for reply in replies:
                    answer = patrol_pb2.CheckNowResponse.FromString(reply)
                    if answer.outcome in found:
                        found[answer.outcome].append(camera_id_of(answer.camera))
        except TimeoutError:
            pass  # the visits are ordered, and go on without this call
        except UnavailableError:
            return CheckNowReport(not_visited_ids=tuple(camera_ids))
        refused = {camera_id for ids in found.values() for camera_id in ids}
        unknown, not_visited, paused = map(tuple, found.values())
        return CheckNowReport(
            tuple(camera_id for camera_id in camera_ids if camera_id not in refused),
            unknown_ids=unknown,
            not_visited_ids=not_visited,
            paused_ids=paused,
        )
