"""The demo's cameras: one asyncio RTSP server for all, in a process of its own, on loopback.

Speaks what RFC 2326 and RFC 6184/7798 ask of a camera with RTP interleaved in TCP, and misbehaves on request.
"""

import asyncio
import base64
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from engine.demo.clips import FRAMES_PER_S, Clip, ClipPlan, clip

USER, PASSWORD = "inspector", "kitchen-2026"
_MTU = 1400
_CLOCK_HZ = 90_000
_PAYLOAD_TYPE = 96


def serve(plans: list[ClipPlan], pipe: "Connection[Any, Any]") -> None:
    """Entry of the process: prepare the clips, say where the server listens, serve until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clips: dict[int, Clip] = {}
    for done, plan in enumerate(plans, 1):
        clips[plan.number] = clip(plan)
        pipe.send(("clip", done))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(plans, clips, pipe))


async def _serve(plans: list[ClipPlan], clips: dict[int, Clip], pipe: "Connection[Any, Any]") -> None:
    cameras = {plan.number: _Camera(plan, clips[plan.number]) for plan in plans}
    server = await asyncio.start_server(lambda r, w: _Dialogue(r, w, cameras).run(), "127.0.0.1", 0, backlog=256)
    silent = await asyncio.start_server(_keep_silent, "127.0.0.1", 0)
    refusing = socket.socket()
    refusing.bind(("127.0.0.1", 0))  # bound, not listening: whoever connects is refused, and nobody takes the port
    ports = (server.sockets[0].getsockname()[1], silent.sockets[0].getsockname()[1], refusing.getsockname()[1])
    pipe.send(("ports", ports))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), ended.set)
    await ended.wait()
    refusing.close()
    os._exit(0)  # sessions that are still open need no goodbye


async def _keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65_536):
            pass
    writer.close()


class _Camera:
    """A clip that runs as if live: what is sent now depends on the clock, not on who asks."""

    def __init__(self, plan: ClipPlan, units: Clip) -> None:
        self.plan = plan
        self.units = units
        self.codec = "H264" if plan.codec == "libx264" else "H265"
        self._phase = plan.number * 0.37

    def now(self) -> float:
        """Position in frames since the camera was switched on."""
        return (time.monotonic() + self._phase) * FRAMES_PER_S

    def sdp(self) -> bytes:
        """Its description."""
        sets = [unit for unit in _units(self.units[0]) if _is_parameter_set(self.codec, unit)]
        encoded = [base64.b64encode(unit).decode() for unit in sets]
        if self.codec == "H264":
            format_ = f"packetization-mode=1;sprop-parameter-sets={','.join(encoded[:2])}"
        else:
            format_ = ";".join(f"sprop-{n}={v}" for n, v in zip(("vps", "sps", "pps"), encoded, strict=False))
        lines = [
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=demo",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=control:*",
            f"m=video 0 RTP/AVP {_PAYLOAD_TYPE}",
            f"a=rtpmap:{_PAYLOAD_TYPE} {self.codec}/{_CLOCK_HZ}",
            f"a=fmtp:{_PAYLOAD_TYPE} {format_}",
            "a=control:track1",
        ]
        return ("\r\n".join(lines) + "\r\n").encode()


class _Dialogue:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cameras: dict[int, _Camera]) -> None:
        self._reader = reader
        self._writer = writer
        self._cameras = cameras
        self._streaming: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Answer until the client goes."""
        try:
            while (head := await self._head()) is not None:
                if not self._answer(head):
                    break
                await self._writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            if self._streaming is not None:
                self._streaming.cancel()
            self._writer.close()

    async def _head(self) -> list[str] | None:
        raw = await self._reader.readuntil(b"\r\n\r\n")
        return raw.decode("utf-8", "replace").split("\r\n") if raw else None

    def _answer(self, head: list[str]) -> bool:
        method, url, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        camera = self._camera(url)
        if camera is None:
            self._reply("404 Not Found", headers)
        elif camera.plan.fault == "locked" and not _knows_password(headers.get("authorization", "")):
            self._reply("401 Unauthorized", headers, ['WWW-Authenticate: Basic realm="camera"'])
        elif method == "DESCRIBE":
            lines = ["Content-Type: application/sdp", f"Content-Base: {url}/"]
            self._reply("200 OK", headers, lines, camera.sdp())
        elif method == "SETUP":
            self._reply("200 OK", headers, ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 7"])
        elif method == "PLAY":
            self._reply("200 OK", headers, ["Session: 7"])
            self._streaming = asyncio.ensure_future(self._stream(camera))
        elif method == "TEARDOWN":
            return False
        else:
            self._reply("200 OK", headers, ["Public: DESCRIBE, SETUP, PLAY, TEARDOWN"])
        return True

    def _camera(self, url: str) -> _Camera | None:
        number = url.partition("/cam")[2].partition("/")[0]
        return self._cameras.get(int(number)) if number.isdecimal() else None

    def _reply(self, status: str, asked: dict[str, str], lines: list[str] | None = None, body: bytes = b"") -> None:
        text = [f"RTSP/1.0 {status}", f"CSeq: {asked.get('cseq', '0')}", *(lines or [])]
        if body:
            text.append(f"Content-Length: {len(body)}")
        self._writer.write(("\r\n".join(text) + "\r\n\r\n").encode() + body)

    async def _stream(self, camera: _Camera) -> None:
        sequence = random.randrange(65_536)  # noqa: S311 (no secret)
        with contextlib.suppress(OSError):
            frame = int(camera.now()) + 1
            while not self._writer.is_closing():
                await asyncio.sleep(max(0.0, (frame - camera.now()) / FRAMES_PER_S))
                if camera.plan.fault == "garbage":
                    self._writer.write(os.urandom(200_000).replace(b"$", b"#"))
                else:
                    stamp = frame * _CLOCK_HZ // FRAMES_PER_S & 0xFFFFFFFF
                    packets = list(_packets(camera.codec, camera.units[frame % len(camera.units)]))
                    for index, payload in enumerate(packets):
                        last = index == len(packets) - 1
                        self._writer.write(_rtp(payload, sequence, stamp, last))
                        sequence = sequence + 1 & 0xFFFF
                await self._writer.drain()
                frame += 1


def _knows_password(header: str) -> bool:
    return header == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def _units(access_unit: bytes) -> list[bytes]:
    parts = access_unit.split(b"\0\0\1")[1:]
    return [part[:-1] if part.endswith(b"\0") and index < len(parts) - 1 else part for index, part in enumerate(parts)]


def _is_parameter_set(codec: str, unit: bytes) -> bool:
    return unit[0] & 0x1F in (7, 8) if codec == "H264" else unit[0] >> 1 & 0x3F in (32, 33, 34)


def _packets(codec: str, access_unit: bytes) -> Iterator[bytes]:
    """RTP payloads of one picture: single units, and fragments of those that are too long."""
    for unit in _units(access_unit):
        if len(unit) <= _MTU:
            yield unit
            continue
        if codec == "H264":
            header, kind, body = bytes([unit[0] & 0xE0 | 28]), unit[0] & 0x1F, unit[1:]
        else:
            header, kind, body = bytes([unit[0] & 0x81 | 49 << 1, unit[1]]), unit[0] >> 1 & 0x3F, unit[2:]
        room = _MTU - len(header) - 1
        for begin in range(0, len(body), room):
            edge = (0x80 if begin == 0 else 0) | (0x40 if begin + room >= len(body) else 0)
            yield header + bytes([edge | kind]) + body[begin : begin + room]


def _rtp(payload: bytes, sequence: int, stamp: int, marker: bool) -> bytes:
    head = bytes([0x80, _PAYLOAD_TYPE | (0x80 if marker else 0)])
    packet = head + sequence.to_bytes(2, "big") + stamp.to_bytes(4, "big") + b"\0\0\0\7" + payload
    return b"$\0" + len(packet).to_bytes(2, "big") + packet


if __name__ == "__main__":
    sys.exit("started by engine.demo.county")
