"""Watchers of all verdicts in a process of their own, and what they missed against the log."""

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

_AGAIN_S = 0.2
_FIRST_S = 60.0
_LAST_S = 60.0
_RESUMED = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


@dataclass(slots=True)
class Watched:
    """Of all watchers together, from the first verdict to the last: how many came, those of the log that did not come,
    those that came again or out of their order, and how often a watcher was cut and went on."""

    received: int = 0
    lost: int = 0
    twice: int = 0
    disordered: int = 0
    cut: int = 0
    messages: int = 0


@dataclass(slots=True)
class _Heard:
    names: list[str] = field(default_factory=list)
    first_seq: int = -1
    seq: int = -1
    cut: int = 0
    messages: int = 0
    token: str = ""


def watch(address: str, watchers: int, database: Path, pipe: "Connection[Any, Any]") -> None:
    """Begin, say so, go on to the place in the log that the pipe gives, and send what was counted."""
    pipe.send(asyncio.run(_all(address, watchers, database, pipe)))


async def _all(address: str, watchers: int, database: Path, pipe: "Connection[Any, Any]") -> Watched:
    heard = [_Heard() for _ in range(watchers)]
    begun = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_one(address, one, begun)) for one in heard]
    async with asyncio.timeout(_FIRST_S):
        for _ in tasks:
            await begun.acquire()
    pipe.send("ready")
    end_seq = int(await asyncio.to_thread(pipe.recv))
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _LAST_S
    while min(one.seq for one in heard) < end_seq and loop.time() < until_s:
        await asyncio.sleep(_AGAIN_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return _counted(heard, database, end_seq)


async def _one(address: str, heard: _Heard, begun: asyncio.Semaphore) -> None:
    async with grpc.aio.insecure_channel(address, options=OWN_CONNECTION) as channel:
        stream: Any = channel.unary_stream(
            "/patrol.v1.PatrolService/WatchVerdicts",
            request_serializer=patrol_pb2.WatchVerdictsRequest.SerializeToString,
        )
        while True:
            try:
                async for raw in stream(patrol_pb2.WatchVerdictsRequest(resume_token=heard.token)):
                    names, token = _read(raw)
                    heard.messages += 1
                    heard.names += names
                    heard.token, heard.seq = token, decode_resume_token(token)
                    if heard.first_seq < 0:
                        heard.first_seq = heard.seq
                        begun.release()
            except grpc.aio.AioRpcError as error:
                if error.code() not in _RESUMED:
                    raise
            heard.cut += 1
            await asyncio.sleep(_AGAIN_S)


@lru_cache(maxsize=512)
def _read(raw: bytes) -> tuple[tuple[str, ...], str]:
    """Names and token of a message. What came to several watchers, byte for byte the same, is parsed once: it is the
    engine that is measured."""
    message = patrol_pb2.WatchVerdictsResponse.FromString(raw)
    return tuple(verdict.name for verdict in message.verdicts), message.resume_token


def _counted(heard: Sequence[_Heard], database: Path, end_seq: int) -> Watched:
    first = min(one.first_seq for one in heard)
    rows = _logged(database, first, end_seq)
    result = Watched()
    for one in heard:
        wanted = [name for seq, name in rows if seq > one.first_seq]
        known = set(wanted)
        got = [name for name in one.names if name in known]
        times = Counter(got)
        result.received += len(one.names)
        result.lost += len(known) - len(times)
        result.twice += len(got) - len(times)
        result.disordered += list(times) != [name for name in wanted if name in times]
        result.cut += one.cut
        result.messages += one.messages
    return result


def _logged(database: Path, after: int, end_seq: int) -> list[tuple[int, str]]:
    query = """
        SELECT seq, camera_id, substr(body, 1, 8) FROM verdict_log JOIN camera_nos USING (camera_no)
        WHERE seq > ? AND seq <= ? ORDER BY seq
    """
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(query, (after, end_seq)).fetchall()
    return [(seq, verdict_name(camera_id, int.from_bytes(visit, "little"))) for seq, camera_id, visit in rows]
