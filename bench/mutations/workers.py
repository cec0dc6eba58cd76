"""Real worker processes of the engine, started by the supervisor's code, with jobs sent as the hub sends them."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import Settings
from engine.config.calendar import Calendar
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.visit import FeedKind
from engine.runtime.control import STOP, TOO_COSTLY
from engine.runtime.transport import Poller, Transport
from engine.supervisor.child_stderr import ChildStderr
from engine.supervisor.processes import Child, Running, end_reason, plan
from engine.worker import wire

STUCK_S = 20.0
_FIRST_JOB_ID = 1
_WAIT_MS = 200
_START_S = 120.0
_LOG = {"level": "error", "format": "console"}


@dataclass(slots=True)
class _Worker:
    child: Child
    running: Running
    heard_s: float
    ready: bool = False
    jobs: dict[int, Keyframe] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one job. `outcome`: as the worker said; Failed too if the picture spent its budget of CPU time;
    `crashed` if the worker died over it otherwise, `stuck` if it was silent for STUCK_S and was ended."""

    number: int
    outcome: "Measurement | wire.Failed | str"


class Workers:
    """`count` workers whose sockets are in `folder`. Leave the context to end them."""

    def __init__(self, count: int, folder: Path) -> None:
        settings = Settings.model_validate({"worker": {"count": count, "spare": False}, "log": _LOG})
        self._children = [child for child in plan(settings, Calendar(), folder) if child.role == "worker"]
        self._credit = settings.worker.credit
        self._stderr = ChildStderr()
        self._transport = Transport()
        self._channel = self._transport.bind_router(self._children[0].task["address"])
        self._poller = Poller()
        self._poller.watch("workers", self._channel)
        self._workers: dict[str, _Worker] = {}
        self.rss_mb_max = 0.0

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.running.send(STOP)
        for worker in self._workers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.running.process.wait(10)
            _end(worker)
        self._stderr.close()
        self._transport.close()

    def measure(self, jobs: Iterable[tuple[int, Codec, bytes]]) -> Iterator[Answer]:
        """Have every job (number, codec, payload) measured; yield the answers as they come, one a job."""
        waiting = iter(jobs)
        retries: list[Keyframe] = []
        more = True
        while more or retries or any(worker.jobs for worker in self._workers.values()):
            for child in self._children:
                if child.running is None:
                    self._start(child)
            for name, worker in self._workers.items():
                while worker.ready and len(worker.jobs) < self._credit and (more or retries):
                    keyframe = retries.pop() if retries else _keyframe(next(waiting, None))
                    if keyframe is None:
                        more = False
                        break
                    if not worker.jobs:
                        worker.heard_s = time.monotonic()
                    worker.jobs[keyframe.visit_id] = keyframe
                    self._channel.send(wire.pack_job(keyframe.visit_id + _FIRST_JOB_ID, keyframe), name.encode())
            yield from self._answers()
            yield from self._ended(retries)

    def _answers(self) -> Iterator[Answer]:
        self._poller.wait(_WAIT_MS)
        while (frames := self._channel.receive()) is not None:
            worker = self._workers.get(bytes(frames[0]).decode())
            if worker is None:
                continue
            worker.heard_s = time.monotonic()
            if bytes(frames[1]) == wire.READY:
                worker.ready = True
                continue
            result = wire.unpack_result(frames[1:])
            number = result.job_id - _FIRST_JOB_ID
            del worker.jobs[number]
            assert isinstance(result.outcome, Measurement | wire.Failed)
            yield Answer(number, result.outcome)

    def _ended(self, retries: list[Keyframe]) -> Iterator[Answer]:
        """Replace workers that died or are stuck. The job at fault is the oldest; the others are given out again."""
        for name, worker in list(self._workers.items()):
            self._note_memory(worker)
            code = worker.running.process.poll()
            silent_s = time.monotonic() - worker.heard_s
            if code is None and silent_s < (STUCK_S if worker.ready else _START_S):
                continue
            if code is None and worker.ready and not worker.jobs:
                continue
            if not worker.ready:
                raise RuntimeError(f"{name} did not become ready; what it wrote stands above")
            _end(worker)
            del self._workers[name]
            blamed, *others = worker.jobs.values() or [None]
            retries += [job for job in others if job is not None]
            if blamed is not None:
                yield Answer(blamed.visit_id, _end_outcome(code))

    def _start(self, child: Child) -> None:
        child.start(self._stderr)
        assert child.running is not None
        self._workers[child.alias] = _Worker(child, child.running, time.monotonic())

    def _note_memory(self, worker: _Worker) -> None:
        with contextlib.suppress(OSError, IndexError):
            status = Path(f"/proc/{worker.running.process.pid}/statm").read_text(encoding="ascii")
            self.rss_mb_max = max(self.rss_mb_max, int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)


def _end(worker: _Worker) -> None:
    worker.running.process.kill()
    worker.running.process.wait()
    worker.running.close()
    worker.child.running = None


def _end_outcome(code: int | None) -> "wire.Failed | str":
    """Return what a worker that ended with this exit code did with its oldest job; None: it did not end."""
    if code is None:
        return "stuck"
    reason = end_reason(code)
    return wire.Failed(TOO_COSTLY, "its CPU time is spent") if reason == TOO_COSTLY else "crashed"


def _keyframe(job: tuple[int, Codec, bytes] | None) -> Keyframe | None:
    if job is None:
        return None
    number, codec, payload = job
    return Keyframe("camera", number, codec, payload[:PAYLOAD_BYTES_MAX], number, None, FeedKind.GATEWAY)
