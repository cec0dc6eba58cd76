"""Ctrl-C while `patrol` starts: it ends at once, and nothing that takes long is loaded before that holds."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_nothing_is_loaded_before_an_interrupt_is_quiet() -> None:
    script = "import sys; before = set(sys.modules); import engine.cli; print(*sorted(set(sys.modules) - before))"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(ran.stdout.split()) <= {"_signal", "engine", "engine.cli"}
