"""A province for tests: a database with two shards of one county each, engines that run them, and fronts."""

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from engine.config.schema import LogSettings, RecordSettings, Settings
from engine.config.serve import ServeSettings
from engine.model.shard import ShardTask
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases, ShardRow
from engine.storage.db.store import Store
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.live_engine import refusing_cameras, refusing_settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until

LEASE_S = 3.0
HERE, THERE = "130102", "130203"


class RunningFront:
    """`patrol front` as a process of its own. `sections`: more of its configuration."""

    def __init__(self, url: str, folder: Path, sections: str = "") -> None:
        folder.mkdir(parents=True)
        config, self.log = folder / "patrol.toml", folder / "log"
        config.write_text(
            f"[record]\nurl = '{url}'\n[log]\nformat = 'json'\n"
            f"[serve]\ngrpc_listen = '127.0.0.1:0'\nmetrics_listen = '127.0.0.1:0'\n{sections}"
        )
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "engine.cli", "front", "--config", str(config)]
            self.process = subprocess.Popen(command, stderr=log)
        self.addresses = wait_until(self._ready, 60)

    def _ready(self) -> dict[str, str] | None:
        assert self.process.poll() is None, self.log.read_text()
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return next((line for line in lines if line["event"] == "ready"), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Province:
    """A database with two shards of one county each, and engines that run them."""

    def __init__(self, url: str, folder: Path, stack: ExitStack, lease_s: float = LEASE_S) -> None:
        self.url, self._folder, self._stack, self._lease_s = url, folder, stack, lease_s
        store = Store.open(url)
        store.registry.upsert(
            replace(camera, url=camera.url.replace("u:p@", "")) for camera in refusing_cameras(free_port())
        )
        store.close()
        self.database = connect(parse_url(url))
        stack.callback(self.database.dispose)
        self.leases = Leases(self.database)
        self.leases.assign({HERE: 1, THERE: 2})
        self._engines = 0

    def start(self, shard_no: int, node: str, **kept: str) -> ShardEngine:
        """Start an engine with folders of its own. `kept`: other keys of [record]."""
        self._engines += 1
        folder = self._folder / f"engine-{self._engines}"
        record = RecordSettings.model_validate({"url": self.url, "evidence_dir": f"{folder}/ev", **kept})
        changes = {
            "record": record,
            "log": LogSettings(level="info", format="json"),
            "serve": ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        }
        settings: Settings = refusing_settings(folder, 0).model_copy(update=changes)
        task = ShardTask(shard_no, node, self._lease_s)
        return self._stack.enter_context(ShardEngine(settings, task, folder))

    def front(self, more: str = "") -> RunningFront:
        self._engines += 1
        return self._stack.enter_context(RunningFront(self.url, self._folder / f"front-{self._engines}", more))

    def shard(self, number: int) -> ShardRow:
        return next(row for row in self.leases.all() if row.shard_no == number)

    def verdicts(self, region: str) -> list[tuple[int, str]]:
        """The numbers and cameras of all verdicts on a county, in the order of the log."""
        query = sa.text(
            "SELECT v.seq, n.camera_id FROM verdict_log v JOIN camera_nos n USING (camera_no)"
            " JOIN cameras c ON c.camera_id = n.camera_id WHERE c.region = :region ORDER BY v.seq"
        )
        with self.database.connect() as connection:
            return [(row.seq, row.camera_id) for row in connection.execute(query, {"region": region})]

    def goes_on(self, region: str) -> None:
        """Wait until each camera of a county has a verdict that it did not have."""
        before = len(self.verdicts(region))
        with self.database.connect() as connection:
            of_region = sa.text("SELECT camera_id FROM cameras WHERE region = :region")
            cameras = set(connection.scalars(of_region, {"region": region}))
        wait_until(lambda: {camera_id for _, camera_id in self.verdicts(region)[before:]} == cameras, 60, poll_s=0.2)
