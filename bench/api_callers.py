"""Callers of the API in a process of their own: each calls, reads the reply, pauses, and calls again."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import grpc

from engine.serve.messages.resource_names import camera_name
from patrol.v1 import cameras_pb2, patrol_pb2, verdicts_pb2

SHARES = {"get_camera": 0.91, "list_page": 0.03, "list_basic": 0.03, "kpi": 0.03}
"""Share of each kind of call."""
PAGE_ROWS = 1000
_PAGES = ("list_page", "list_basic")
_PAGES_CHECKED_OF = 10
"""One page in so many is parsed: parsing 3 MB takes milliseconds, in which the clocks of this process's other callers
go on."""
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_CALL_S = 30.0
_VARINT = 0
"""The wire type of numbers; all other fields of a page have a length."""
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX))
"""Options of a channel. Without the first, all channels of a process share one connection."""


@dataclass(frozen=True, slots=True)
class Load:
    """What callers do. `think_s`: the mean of the exponential pause after each reply; `cities`: prefixes of regions
    with a full page of cameras; `warm_s`: calls that begin earlier are not counted."""

    address: str
    callers: int
    think_s: float
    warm_s: float
    seconds: float
    camera_ids: tuple[str, ...]
    cities: tuple[str, ...]
    seed: int


@dataclass(slots=True)
class CallTimes:
    """Milliseconds of the calls and bytes of the largest reply by kind, and errors by status."""

    taken_ms: dict[str, list[float]]
    reply_bytes: dict[str, int]
    errors: dict[str, int]


def call(load: Load, pipe: "Connection[Any, Any]") -> None:
    """Connect, report ready, wait for a message, make calls, and send the CallTimes."""
    pipe.send(asyncio.run(_all(load, pipe)))


async def _all(load: Load, pipe: "Connection[Any, Any]") -> CallTimes:
    times = CallTimes({kind: [] for kind in SHARES}, dict.fromkeys(SHARES, 0), {})
    channels = [grpc.aio.insecure_channel(load.address, options=OWN_CONNECTION) for _ in range(load.callers)]
    try:
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        now_s = time.perf_counter()
        counted_s, until_s = now_s + load.warm_s, now_s + load.warm_s + load.seconds
        await asyncio.gather(
            *(_one(channel, load, number, counted_s, until_s, times) for number, channel in enumerate(channels))
        )
    finally:
        for channel in channels:
            await channel.close()
    return times


async def _one(
    channel: grpc.aio.Channel, load: Load, number: int, counted_s: float, until_s: float, times: CallTimes
) -> None:
    chance = random.Random(load.seed * 1000 + number)
    calls = _calls(channel, load, chance)
    kinds, shares = list(SHARES), list(SHARES.values())
    while True:
        await asyncio.sleep(chance.expovariate(1 / load.think_s))
        kind = chance.choices(kinds, shares)[0]
        began_s = time.perf_counter()
        if began_s >= until_s:
            return
        try:
            raw = await calls[kind]()
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            times.errors[status] = times.errors.get(status, 0) + 1
            continue
        taken_s = time.perf_counter() - began_s
        if began_s >= counted_s:
            times.taken_ms[kind].append(1e3 * taken_s)
            times.reply_bytes[kind] = max(times.reply_bytes[kind], len(raw))
        is_skipped = kind in _PAGES and len(times.taken_ms[kind]) % _PAGES_CHECKED_OF != 1
        if not is_skipped and not _is_complete(kind, raw):
            times.errors["WRONG"] = times.errors.get("WRONG", 0) + 1


def _calls(channel: grpc.aio.Channel, load: Load, chance: random.Random) -> dict[str, Callable[[], Awaitable[bytes]]]:
    """The calls by kind. They return bytes, which are parsed after the clock has stopped: that is the caller's time."""

    def method(path: str, request: Any) -> Any:
        return channel.unary_unary(f"/patrol.v1.{path}", request_serializer=type(request).SerializeToString)

    get = method("CameraService/GetCamera", cameras_pb2.GetCameraRequest())
    page = method("CameraService/ListCameras", cameras_pb2.ListCamerasRequest())
    kpis = method("PatrolService/QueryKpis", patrol_pb2.QueryKpisRequest())

    async def get_camera() -> bytes:
        name = camera_name(chance.choice(load.camera_ids))
        return bytes(await get(cameras_pb2.GetCameraRequest(name=name), timeout=_CALL_S))

    async def listed(view: verdicts_pb2.View) -> bytes:
        city = cameras_pb2.CameraFilter(region_prefix=chance.choice(load.cities))
        request = cameras_pb2.ListCamerasRequest(filter=city, page_size=PAGE_ROWS, view=view)
        return bytes(await page(request, timeout=_CALL_S))

    async def list_page() -> bytes:
        return await listed(verdicts_pb2.VIEW_FULL)

    async def list_basic() -> bytes:
        return await listed(verdicts_pb2.VIEW_BASIC)

    async def kpi() -> bytes:
        return bytes(await kpis(patrol_pb2.QueryKpisRequest(region_prefix="13"), timeout=_CALL_S))

    return {"get_camera": get_camera, "list_page": list_page, "list_basic": list_basic, "kpi": kpi}


def _is_complete(kind: str, raw: bytes) -> bool:
    if kind == "get_camera":
        return cameras_pb2.Camera.FromString(raw).HasField("latest_verdict")
    if kind in ("list_page", "list_basic"):
        cameras = list(_fields(raw, cameras_pb2.ListCamerasResponse.CAMERAS_FIELD_NUMBER))
        return 0 < len(cameras) <= PAGE_ROWS and cameras_pb2.Camera.FromString(cameras[-1]).HasField("latest_verdict")
    return len(patrol_pb2.QueryKpisResponse.FromString(raw).rows) > 0


def _fields(raw: bytes, field_no: int) -> Iterator[bytes]:
    """The messages of a repeated field. Parsing a page as protobuf takes 40 ms, while all other callers of the process
    would wait with their clocks running."""
    view, at = memoryview(raw), 0
    while at < len(raw):
        tag, at = _varint(view, at)
        number, at = _varint(view, at)
        if tag & 7 == _VARINT:
            continue
        if tag >> 3 == field_no:
            yield bytes(view[at : at + number])
        at += number


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while view[at] & 0x80:
        number |= (view[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return number | view[at] << shift, at + 1
