"""Runs the engine of one shard in a process of its own, as a node does: `python -m tests.support.cluster.shard_engine`.

Reads a line of JSON from stdin (settings, shard), writes a line when it runs, and ends with its stdin, or with the loss
of its shard. Its process group is its own, so that a test can freeze or kill it whole.
"""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.config.schema import Settings
from engine.errors import PatrolError
from engine.model.shard import ShardTask
from engine.runtime.log import configure_logging
from engine.supervisor.app import Supervisor

_STEP_S = 0.1
EXIT_LOST = 7


class ShardEngine:
    """The process, for a test. `log`: what all its processes write."""

    def __init__(self, settings: Settings, task: ShardTask, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self._log_file = self.log.open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cluster.shard_engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log_file,
            text=True,
        )
        order = {"settings": settings.model_dump(mode="json"), "shard": [task.number, task.node, task.lease_s]}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.send_all(signal.SIGCONT)
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.send_all(signal.SIGKILL)
            self.process.wait()
        self._log_file.close()

    def addresses(self) -> dict[str, Any]:
        """Wait until it runs; return its addresses."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return dict(json.loads(line))

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


def main() -> int:
    """Run until stdin ends."""
    order = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(order["settings"])
    configure_logging("info", "json", "supervisor")
    number, node, lease_s = order["shard"]
    try:
        with Supervisor(settings, shard=ShardTask(number, node, lease_s)) as engine:
            sys.stdout.write(json.dumps(engine.addresses) + "\n")
            sys.stdout.flush()
            while engine.failure is None:
                if select.select([sys.stdin], [], [], _STEP_S)[0] and not sys.stdin.readline():
                    return 0
            raise engine.failure
    except PatrolError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_LOST


if __name__ == "__main__":
    sys.exit(main())
