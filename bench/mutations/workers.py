"""Real worker processes of the engine, started as the supervisor starts them, with jobs sent as the hub sends them."""

import contextlib
import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.visit import FeedKind
from engine.runtime.control import STOP
from engine.runtime.transport import Poller, Transport
from engine.supervisor.child import child_command
from engine.worker import wire

STUCK_S = 20.0
_CREDIT = 4
_FIRST_JOB_ID = 1
_WAIT_MS = 200
_START_S = 120.0


@dataclass(slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    pipe: Connection
    ready: bool = False
    jobs: dict[int, Keyframe] = field(default_factory=dict)
    heard_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one job. `outcome`: as the worker said; `crashed` if it died over it, `stuck` if it was silent for
    STUCK_S and was ended."""

    number: int
    outcome: "Measurement | wire.Failed | str"


class Workers:
    """`count` workers in a folder of their own (`folder`). Leave the context to end them."""

    def __init__(self, count: int, folder: Path) -> None:
        self._count = count
        self._address = f"ipc://{folder}/work"
        self._log: IO[bytes] = (folder / "log").open("wb")
        self._transport = Transport()
        self._channel = self._transport.bind_router(self._address)
        self._poller = Poller()
        self._poller.watch("workers", self._channel)
        self._workers: dict[str, _Worker] = {}
        self._started = 0
        self.rss_mb_max = 0.0

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            with contextlib.suppress(OSError):
                worker.pipe.send((STOP,))
        for worker in self._workers.values():
            try:
                worker.process.wait(10)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.pipe.close()
        self._transport.close()
        self._log.close()

    def measure(self, jobs: Iterable[tuple[int, Codec, bytes]]) -> Iterator[Answer]:
        """Have every job (number, codec, payload) measured; yield the answers as they come, one a job."""
        waiting = iter(jobs)
        retries: list[Keyframe] = []
        more = True
        while more or retries or any(worker.jobs for worker in self._workers.values()):
            while len(self._workers) < self._count:
                self._start()
            for name, worker in self._workers.items():
                while worker.ready and len(worker.jobs) < _CREDIT and (more or retries):
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
            ended = worker.process.poll() is not None
            silent_s = time.monotonic() - worker.heard_s
            if not ended and silent_s < (STUCK_S if worker.ready else _START_S):
                continue
            if not ended and worker.ready and not worker.jobs:
                continue
            if not worker.ready:
                raise RuntimeError(f"{name} did not become ready; its log: {self._log.name}")
            worker.process.kill()
            worker.process.wait()
            worker.pipe.close()
            del self._workers[name]
            blamed, *others = worker.jobs.values() or [None]
            retries += [job for job in others if job is not None]
            if blamed is not None:
                yield Answer(blamed.visit_id, "crashed" if ended else "stuck")

    def _start(self) -> None:
        self._started += 1
        name = f"worker-{self._started}"
        ours, theirs = multiprocessing.Pipe()
        log = self._log.fileno()
        process = subprocess.Popen(
            child_command("worker", name, theirs.fileno(), log),
            pass_fds=(theirs.fileno(), log),
            stdin=subprocess.DEVNULL,
            stderr=self._log,
        )
        theirs.close()
        task = {
            "parent_pid": os.getpid(),
            "log": {"level": "warning", "format": "console"},
            "address": self._address,
            "credit": _CREDIT,
        }
        ours.send(json.dumps(task))
        self._workers[name] = _Worker(process, ours, heard_s=time.monotonic())

    def _note_memory(self, worker: _Worker) -> None:
        with contextlib.suppress(OSError, IndexError):
            status = Path(f"/proc/{worker.process.pid}/statm").read_text(encoding="ascii")
            self.rss_mb_max = max(self.rss_mb_max, int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)


def _keyframe(job: tuple[int, Codec, bytes] | None) -> Keyframe | None:
    if job is None:
        return None
    number, codec, payload = job
    return Keyframe("camera", number, codec, payload[:PAYLOAD_BYTES_MAX], number, None, FeedKind.GATEWAY)
