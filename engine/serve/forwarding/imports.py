"""Divides the rows of an import among the shards of their counties, as if one engine had got them all."""

import asyncio
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from engine.errors import ErrorReason, InvalidArgumentError
from engine.serve.forwarding import merging
from engine.serve.forwarding.calls import Caller, ShardCalls
from engine.serve.forwarding.merging import Part
from engine.serve.forwarding.shards import Shards
from engine.serve.services.cameras import IMPORT_ROWS_MAX
from patrol.v1 import cameras_pb2

_PATH = "/patrol.v1.CameraService/ImportCameras"
_ROWS_A_MESSAGE = 1000
_COUNTY_DIGITS = 6


_HOMELESS, _NO_COUNTY = 0, -1
"""In place of a shard's number: no shard has the county; and what is given is no county at all."""


@dataclass(slots=True)
class _Rows:
    """All rows of a call; `of_shard`: their positions, by the shard that gets them."""

    options: cameras_pb2.ImportOptions = field(default_factory=cameras_pb2.ImportOptions)
    cameras: list[Any] = field(default_factory=list)
    of_shard: dict[int, list[int]] = field(default_factory=dict)


async def import_cameras(
    raws: AsyncIterable[bytes], caller: Caller, calls: ShardCalls, shards: Shards
) -> cameras_pb2.ImportCamerasResponse:
    """Import rows into the shards of their counties, and report on all of them.

    Without `keep_good` a bad row of one shard keeps all shards from storing any. Raises InvalidArgumentError if the
    bytes are no request, or the rows are too many; else as ShardCalls.unary.
    """
    rows = await _read(raws, shards)
    homeless = rows.of_shard.pop(_HOMELESS, [])
    problems = [await _without_shard(homeless, rows, caller, calls, shards)] if homeless else []
    options = rows.options
    several = len(rows.of_shard) > 1 or problems
    if several and not options.keep_good and not options.validate_only:
        tried = await _import(rows, True, caller, calls)
        if problems or any(part.reply.problems_total for part in tried):
            whole = merging.imports([*problems, *tried])
            return cameras_pb2.ImportCamerasResponse(problems=whole.problems, problems_total=whole.problems_total)
    done = await _import(rows, options.validate_only, caller, calls)
    await shards.changed([rows.cameras[index].name.removeprefix("cameras/") for part in done for index in part.indexes])
    return merging.imports([*problems, *done])


async def _read(raws: AsyncIterable[bytes], shards: Shards) -> _Rows:
    rows, is_first = _Rows(), True
    async for raw in raws:
        try:
            request = cameras_pb2.ImportCamerasRequest.FromString(raw)
        except DecodeError as error:
            raise InvalidArgumentError(
                "", "the bytes are no ImportCamerasRequest; see cameras.proto", reason=ErrorReason.REQUEST_MALFORMED
            ) from error
        if is_first:
            rows.options, is_first = request.options, False
        for camera in request.cameras:
            is_county = len(camera.region) == _COUNTY_DIGITS and camera.region.isdecimal()
            shard_no = shards.of_region(camera.region) or _HOMELESS if is_county else _NO_COUNTY
            rows.of_shard.setdefault(shard_no, []).append(len(rows.cameras))
            rows.cameras.append(camera)
        if len(rows.cameras) > IMPORT_ROWS_MAX:
            raise InvalidArgumentError("cameras", f"{len(rows.cameras)} rows and more; allowed: 1 to {IMPORT_ROWS_MAX}")
    malformed = rows.of_shard.pop(_NO_COUNTY, [])
    if malformed or not rows.of_shard:  # a shard refuses them, or a call without rows, in its own words
        anybody = next((number for number in rows.of_shard if number), next(iter(shards.held()), 1))
        rows.of_shard[anybody] = sorted(rows.of_shard.get(anybody, []) + malformed)
    return rows


async def _import(rows: _Rows, validate_only: bool, caller: Caller, calls: ShardCalls) -> list[Part]:
    options = cameras_pb2.ImportOptions(keep_good=rows.options.keep_good, validate_only=validate_only)

    into = (_into(number, indexes, rows, options, caller, calls) for number, indexes in rows.of_shard.items())
    return list(await asyncio.gather(*into))


async def _into(
    shard_no: int,
    indexes: Sequence[int],
    rows: _Rows,
    options: cameras_pb2.ImportOptions,
    caller: Caller,
    calls: ShardCalls,
) -> Part:
    lots = [indexes[at : at + _ROWS_A_MESSAGE] for at in range(0, len(indexes), _ROWS_A_MESSAGE)] or [()]
    messages = [
        cameras_pb2.ImportCamerasRequest(options=options, cameras=[rows.cameras[index] for index in lot])
        for lot in lots
    ]
    raw = await calls.stream_in(shard_no, _PATH, [message.SerializeToString() for message in messages], caller)
    return Part(indexes, cameras_pb2.ImportCamerasResponse.FromString(raw))


async def _without_shard(
    homeless: Sequence[int], rows: _Rows, caller: Caller, calls: ShardCalls, shards: Shards
) -> Part:
    """Return the report on rows whose county no shard has. A shard refuses first what the caller may not store: who may
    not see a county does not learn whether a shard has it."""
    anybody = next(iter(shards.held()), 1)
    checked = await _into(anybody, homeless, rows, cameras_pb2.ImportOptions(validate_only=True), caller, calls)
    problems, total = list(checked.reply.problems), checked.reply.problems_total
    if total == len(problems):
        refused = {problem.index for problem in problems}
        problems += [
            cameras_pb2.RowProblem(
                index=index,
                field="region",
                value=rows.cameras[place].region,
                message="no shard has this county; `patrol cluster assign` gives it to one",
            )
            for index, place in enumerate(homeless)
            if index not in refused
        ]
        problems.sort(key=lambda problem: problem.index)
    total = max(total, len(problems), len(homeless))
    return Part(homeless, cameras_pb2.ImportCamerasResponse(problems=problems, problems_total=total))
