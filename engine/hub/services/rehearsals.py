"""Rehearses configurations, one at a time, each in a process of low priority: the patrol goes on beside it."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import Any, TypeVar

from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.errors import ErrorReason, StateError, UnavailableError
from engine.hub.visiting.camera_plan import plan_of
from engine.model.camera import Camera
from engine.model.rehearsal import SECTIONS, RehearsalUpdate, rehearsal_of

Answer = TypeVar("Answer")

REHEARSAL_S_MAX = 3600.0
MEMORY_BYTES_MAX = 384 << 20
"""A province of 131,072 cameras takes half of it; the kernel refuses twice as much."""
_PROGRAM = ("-m", "engine.simulation.rehearsal")
_LINE_BYTES_MAX = 1 << 20
_CAMERAS_A_LINE = 500


class Rehearsals:
    """For one event loop. `seconds_max`: how long a rehearsal may take."""

    def __init__(self, seconds_max: float = REHEARSAL_S_MAX) -> None:
        self._seconds_max = seconds_max
        self._under_way = False

    async def run(
        self, settings: Settings, calendar: Calendar, cameras: Sequence[Camera], hours: int, seed: int
    ) -> AsyncGenerator[RehearsalUpdate, None]:
        """Yield how far the rehearsal is, at last with the result, whose revision is empty. Close it to end it.

        Raises UnavailableError while another is under way, or if there is no result; StateError if no camera is
        visited; TimeoutError after `seconds_max`.
        """
        if self._under_way:
            raise UnavailableError(
                "another configuration is being rehearsed; wait for its end, or end that call",
                reason=ErrorReason.REHEARSAL_UNDER_WAY,
            )
        if not any(camera.enabled and not camera.push for camera in cameras):
            raise StateError("no camera of the registry is visited, so there is nothing to rehearse; import cameras")
        self._under_way = True
        try:
            end_s = asyncio.get_running_loop().time() + self._seconds_max
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_PROGRAM,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                limit=_LINE_BYTES_MAX,
                process_group=0,
            )
            try:
                task = await asyncio.to_thread(_task, settings, calendar, hours, seed)
                await self._within(_feed(process, task, cameras), end_s)
                update = RehearsalUpdate(0.0)
                while update.result is None:
                    update = _update(await self._within(_next_line(process), end_s))
                    yield update
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        finally:
            self._under_way = False

    async def _within(self, step: Awaitable[Answer], end_s: float) -> Answer:
        """Raises TimeoutError if the step has not ended by then."""
        try:
            return await asyncio.wait_for(step, end_s - asyncio.get_running_loop().time())
        except TimeoutError:
            raise TimeoutError(
                f"the rehearsal took longer than {self._seconds_max:,.0f} s and was ended; rehearse fewer hours"
            ) from None


def _task(settings: Settings, calendar: Calendar, hours: int, seed: int) -> bytes:
    task = {
        "settings": settings.model_dump(mode="json", include=set(SECTIONS)),
        "calendar": calendar.model_dump(mode="json"),
        "hours": hours,
        "seed": seed,
        "cores": os.cpu_count() or 1,
        "memory_bytes_max": MEMORY_BYTES_MAX,
    }
    return _json_line(task)


async def _next_line(process: asyncio.subprocess.Process) -> Any:
    """Return what the process says next. Raises UnavailableError if it has ended."""
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    line = await process.stdout.readline()
    if not line:
        code = await process.wait()
        raise UnavailableError(f"the rehearsal ended without a result (exit code {code}); the log may say why")
    return json.loads(line)


async def _feed(process: asyncio.subprocess.Process, task: bytes, cameras: Sequence[Camera]) -> None:
    """Send the task, and of each camera what decides when it is visited; nothing of it is secret."""
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 (it is a pipe)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(task)
        for begin in range(0, len(cameras), _CAMERAS_A_LINE):
            # A few at a time: the patrol's threads wait for the interpreter meanwhile.
            stdin.write(await asyncio.to_thread(_rows, cameras[begin : begin + _CAMERAS_A_LINE]))
            await stdin.drain()
        stdin.write(_json_line(None))
        await stdin.drain()


def _rows(cameras: Sequence[Camera]) -> bytes:
    return _json_line([plan_of(camera) for camera in cameras if camera.enabled and not camera.push])


def _json_line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _update(line: Any) -> RehearsalUpdate:
    """Return what a line says. Raises UnavailableError if it says why there is no result."""
    if "error" in line:
        raise UnavailableError(f"the rehearsal gave no result: {line['error']}")
    result = line.get("result")
    return RehearsalUpdate(line["progress"], None if result is None else rehearsal_of(result))
