"""`patrol cluster status` where Ray does not answer: what the database says of shards and shared platforms."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.support.cluster.site import COUNTIES, Site
from tests.support.postgres import PostgresServer

HOST = "10.0.0.1"


def test_shards_are_shown_with_what_they_have_of_platforms(postgres_server: PostgresServer, tmp_path: Path) -> None:
    config = tmp_path / "cluster.toml"

    def status(*options: str) -> str:
        command = [sys.executable, "-m", "engine.cli", "cluster", "status", "--config", str(config), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert "what follows is what the database says" in done.stderr
        return done.stdout

    with ExitStack() as stack:
        site = Site(postgres_server.database(), stack)
        config.write_text(f"[record]\nurl = '{site.url}'\n[cluster]\ntoken_file = '{tmp_path}/none'\n")
        assert "shared platform" not in status(), "there is none"
        site.leases.assign(COUNTIES, {HOST: {1: 0.25, 2: 0.75}})
        store = site.open(site.take(1))
        site.take(2)
        assert store.host_grants is not None
        store.host_grants.change(HOST, lambda _: 3)
        lines = [line.split() for line in status().splitlines() if line.startswith(HOST)]
        assert lines == [[HOST, "1", "25%", "3"], [HOST, "2", "75%", "-"]]
        assert json.loads(status("--json"))["platforms"] == [
            {"platform": HOST, "shard": 1, "share": 0.25, "visits": 3},
            {"platform": HOST, "shard": 2, "share": 0.75, "visits": None},
        ]
