"""Watchers of all verdicts in a process of their own; counts what they missed, compared with the log."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc

from bench.api_callers import OWN_CONNECTION
from engine.serve.messages.resource_names import verdict_name
from engine.serve.messages.resume_token import decode_resume_token
from patrol.v1 import patrol_pb2

_RETRY_S = 0.2
_FIRST_S = 60.0
_LAST_S = 60.0
_RESUMED = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


@dataclass(slots=True)
class WatchCounts:
    """Counts of all watchers together, from the first verdict to the last.

    `received`: verdicts; `lost`: verdicts in the log that did not come; `twice`: verdicts that came again;
    `disordered`: watchers that received verdicts out of order; `cut`: how often a watcher was cut and resumed.
    """

    received: int = 0
    lost: int = 0
    twice: int = 0
    disordered: int = 0
    cut: int = 0
    messages: int = 0


@dataclass(slots=True)
class _Received:
    names: list[str] = field(default_factory=list)
    first_seq: int = -1
    seq: int = -1
    cut: int = 0
    messages: int = 0
    token: str = ""


def watch(address: str, watchers: int, database: Path, pipe: "Connection[Any, Any]") -> None:
    """Watch, report ready, watch on to the `seq` that the pipe gives, and send the WatchCounts."""
    pipe.send(asyncio.run(_all(address, watchers, database, pipe)))


async def _all(address: str, watchers: int, database: Path, pipe: "Connection[Any, Any]") -> WatchCounts:
    all_received = [_Received() for _ in range(watchers)]
    begun = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_one(address, received, begun)) for received in all_received]
    async with asyncio.timeout(_FIRST_S):
        for _ in tasks:
            await begun.acquire()
    pipe.send("ready")
    end_seq = int(await asyncio.to_thread(pipe.recv))
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _LAST_S
    while min(received.seq for received in all_received) < end_seq and loop.time() < until_s:
        await asyncio.sleep(_RETRY_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return _counted(all_received, database, end_seq)


async def _one(address: str, received: _Received, begun: asyncio.Semaphore) -> None:
    async with grpc.aio.insecure_channel(address, options=OWN_CONNECTION) as channel:
        stream: Any = channel.unary_stream(
            "/patrol.v1.PatrolService/WatchVerdicts",
            request_serializer=patrol_pb2.WatchVerdictsRequest.SerializeToString,
        )
        while True:
            try:
                async for raw in stream(patrol_pb2.WatchVerdictsRequest(resume_token=received.token)):
                    names, token = _parse(raw)
                    received.messages += 1
                    received.names += names
                    received.token, received.seq = token, decode_resume_token(token)
                    if received.first_seq < 0:
                        received.first_seq = received.seq
                        begun.release()
            except grpc.aio.AioRpcError as error:
                if error.code() not in _RESUMED:
                    raise
            received.cut += 1
            await asyncio.sleep(_RETRY_S)


@lru_cache(maxsize=512)
def _parse(raw: bytes) -> tuple[tuple[str, ...], str]:
    """Names and token of a message. Equal messages to several watchers are parsed once: only the engine is measured."""
    message = patrol_pb2.WatchVerdictsResponse.FromString(raw)
    return tuple(
        _key(verdict.name, verdict.visit_time.ToNanoseconds()) for verdict in message.verdicts
    ), message.resume_token


def _key(name: str, at_wall_ns: int) -> str:
    """Tell verdicts without a visit ("nothing was pushed in time") apart by their time: their visit id is 0."""
    return f"{name} {at_wall_ns}"


def _counted(all_received: Sequence[_Received], database: Path, end_seq: int) -> WatchCounts:
    first = min(received.first_seq for received in all_received)
    rows = _logged(database, first, end_seq)
    counts = WatchCounts()
    for received in all_received:
        expected = [name for seq, name in rows if seq > received.first_seq]
        expected_set = set(expected)
        names = [name for name in received.names if name in expected_set]
        times = Counter(names)
        counts.received += len(received.names)
        counts.lost += len(expected_set) - len(times)
        counts.twice += len(names) - len(times)
        counts.disordered += list(times) != [name for name in expected if name in times]
        counts.cut += received.cut
        counts.messages += received.messages
    return counts


def _logged(database: Path, after: int, end_seq: int) -> list[tuple[int, str]]:
    query = """
        SELECT seq, camera_id, at_wall_ns, substr(body, 1, 8) FROM verdict_log JOIN camera_nos USING (camera_no)
        WHERE seq > ? AND seq <= ? ORDER BY seq
    """
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(query, (after, end_seq)).fetchall()
    return [
        (seq, _key(verdict_name(camera_id, int.from_bytes(visit, "little")), at_wall_ns))
        for seq, camera_id, at_wall_ns, visit in rows
    ]
