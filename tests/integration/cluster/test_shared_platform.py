"""Two shards visit one platform: its server counts that they keep to its cap, and use what the other leaves."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.client import PatrolClient
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings
from engine.config.serve import ServeSettings
from engine.model.camera import Camera
from engine.model.shard import ShardTask
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases
from engine.storage.db.store import Store
from tests.support.cluster.platform import CountingPlatform
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.live_engine import refusing_settings, scrape
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]
HOST = "127.0.0.9"
CAP = 6
CAMERAS = 12
COUNTIES = {"130102": 1, "130203": 2}
LEASE_S = 4.0
VISIT_S = 0.8


class SharedPlatform:
    """The database of two shards whose cameras are all on one platform, and their engines."""

    def __init__(self, url: str, folder: Path, stack: ExitStack, platform: CountingPlatform) -> None:
        self._url, self._folder, self._stack, self._platform = url, folder, stack, platform
        self._engines = 0
        store = Store.open(url)
        store.registry.upsert(
            Camera(f"c{shard}-{n}", f"rtsp://{HOST}:{platform.port}/{shard}/{n}", region=county, uplink=f"u{shard}-{n}")
            for county, shard in COUNTIES.items()
            for n in range(CAMERAS)
        )
        store.close()
        database = connect(parse_url(url))
        stack.callback(database.dispose)
        self.leases = Leases(database)

    def start(self, shard: int) -> ShardEngine:
        """Start an engine whose cameras are all due all the time."""
        self._engines += 1
        folder = self._folder / f"engine-{self._engines}"
        plain = refusing_settings(folder, 0)
        scheduler = {**plain.scheduler.model_dump(), "host_visits_max": {HOST: CAP}, "host_starts_per_s_max": 1000}
        changes: dict[str, Any] = {
            "record": RecordSettings(url=self._url, evidence_dir=f"{folder}/ev"),
            "log": LogSettings(level="info", format="json"),
            "serve": ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
            "scheduler": SchedulerSettings.model_validate(scheduler),
        }
        task = ShardTask(shard, f"node-{self._engines}", LEASE_S)
        return self._stack.enter_context(ShardEngine(plain.model_copy(update=changes), task, folder))

    def wait(self, visits: dict[int, int]) -> None:
        """Wait until each shard makes so many visits at once, and no more."""
        give_up_s = time.monotonic() + 90
        while (seen := self._platform.most()) != visits:
            assert time.monotonic() < give_up_s, f"visits at once by shard are {seen}, wanted {visits}"
        assert self._platform.peak <= CAP


@pytest.fixture
def platform() -> Iterator[CountingPlatform]:
    with CountingPlatform(HOST, VISIT_S) as counting:
        yield counting


def test_shards_keep_to_the_cap_of_a_platform_together_and_use_what_the_other_leaves(
    postgres_server: PostgresServer, tmp_path: Path, platform: CountingPlatform
) -> None:
    with ExitStack() as stack:
        shared = SharedPlatform(postgres_server.database(), tmp_path, stack, platform)
        shared.leases.assign(COUNTIES, {HOST: {1: 1 / 3, 2: 2 / 3}})
        first = shared.start(1)
        metrics = first.addresses()["metrics"]
        shared.wait({1: 6})
        second = shared.start(2)
        shared.wait({1: 2, 2: 4})
        assert scrape(metrics)["patrol_host_visits_granted", (("host", HOST),)] == 2
        second.send_all(signal.SIGKILL)
        second.process.wait()
        shared.wait({1: 6})
        third = shared.start(2)
        shared.wait({1: 2, 2: 4})
        shared.leases.assign(COUNTIES, {HOST: {1: 0.5, 2: 0.5}})  # no engine is started anew for it
        shared.wait({1: 3, 2: 3})
        for engine in (first, third):
            with PatrolClient(engine.addresses()["grpc"]) as client:
                client.apply_config(client.config().toml.replace(f'"{HOST}" = {CAP}', f'"{HOST}" = 4'))
        shared.wait({1: 2, 2: 2})
        for engine in (third, first):
            with PatrolClient(engine.addresses()["grpc"]) as client:
                client.apply_config(client.config().toml.replace(f'"{HOST}" = 4', f'"{HOST}" = 1'))
        peak_before = platform.peak
        wait_until(lambda: platform.most() in ({1: 1}, {2: 1}), 60)
        one = platform.most(0.5)
        wait_until(lambda: (now := platform.most(1.0)) != one and len(now) == 1, 60, what="the turn of the other shard")
        third.stop()
        shared.wait({1: 1})
        assert platform.peak == peak_before == CAP
