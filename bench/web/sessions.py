"""Users who have a live page open: each follows the stream of the wall, or asks for the parts that Today refreshes."""

import asyncio
import re
from collections import Counter
from html import unescape
from multiprocessing.connection import Connection
from typing import Any

_ALIVE_S = 10.0
_PART = re.compile(r"<[^>]*hx-get=\"([^\"]+)\"[^>]*>")
_EVERY = re.compile(r"hx-trigger=\"[^\"]*every (\d+)s")
_STREAM = re.compile(r"&#34;live&#34;:&#34;(/[^&]+)&#34;")
_OPEN_S = 60.0


def hold(address: str, number: int, pipe: "Connection[Any, Any]") -> None:
    """Open so many pages, say how many there are, and follow them until told to stop; send what was seen since."""
    asyncio.run(_hold(address, number, pipe))


async def _hold(address: str, number: int, pipe: "Connection[Any, Any]") -> None:
    seen: Counter[str] = Counter()
    tasks: list[asyncio.Task[None]] = []
    for index in range(number):
        page = await _get(address, "/console/wall" if index % 2 else "/console/", seen)
        tasks += [asyncio.create_task(_poll(address, "/console/alive", _ALIVE_S, seen))]
        for stream in _STREAM.findall(page):
            tasks.append(asyncio.create_task(_follow(address, stream, seen)))
        for element in _PART.finditer(page):
            every = _EVERY.search(element[0])
            if every:
                tasks.append(asyncio.create_task(_poll(address, unescape(element[1]), float(every[1]), seen)))
    await asyncio.sleep(2.0)
    pipe.send(number)
    seen["events"] = seen["bytes"] = seen["requests"] = 0
    while not pipe.poll():
        await asyncio.sleep(0.1)
    pipe.recv()
    counts = {name: seen.pop(name, 0) for name in ("live", "events", "bytes", "requests")}
    pipe.send({**counts, "errors": dict(seen)})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(address: str, path: str, seen: "Counter[str]") -> None:
    reader, writer = await _asked(address, path)
    seen["live"] += 1
    try:
        while piece := await reader.read(65_536):
            seen["bytes"] += len(piece)
            seen["events"] += piece.count(b"event: verdicts")
        seen[f"{path.partition('?')[0]}: ended"] += 1
    finally:
        seen["live"] -= 1
        writer.close()


async def _poll(address: str, path: str, every_s: float, seen: "Counter[str]") -> None:
    while True:
        await asyncio.sleep(every_s)
        await _get(address, path, seen)


async def _get(address: str, path: str, seen: "Counter[str]") -> str:
    async with asyncio.timeout(_OPEN_S):
        reader, writer = await _asked(address, path)
        try:
            reply = await reader.read(-1)
        finally:
            writer.close()
    seen["requests"] += 1
    seen["bytes"] += len(reply)
    if not reply.startswith((b"HTTP/1.1 200", b"HTTP/1.1 204")):
        seen[f"{path.partition('?')[0]}: {reply[9:12].decode(errors='replace')}"] += 1
    return reply.partition(b"\r\n\r\n")[2].decode(errors="replace")


async def _asked(address: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    closing = "" if path.startswith("/console/wall/live") else "Connection: close\r\n"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Language: zh-CN\r\n{closing}\r\n".encode())
    await writer.drain()
    return reader, writer
