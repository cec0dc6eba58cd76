"""bench.web on a village: the whole program, with Chromium."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.web.browser import needs_chromium

ROOT = Path(__file__).resolve().parents[3]


@needs_chromium
@pytest.mark.long
def test_the_program_measures_pages_sessions_and_the_wall(tmp_path: Path) -> None:
    sizes = [
        "--cameras",
        "256",
        "--rows",
        "300",
        "--checks",
        "5",
        "--seconds",
        "3",
        "--sessions",
        "4",
        "--pictures",
        "64",
    ]
    command = [sys.executable, "-m", "bench.web", "--json", "--dir", str(tmp_path), *sizes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["sessions_open"], result["sessions_live"], result["sessions_errors"]) == (4, 2, {})
    assert 0 < result["wall_200_ms"] < 60_000
    assert result["scroll_cameras"] > 0
    assert 10 < result["js_kb"]["wall"] < 120
    assert result["review_next_ms_p95"] is None or "review" not in result["absent"]
    assert result["checks_per_s"] > 0
