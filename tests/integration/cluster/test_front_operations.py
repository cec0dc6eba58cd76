"""What holds for all shards behind a front: one configuration, also of engines that start; Prometheus finds them."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.client import CallError, PatrolClient
from engine.storage.db.database import write_transaction
from engine.storage.db.shards.applied_configurations import AppliedConfiguration, AppliedConfigurations
from engine.storage.db.shards.tables import applied_configuration
from tests.support.cluster.fronted_province import FrontedProvince, fronted_province
from tests.support.cluster.province import RunningFront
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.postgres import PostgresServer
from tests.support.prometheus import prometheus
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
FULL_DISK = """
CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = 'disk_full'; END $$
"""


@pytest.fixture(scope="module")
def cluster(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontedProvince]:
    with fronted_province(postgres_server.database(), tmp_path_factory.mktemp("cluster")) as running:
        yield running


def discovered(front: RunningFront) -> Any:
    with urllib.request.urlopen(f"http://{front.addresses['metrics']}/sd", timeout=10) as reply:
        assert reply.headers["Content-Type"] == "application/json"
        return json.load(reply)


def test_prometheus_finds_the_engine_of_each_shard_through_the_front(cluster: FrontedProvince, tmp_path: Path) -> None:
    wanted = [
        {"targets": [address], "labels": {"shard": str(number), "node": f"node-{number}"}}
        for number, address in cluster.metrics_at.items()
    ]
    assert discovered(cluster.front) == wanted
    address = cluster.front.addresses["metrics"]
    with prometheus(tmp_path, [address], discovery=f"http://{address}/sd") as seen:
        found = wait_until(lambda: len(up := seen.results("up == 1")) == 3 and up, 60)
        assert {(one["metric"].get("shard"), one["metric"]["instance"]) for one in found} == {
            (None, address),
            *((str(number), at) for number, at in cluster.metrics_at.items()),
        }
        cameras = seen.results("sum by (shard) (patrol_cameras{shard!=''})")
        assert {one["metric"]["shard"]: one["value"][1] for one in cameras} == {"1": "6", "2": "6"}


def test_while_the_database_is_away_the_front_tells_what_it_knew_last(cluster: FrontedProvince, tmp_path: Path) -> None:
    url, _, folder = cluster.province.url.partition("?host=")
    (tmp_path / "pg").symlink_to(folder)
    with RunningFront(f"{url}?host={tmp_path}/pg&application_name=cut-off", tmp_path / "front") as front:
        before = discovered(front)
        assert [group["labels"]["shard"] for group in before] == ["1", "2"]
        (tmp_path / "pg").unlink()
        with cluster.province.database.connect() as connection:
            connection.execute(
                sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut-off'")
            )
        wait_until(lambda: "the database cannot be read" in front.log.read_text())
        assert discovered(front) == before


def test_a_configuration_is_applied_to_all_shards_or_to_none(cluster: FrontedProvince) -> None:
    client = cluster.client
    before = client.config()
    report = client.apply_config(f"{before.toml}\n[judge]\nconfirm_n = 3\n")
    assert report.applied
    assert confirm_n(cluster) == {"3"}
    with pytest.raises(CallError, match="did you mean"):
        client.apply_config("[scheduler]\nkey_perod_s = 3\n")
    with pytest.raises(CallError) as caught:
        client.apply_config(before.toml, expected_revision=before.revision)
    assert caught.value.status == "ABORTED"
    assert confirm_n(cluster) == {"3"}
    # One shard has another configuration, as when it was applied there alone.
    cluster.direct[2].apply_config(before.toml)
    client.apply_config(before.toml)
    assert confirm_n(cluster) == {"2"}


@pytest.mark.parametrize("refused", ["true", "NEW.toml = OLD.toml"], ids=["by the first", "by the second"])
def test_what_a_shard_cannot_store_is_in_force_and_stored_nowhere(cluster: FrontedProvince, refused: str) -> None:
    client, database = cluster.client, cluster.province.database
    client.apply_config(f"{client.config().toml}\n[judge]\nconfirm_n = 3\n")
    before = applied(cluster)
    with write_transaction(database) as connection:
        connection.execute(sa.text(FULL_DISK))
        trigger = "CREATE TRIGGER full_disk BEFORE UPDATE ON applied_configuration FOR EACH ROW"
        connection.execute(sa.text(f"{trigger} WHEN ({refused}) EXECUTE FUNCTION full_disk()"))
    try:
        with pytest.raises(CallError, match="the disk is full"):
            client.apply_config(before.toml.replace("confirm_n = 3", "confirm_n = 1"))
        assert (confirm_n(cluster), applied(cluster).toml) == ({"3"}, before.toml)
    finally:
        with write_transaction(database) as connection:
            connection.execute(sa.text("DROP TRIGGER full_disk ON applied_configuration"))
    client.apply_config(before.toml.replace("[judge]\nconfirm_n = 3", ""))
    assert confirm_n(cluster) == {"2"}


def confirm_n(cluster: FrontedProvince) -> set[str]:
    """What is in force in the shards."""
    settings = (setting for direct in cluster.direct.values() for setting in direct.config().settings)
    return {setting.value for setting in settings if setting.key == "judge.confirm_n"}


def test_an_engine_that_starts_has_what_was_applied_last(cluster: FrontedProvince) -> None:
    cluster.client.apply_config(f"{cluster.client.config().toml}\n[judge]\nconfirm_n = 3\n")
    stored = applied(cluster)
    assert (stored.who, "confirm_n = 3" in stored.toml) == ("local", True)
    start_anew(cluster, 2)
    assert confirm_n(cluster) == {"3"}
    assert cluster.direct[2].config().toml == cluster.direct[1].config().toml == stored.toml
    # One that a newer version wrote: it is not used, and said so; the engine runs with its file.
    text = stored.toml.replace("[judge]", "[judge]\nconfirm_all = true")
    with write_transaction(cluster.province.database) as connection:
        connection.execute(sa.update(applied_configuration).values(toml=text))
    log = start_anew(cluster, 1).log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["event"].startswith("the applied configuration cannot be used here")]
    assert line["level"] == "error"
    assert "applied configuration: judge.confirm_all: unknown key" in line["detail"]
    assert [setting.value for setting in cluster.direct[1].config().settings if setting.key == "judge.confirm_n"] == [
        "2"
    ]
    # The file's content, applied over the front, is what all have again.
    cluster.client.apply_config(cluster.direct[1].config().toml)
    assert confirm_n(cluster) == {"2"}
    assert "confirm" not in applied(cluster).toml


@pytest.mark.long
def test_an_engine_keeps_its_share_of_a_platform_that_others_visit_too(cluster: FrontedProvince) -> None:
    leases, client = cluster.province.leases, cluster.client
    counties = {county: row.shard_no for row in leases.all() for county in row.counties}
    camera = client.camera("c1").camera
    with socket.create_server(("127.0.0.9", 0)) as silent:  # a visit of it lasts until its deadline
        client.update_camera(replace(camera, url=f"rtsp://127.0.0.9:{silent.getsockname()[1]}/1"), ["url"])

        def cap() -> int:
            hosts = cluster.direct[2].schedule().busy_hosts
            return next((host.cap for host in hosts if host.name == "127.0.0.9"), 0)

        before = wait_until(cap)
        leases.assign(counties, {"127.0.0.9": {1: 0.25, 2: 0.75}})
        wait_until(lambda: cap() == before * 3 // 4, what="its share, without a start")
        start_anew(cluster, 2)
        wait_until(lambda: cap() == before * 3 // 4, what="its share, once it was started anew")
        text = client.config().toml
        client.apply_config(f"{text}\n[scheduler.host_visits_max]\n'127.0.0.9' = 9\n")
        wait_until(lambda: cap() == 7, what="its share of the new one")
        client.apply_config(text)
        leases.assign(counties)
        wait_until(lambda: cap() == before, what="the whole cap, since nobody else visits it")
        client.update_camera(camera, ["url"])


def applied(cluster: FrontedProvince) -> AppliedConfiguration:
    """What is stored."""
    stored = AppliedConfigurations(cluster.province.database).last()
    assert stored is not None
    return stored


def start_anew(cluster: FrontedProvince, shard_no: int) -> ShardEngine:
    """End the engine of a shard, and start another on another node."""
    cluster.engines[shard_no].stop()
    engine = cluster.engines[shard_no] = cluster.province.start(shard_no, "node-3")
    cluster.engines_at[shard_no] = engine.addresses()["grpc"]
    cluster.direct[shard_no].close()
    cluster.direct[shard_no] = PatrolClient(cluster.engines_at[shard_no])
    return engine
