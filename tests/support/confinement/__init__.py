"""Tries from within the engine's own processes what somebody would try who has taken one over.

`probe/sitecustomize.py` is imported by every Python that has its folder in PYTHONPATH; on SIGUSR1 the process makes the
attempts and appends what became of them to a file that it opened before it was confined.
"""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.runtime import numba_cache
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


@contextlib.contextmanager
def plan(probe: Probe, folder: Path) -> Iterator[None]:
    """Plan the attempts of an engine in this folder; the services that they try to reach are there."""
    files = {name: folder / name for name in ("patrol.toml", "kept", "program", "patrol.db")}
    for file in files.values():
        file.touch()
    files["program"].write_text("no program")
    files["program"].chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as service, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(folder / "service"))
        local.listen()
        with socket.create_server(("127.0.0.1", 0)) as unused:
            free_port = unused.getsockname()[1]
        probe.plan(
            read={
                "passwd": "/etc/passwd",
                "database": str(files["patrol.db"]),
                "evidence": str(folder / "ev"),
                "configuration": str(files["patrol.toml"]),
            },
            write={
                "outside": str(folder / "written"),
                "cache": f"{numba_cache.base()}/written",
                "own": "/proc/self/comm",
            },
            remove=str(files["kept"]),
            program=str(files["program"]),
            port=service.getsockname()[1],
            free_port=free_port,
            unix=str(folder / "service"),
        )
        yield
