"""`patrol ... | head` ends without a word when the reader is gone."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.exit_codes import PIPE_CLOSED


def pipeline(command: str, reader: str) -> subprocess.CompletedProcess[str]:
    """Run `patrol COMMAND | READER`; the exit code is that of patrol if the reader ends with 0."""
    line = f"set -o pipefail; {shlex.quote(sys.executable)} -m engine.cli {command} | {reader}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose database holds 3,000 cameras: several times what a pipe buffers."""
    folder = tmp_path_factory.mktemp("pipes")
    config = folder / "patrol.toml"
    config.write_text(f'[record]\nurl = "sqlite:///{folder}/p.db"\n[serve]\ngrpc_listen = "127.0.0.1:1"\n')
    registry = folder / "cameras.csv"
    rows = [f"camera-{number:06},rtsp://10.0.0.1/{number},130102" for number in range(3000)]
    registry.write_text("\n".join(["camera_id,url,region", *rows]) + "\n")
    done = pipeline(f"cameras import {registry} --config {config}", "cat")
    assert "3000 added" in done.stdout, done.stderr
    return config


def test_head_gets_its_line_and_nobody_complains() -> None:
    done = pipeline("config show", "head -1")
    assert done.stdout.split()[:3] == ["key", "value", "default"]
    assert done.stderr == ""
    assert done.returncode in (0, PIPE_CLOSED)  # 0 if the whole table was in the pipe before head ended


@pytest.mark.parametrize("command", ["cameras list", "cameras list --json"])
def test_a_command_with_much_output_stops_at_a_closed_pipe(command: str, config: Path) -> None:
    done = pipeline(f"{command} --config {config}", "head -1")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
    assert done.returncode == PIPE_CLOSED


def test_an_export_to_standard_output_stops_at_a_closed_pipe(config: Path) -> None:
    done = pipeline(f"cameras export - --format jsonl --config {config}", "head -1")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
    assert done.returncode == PIPE_CLOSED


@pytest.mark.parametrize("command", ["--version", "--help", "config show --toml"])
def test_a_reader_that_takes_nothing_is_no_error(command: str) -> None:
    done = pipeline(command, "true")
    assert done.stderr == ""
    assert done.returncode in (0, PIPE_CLOSED)  # 0 if all was written before the reader ended


def test_an_error_keeps_its_exit_code_and_its_sentence(tmp_path: Path) -> None:
    done = pipeline(f"config show --config {tmp_path}/absent.toml", "cat")
    assert done.returncode == 2
    assert "absent.toml" in done.stderr


def test_a_closed_standard_output_is_no_error() -> None:
    command = f"{shlex.quote(sys.executable)} -m engine.cli config show >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
