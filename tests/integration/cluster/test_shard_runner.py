"""What keeps the engine of a shard running on a machine: through a file with a typo, and an engine that is killed or
stands still."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.cluster.ray_runtime import CONFIG_VARIABLE
from engine.cluster.shard_runner import ShardRunner
from tests.support.cluster.province import HERE, Province
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


@pytest.fixture
def province(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Province]:
    with ExitStack() as stack:
        yield Province(postgres_server.database(), tmp_path, stack)


def write(config: Path, text: str) -> None:
    """Replace the file at once: an empty one would be a configuration too."""
    beside = config.with_suffix(".new")
    beside.write_text(text)
    beside.replace(config)


def test_an_engine_is_started_again_and_gives_its_shard_back_at_the_end(
    province: Province, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "patrol.toml"
    good = (
        f"[record]\nurl = '{province.url}'\nevidence_dir = '{tmp_path}/ev'\nquarantine_dir = '{tmp_path}/q'\n"
        "[serve]\ngrpc_listen = '127.0.0.1:0'\nmetrics_listen = ''\n[intake]\nlisten = ''\n"
        "[feed]\ndeadline_s = 3\nconnect_timeout_s = 1.0\ndemuxers = 0\n"
        "[scheduler]\norder_timeout_s = 6\nkey_period_s = 1\nordinary_period_s = 1\nsuspicious_period_s = 1\n"
        "backoff_stream_first_s = 1\nbackoff_connect_first_s = 1\nbackoff_lasting_first_s = 1\nbackoff_max_s = 1\n"
        "[cluster]\nlease_s = 3\n"
    )
    write(config, "[recrod]\n")
    monkeypatch.setenv(CONFIG_VARIABLE, str(config))
    runner = ShardRunner(1, "node-1", "127.0.0.1", "/elsewhere/patrol.toml")
    try:
        assert runner.state() == {"node": "node-1", "addresses": {}, "starts": 0, "database": True}
        write(config, good.replace(province.url, "postgresql://patrol@127.0.0.1:1/away"))
        wait_until(lambda: not runner.state()["database"], 60)
        assert runner.state()["starts"] == 0
        write(config, good)
        wait_until(lambda: runner.state()["addresses"], 60)
        assert (runner.state()["starts"], province.shard(1).node) == (1, "node-1")
        province.goes_on(HERE)
        process = runner._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: runner.state()["starts"] == 2 and runner.state()["addresses"], 60)
        province.goes_on(HERE)
        process = runner._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: runner.state()["starts"] == 3 and runner.state()["addresses"], 60)
        province.goes_on(HERE)
    finally:
        assert runner.stop()
    assert not province.shard(1).is_held, "it was given back, and nobody has to wait for its end"
    assert runner.state()["addresses"] == {}
