"""A short chaos: three machines, 600 cameras; `python -m tests.cluster_chaos` is the long one."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster_chaos.run import Run
from tests.cluster_chaos.streams import REPLAY
from tests.support import postgres
from tests.support.cluster import redis_server

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kitchen-patrol[cluster]'")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.shared,
    pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing()),
    pytest.mark.skipif(bool(redis_server.missing()), reason=redis_server.missing()),
    pytest.mark.skipif(not REPLAY.exists(), reason=f"{REPLAY} is not here: it streams the cameras"),
]
SEED, MINUTES, GAP_S = 1, 0.75, 25.0


def test_nothing_is_lost_or_doubled_while_machines_are_lost(tmp_path: Path) -> None:
    with ExitStack() as stack:
        run = Run(tmp_path, SEED, stack, is_timed=False)
        figures = run.execute(MINUTES, GAP_S)
    assert figures["broken"] == []
    assert len(figures["faults"]) >= 2
    assert figures["watched"] > 600
    assert figures["calls"]["changed"] > 5
    assert figures["commands"]["acknowledged"] > 5
