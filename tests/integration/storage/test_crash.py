"""kill -9 of a process that writes, at any moment: what it was told is committed is there, once and in order."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.storage.db.database import connect, parse_url
from engine.storage.db.store import Store
from tests.support.expect import present

ROUNDS = 20


def run_and_kill(url: str, folder: Path, first_visit: int, after_s: float) -> list[str]:
    """What the process said until it was killed, some time after its first word."""
    command = [sys.executable, "-m", "tests.support.storage_crash", url, str(folder), str(first_visit)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first = present(process.stdout).readline()
        time.sleep(after_s)
        process.kill()
        rest = present(process.stdout).read()
    whole, _, _ = (first + rest).rpartition("\n")  # the last line may have been cut by the kill
    return whole.splitlines()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_what_was_acknowledged_survives_any_kill_once_and_in_order(database_url: str, tmp_path: Path) -> None:
    rng = random.Random(5)
    acknowledged: dict[int, int] = {}
    notes: set[str] = set()
    visits: list[int] = []
    for _ in range(ROUNDS if database_url.startswith("sqlite") else 3):
        said = run_and_kill(database_url, tmp_path / "evidence", visits[-1] + 1 if visits else 1, rng.uniform(0, 0.4))
        assert said
        notes |= {line for line in said if line.startswith("note")}
        acknowledged |= {int(seq): int(visit) for seq, visit in map(str.split, said) if seq != "note"}
        store = Store.open(database_url)
        logged = store.history.after(0, 10**7)
        store.close()
        assert [line.seq for line in logged] == list(range(1, len(logged) + 1))
        visits = [line.verdict.visit_id for line in logged]
        assert visits == list(range(1, len(logged) + 1))
        assert {seq: visits[seq - 1] for seq in acknowledged} == acknowledged
    with connect(parse_url(database_url)).connect() as connection:
        assert notes <= set(connection.scalars(sa.text("SELECT key FROM patrol_about WHERE value = 'note'")))
        summed = connection.scalar(sa.text("SELECT sum(ok) FROM verdict_days"))
        rolled = connection.scalar(sa.text("SELECT value FROM patrol_about WHERE key = 'rolled_seq'"))
        assert (summed or 0) == int(rolled or 0)
    assert len(notes) > 1
