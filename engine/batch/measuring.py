"""Measures keyframes in a process of its own, which a picture that costs too much may end."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import connection
from types import TracebackType
from typing import Self

from engine.config.schema import WorkerSettings
from engine.errors import DecodeError, PatrolError
from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement
from engine.runtime.compile_stage import COMPILE_S_MAX, COMPILES, SILENT_S
from engine.runtime.confinement import ConfineMode, require
from engine.supervisor.environment import confined_environment
from engine.supervisor.start_wait import too_slow
from engine.worker import wire
from engine.worker.cpu_budget import BUDGET_SPENT_SIGNAL

_END_TIMEOUT_S = 2.0
_ANSWER_TIMEOUT_S = 120.0
"""Decoding has a budget of CPU time: a process that is silent for so long got no core."""
_NAME = "checked"
"""Stands in for the id of a camera: a source that is checked has none, and a job needs one."""


class MeasuringProcess:
    """A process that measures one keyframe at a time. It starts at once, so that it is ready when a keyframe comes.

    It is confined as a worker is; `confine`: runtime.confine. `tell` is given a sentence if a start takes long. Raises
    ConfigError if confinement is required and cannot be had.
    """

    def __init__(
        self, settings: WorkerSettings, confine: ConfineMode, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        require(confine)
        self._settings = settings
        self._confine = confine
        self._tell = tell
        self._ready = False
        self._start()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process; it has nothing to lose, and may still be starting."""
        self._process.kill()
        self._end()

    @property
    def pid(self) -> int:
        """The id of the process that runs now."""
        return self._process.pid

    def measure(self, keyframe: Keyframe) -> Measurement:
        """Return the measurement. Raises DecodeError as Decoder does, `too_costly` too if the budget is spent; and
        PatrolError for faults of ours: the process does not start, or the machine is too slow."""
        self._await_ready()
        try:
            for frame in wire.pack_job(1, replace(keyframe, camera_id=_NAME)):
                self._pipe.send_bytes(frame)
            if not self._pipe.poll(_ANSWER_TIMEOUT_S):
                raise PatrolError(
                    f"this machine is too slow or too busy: no picture was decoded within {_ANSWER_TIMEOUT_S:.0f} s; "
                    "try again when a core is free"
                )
            result = wire.unpack_result([self._pipe.recv_bytes() for _ in range(wire.RESULT_FRAMES)])
        except (EOFError, OSError):
            raise self._why_it_ended(keyframe) from None
        outcome = result.outcome
        if isinstance(outcome, Measurement):
            return replace(outcome, camera_id=keyframe.camera_id)
        if isinstance(outcome, wire.Failed):
            raise DecodeError(outcome.reason, outcome.detail)
        raise AssertionError("a picture was rendered, and nobody asked for one")

    def _why_it_ended(self, keyframe: Keyframe) -> DecodeError:
        code = self._end()
        self._start()
        if code == -BUDGET_SPENT_SIGNAL:
            limit_s = self._settings.picture_cpu_s_max
            return DecodeError(
                "too_costly",
                f"{keyframe.codec}: decoding it takes too much CPU time; a picture may take {limit_s:g} s at most, "
                "a small one less",
            )
        return DecodeError("damaged", f"{keyframe.codec}: the process that decoded it ended with {code}")

    def _start(self) -> None:
        self._ready = False
        self._pipe, theirs = connection.Pipe()
        command = [sys.executable, "-m", "engine.worker.measuring_child"]
        self._process = subprocess.Popen(  # noqa: S603 (our own module, no shell)
            [*command, str(theirs.fileno()), str(self._settings.picture_cpu_s_max), self._confine],
            pass_fds=[theirs.fileno()],
            env=confined_environment(os.environ),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def _await_ready(self) -> None:
        """Wait until the process has its compiled code. Raises PatrolError if it cannot have it: no source is to blame
        for that."""
        if self._ready:
            return
        try:
            if not self._pipe.poll(SILENT_S):
                self._tell(COMPILES)
                if not self._pipe.poll(COMPILE_S_MAX - SILENT_S):
                    raise too_slow()
            self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise PatrolError(
                f"the process that decodes ended with {self._end()} before it had begun; `patrol doctor` examines what "
                "it needs"
            ) from None
        self._ready = True

    def _end(self) -> int:
        """Wait for the process to end and return its exit code; negative: the signal that ended it."""
        self._pipe.close()
        try:
            return self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
