"""The engine of one shard as a process of its own, as a node runs it, for tests that freeze and kill it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.cluster.shard_process import order_of
from engine.config.schema import Settings
from engine.model.shard import ShardTask


class ShardEngine:
    """The process, for a test. `log`: what all its processes write."""

    def __init__(self, settings: Settings, task: ShardTask, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self._log_file = self.log.open("w", encoding="utf-8")
        self._addresses: dict[str, Any] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.cluster.shard_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log_file,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(order_of(settings, task))
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.send_all(signal.SIGCONT)
        self.stop()
        self._log_file.close()

    def stop(self) -> None:
        """End it in order: it gives its shard back."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.send_all(signal.SIGKILL)
            self.process.wait()

    def addresses(self) -> dict[str, Any]:
        """Wait until it runs; return its addresses."""
        if not self._addresses:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.log.read_text()
            self._addresses = dict(json.loads(line))
        return self._addresses

    def pids(self) -> list[int]:
        """The supervisor, and all its children."""
        found = [self.process.pid]
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            found += map(int, task.read_text().split())
        return found

    def send_all(self, number: int) -> None:
        """Send a signal to every process of the engine."""
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
