"""Applies a configuration to all shards or to none."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from engine.errors import UnavailableError
from engine.serve.forwarding.calls import Caller, ShardCalls
from engine.serve.forwarding.shards import Shards
from patrol.v1 import configuration_pb2, scheduler_pb2

_SERVICE = "/patrol.v1.SchedulerService/"


async def apply_everywhere(request: Any, caller: Caller, calls: ShardCalls, shards: Shards) -> Any:
    """Apply a configuration to all shards; return the report of the first.

    Each shard checks it before any applies it. If one fails then, those that applied it get back what they had. Raises
    as ShardCalls.unary.
    """
    numbers = shards.held()
    if not numbers:
        raise UnavailableError("no engine runs a shard; start one, or call again in a second")

    async def ask(shard_no: int, method: str, asked: Any, reply: Any, *, is_part: bool = False) -> Any:
        raw = await calls.unary(
            shard_no, _SERVICE + method, asked.SerializeToString(), caller, repeatable=True, is_part=is_part
        )
        return reply.FromString(raw)

    before = await asyncio.gather(
        *(ask(number, "GetConfig", configuration_pb2.GetConfigRequest(), configuration_pb2.EngineConfig)
          for number in numbers)
    )  # fmt: skip
    checked = scheduler_pb2.DiffConfigRequest(toml=request.toml)
    await asyncio.gather(*(ask(number, "DiffConfig", checked, scheduler_pb2.ConfigReport) for number in numbers))
    # The first one compares the revision that the caller expects; the others are then brought to the same.
    reports = [await ask(numbers[0], "ApplyConfig", request, scheduler_pb2.ConfigReport)]
    wanted = scheduler_pb2.ApplyConfigRequest(toml=request.toml)
    outcomes = await asyncio.gather(
        *(ask(number, "ApplyConfig", wanted, scheduler_pb2.ConfigReport, is_part=True) for number in numbers[1:]),
        return_exceptions=True,
    )
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failed:
        done = [0, *(index for index, outcome in enumerate(outcomes, 1) if not isinstance(outcome, BaseException))]
        await _restore([numbers[index] for index in done], [before[index].toml for index in done], ask)
        raise failed[0]
    return reports[0]


async def _restore(numbers: Sequence[int], texts: Sequence[str], ask: Any) -> None:
    """Give shards back the configuration that they had."""
    for number, text in zip(numbers, texts, strict=True):
        try:
            asked = scheduler_pb2.ApplyConfigRequest(toml=text)
            await ask(number, "ApplyConfig", asked, scheduler_pb2.ConfigReport, is_part=True)
        except Exception as error:  # noqa: BLE001 (the others are restored all the same)
            structlog.get_logger().error(
                "a shard keeps a configuration that others have not", shard=number, detail=str(error)
            )
