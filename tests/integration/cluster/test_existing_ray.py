"""Shards on a Ray cluster that somebody else runs: placed, named by what Ray knows of its machines, and given back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cluster.existing_ray import WORKER, ExistingRay
from tests.support.cluster.province import HERE, THERE, Province
from tests.support.cluster.ray_cluster import LEASE_S, QUICK_VISITS
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kitchen-patrol[cluster]'")
pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def file_of_all(folder: Path, url: str, token: Path, bindings: str) -> Path:
    """A file that all machines share, so that it has no machine's address."""
    path = folder / "patrol.toml"
    path.write_text(
        f"[record]\nurl = '{url}'\nevidence_dir = '{folder}/ev'\nquarantine_dir = '{folder}/q'\n"
        "[serve]\ngrpc_listen = '127.0.0.1:0'\nmetrics_listen = '0.0.0.0:0'\nmetrics_public = true\n"
        f"[intake]\nlisten = ''\n[log]\nformat = 'json'\n{QUICK_VISITS}"
        f"[cluster]\ntoken_file = '{token}'\nlease_s = {LEASE_S}\nbindings = {{ {bindings} }}\n"
    )
    return path


def call(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.cli", "cluster", *arguments, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)


def test_shards_are_placed_on_a_cluster_that_runs_and_given_back(
    postgres_server: PostgresServer, tmp_path: Path, stack: ExitStack
) -> None:
    province = Province(postgres_server.database(), tmp_path, stack)
    ray = ExistingRay(tmp_path, stack)
    config = file_of_all(tmp_path, province.url, ray.token, '1301 = "city=1301", 1302 = "city=1302"')
    done = call(config, "up", "--existing", ray.address)
    assert (done.returncode, done.stdout.splitlines()) == (
        1, ["1 shards run on 1 machines", "shard 2 does not run: no node has the label city=1302"],
    ), done.stderr  # fmt: skip
    assert province.shard(1).node == "worker-1", "the head has no cores for shards"
    assert province.shard(1).metrics_address.startswith(f"{WORKER}:"), "its address is the one that Ray knows"
    province.goes_on(HERE)

    done = call(config, "down", "--head", ray.address)
    assert (done.returncode, done.stdout[:27]) == (0, "1 shards were given back; `"), done.stderr
    assert not province.shard(1).is_held

    file_of_all(tmp_path, province.url, ray.token, "")
    done = call(config, "up", "--existing", ray.client_address)
    assert (done.returncode, done.stdout) == (0, "2 shards run on 1 machines\n"), done.stderr
    province.goes_on(THERE)
    shown = json.loads(call(config, "status", "--head", ray.client_address, "--json").stdout)
    assert [(row["node"], row["labels"], row["shards"]) for row in shown["nodes"]] == [("worker-1", "city=1301", 2)]
    assert call(config, "up", "--existing", ray.address).returncode == 0, "again: it says that all run"
    assert call(config, "drain", "worker-1", "--head", ray.address).returncode == 0
    wait_until(lambda: not (province.shard(1).is_held or province.shard(2).is_held), 60)


def test_a_cluster_that_asks_nobody_for_a_token_is_refused(
    postgres_server: PostgresServer, tmp_path: Path, stack: ExitStack
) -> None:
    province = Province(postgres_server.database(), tmp_path, stack)
    ray = ExistingRay(tmp_path, stack, mode="disabled")
    config = file_of_all(tmp_path, province.url, ray.token, "")
    done = call(config, "up", "--existing", ray.address)
    assert done.returncode == 2
    assert "asks nobody for a token" in done.stderr
    assert not province.shard(1).is_held
