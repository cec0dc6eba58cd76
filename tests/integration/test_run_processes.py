"""`patrol run` as the operating system sees it: signals, and who is left when somebody dies."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.waiting import wait_until


def command(folder: Path) -> list[str]:
    """`patrol run` with its files in `folder` and ports that are free."""
    config = folder / "patrol.toml"
    config.write_text(
        f'[record]\nurl = "sqlite:///{folder}/p.db"\nevidence_dir = "{folder}/ev"\n'
        "[web]\nenabled = false\n"
        '[serve]\ngrpc_listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"\n[intake]\nlisten = "tcp://127.0.0.1:0"\n'
    )
    return [sys.executable, "-m", "engine.cli", "run", "--config", str(config)]


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in listed.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("delay_s", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_stops_cleanly_and_leaves_no_orphan(tmp_path: Path, delay_s: float, number: int) -> None:
    with subprocess.Popen(command(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        time.sleep(delay_s)
        offspring = children(process.pid)
        process.send_signal(number)
        began = time.monotonic()
        code = process.wait(timeout=10)
        assert time.monotonic() - began < 5
    assert code in (0, 130, -number), process.stderr.read() if process.stderr else ""
    wait_until(lambda: not any(alive(pid) for pid in offspring), 3)


def test_when_the_supervisor_is_killed_its_children_go_too(tmp_path: Path) -> None:
    with subprocess.Popen(command(tmp_path), stderr=subprocess.DEVNULL) as process:
        offspring = wait_until(lambda: len(found := children(process.pid)) >= 4 and found, 20)
        time.sleep(2)  # the children run and have nothing to do
        process.kill()
    wait_until(lambda: not any(alive(pid) for pid in offspring), 5)
