"""bench.http_api on a village: the whole program."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.long
def test_the_program_measures_every_kind_of_call(tmp_path: Path) -> None:
    sizes = ["--cameras", "64", "--rows", "200", "--seconds", "4", "--callers", "3", "--calls", "60"]
    command = [sys.executable, "-m", "bench.http_api", "--json", "--dir", str(tmp_path), *sizes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["errors"] == {}
    assert min(result[f"{kind}_calls"] for kind in ("get_camera", "page", "page_gzip")) > 0
    assert result["page_kb"] > result["page_gzip_kb"] > 0
    assert set(result["missed"]) <= {"page_ms_p99", "page_gzip_ms_p99"}
