"""bench.api on a village: the whole program, and that its province is made once and goes on where it was broken off."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bench import province
from bench.api_watchers import WatchCounts
from engine.storage.db.store import Store

ROOT = Path(__file__).resolve().parents[3]
CAMERAS, ROWS, DAYS = 64, 1_000, 2


def log_of(path: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT seq, camera_no FROM verdict_log ORDER BY seq").fetchall()


@pytest.mark.long
def test_the_program_loses_no_verdict_and_counts_every_call(tmp_path: Path) -> None:
    sizes = {"cameras": CAMERAS, "rows": ROWS, "days": DAYS, "callers": 3, "watchers": 4, "calls": 60, "seconds": 8}
    words = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "bench.api", "--json", "--checks", "20", "--dir", str(tmp_path), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {name: result[name] for name in sizes if name != "calls"} == {k: v for k, v in sizes.items() if k != "calls"}
    assert (result["watch_lost"], result["watch_twice"], result["watch_disordered"]) == (0, 0, 0)
    written = [seq for seq, _ in log_of(tmp_path / "patrol.db")][ROWS:]
    assert written
    assert result["watch_received"] == sizes["watchers"] * len(written)
    assert result["call_errors"] == {}
    assert min(result[f"{kind}_calls"] for kind in ("get_camera", "list_page", "list_basic", "kpi")) > 0
    assert 0 < result["list_basic_bytes"] < result["list_page_bytes"] / 5
    assert set(result["missed"]) <= {
        "get_camera_ms_p99", "list_page_ms_p99", "list_basic_ms_p99", "kpi_ms_p99", "start_s",
    }  # fmt: skip


def test_a_province_that_is_there_is_not_made_again_and_others_are(tmp_path: Path) -> None:
    path = tmp_path / "patrol.db"
    assert province.make(path, CAMERAS, ROWS, DAYS) > 0
    before = log_of(path)
    assert province.make(path, CAMERAS, ROWS, DAYS) == 0
    assert log_of(path) == before
    assert [seq for seq, _ in before] == list(range(1, ROWS + 1))
    store = Store.open(f"sqlite:///{path}")
    assert len(list(store.latest())) == CAMERAS
    assert all(camera.push for camera in store.registry.cameras())
    store.close()
    assert province.make(path, CAMERAS // 2, ROWS, DAYS) > 0
    assert len(log_of(path)) == ROWS


def test_a_province_that_was_broken_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, log_rows = tmp_path / "patrol.db", province._log_rows

    def broken(seqs: range, *rest: object) -> object:
        if seqs.start > 300:
            raise KeyboardInterrupt
        return log_rows(seqs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(province, "_LOG_ROWS", 300)
    with monkeypatch.context() as patched:
        patched.setattr(province, "_log_rows", broken)
        with pytest.raises(KeyboardInterrupt):
            province.make(path, CAMERAS, ROWS, DAYS)
    half = log_of(path)
    assert len(half) == 300
    province.make(path, CAMERAS, ROWS, DAYS)
    assert log_of(path)[:300] == half
    assert [seq for seq, _ in log_of(path)] == list(range(1, ROWS + 1))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda names: names, (0, 0, 0)),
        (lambda names: names[:3] + names[4:], (1, 0, 0)),
        (lambda names: [*names[:3], names[2], *names[3:]], (0, 1, 0)),
        (lambda names: [names[1], names[0], *names[2:]], (0, 0, 1)),
    ],
)
def test_watchers_count_what_they_missed_and_what_came_twice_or_out_of_order(
    tmp_path: Path, spoil: Callable[[list[str]], list[str]], expected: tuple[int, int, int]
) -> None:
    from bench.api_watchers import _counted, _logged, _Received

    path = tmp_path / "patrol.db"
    province.make(path, CAMERAS, ROWS, DAYS)
    names = [name for _, name in _logged(path, 100, 200)]
    watched: WatchCounts = _counted([_Received(names=spoil(names), first_seq=100, seq=200)], path, 200)
    assert (watched.lost, watched.twice, watched.disordered) == expected
