"""Runs the command line as its users do: in a process of its own."""

import subprocess
import sys
from pathlib import Path


def patrol(*arguments: str, cwd: Path | None = None, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run `patrol` with these arguments and return its exit code and output."""
    command = [sys.executable, "-m", "engine.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=timeout_s, check=False)
