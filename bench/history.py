"""Appends one JSON line per recorded benchmark run to bench/history.jsonl."""

import datetime
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HISTORY = HERE / "history.jsonl"


def append(record: dict[str, Any]) -> None:
    """Append `record`, which should have a `bench` key, as one line, with date, commit, CPU and Python version."""
    stamped = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": cpu_model(),
        "python": platform.python_version(),
        **record,
    }
    with HISTORY.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(stamped, ensure_ascii=False) + "\n")


def commit() -> str:
    """Return the short hash of the checked-out commit, with a + if tracked files differ from it.

    Returns `unknown` outside a repository.
    """
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def cpu_model() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
