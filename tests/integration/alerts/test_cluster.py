"""Alerts about shards: what a front sees of engines that are gone."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cluster.province import Province
from tests.support.postgres import PostgresServer
from tests.support.prometheus import prometheus, shows

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@shows("PatrolShardAway")
def test_a_shard_that_no_engine_runs(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        province = Province(postgres_server.database(), tmp_path / "province", stack)
        engines = [province.start(number, f"node-{number}") for number in (1, 2)]
        for engine in engines:
            engine.addresses()
        seen = stack.enter_context(prometheus(tmp_path, [province.front().addresses["metrics"]]))
        seen.wait_silent("PatrolShardAway")
        engines[0].send_all(signal.SIGKILL)
        seen.wait_firing("PatrolShardAway")
        (series,) = seen.results('patrol_shards{state="away"}')
        assert series["value"][1] == "1"
        province.start(1, "node-3").addresses()
        seen.wait_silent("PatrolShardAway")
