"""Tries from within the engine's own processes what somebody would try who has taken one over.

`probe/sitecustomize.py` is imported by every Python that has its folder in PYTHONPATH; on SIGUSR1 the process makes the
attempts and appends what became of them to a file that it opened before it was confined.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

PROBE = Path(__file__).parent / "probe"
PLAN, RESULTS = "PYTHON_PROBE_PLAN", "PYTHON_PROBE_RESULTS"
"""Variables: the file with the attempts, and the folder of the results. Confined processes inherit PYTHON*."""
REFUSED = ("EACCES", "EPERM")
"""What a confined process is told."""


class Probe:
    """The attempts that the processes of an engine make. Set before it starts; `folder`: for plan and results."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self._folder = folder
        self._plan = folder / "plan.json"
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROBE), os.environ.get("PYTHONPATH", "")]))
        monkeypatch.setenv(PLAN, str(self._plan))
        monkeypatch.setenv(RESULTS, str(folder))

    def plan(self, **facts: Any) -> None:
        """Say what to try: paths and ports by name; for processes that start from now on."""
        self._plan.write_text(json.dumps(facts))

    def results(self, pid: int) -> dict[str, str]:
        """Have a process try everything; return for each attempt `done`, or the name of the error."""
        file = self._folder / f"{pid}.json"
        before = len(file.read_text().splitlines())
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: len(file.read_text().splitlines()) > before, 20, what=f"the attempts of process {pid}")
        found: dict[str, str] = json.loads(file.read_text().splitlines()[-1])
        return found
