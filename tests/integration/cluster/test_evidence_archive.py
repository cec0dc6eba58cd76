"""What people see of a finding once the machine that took its pictures is lost: the archive has them."""

import io
import shutil
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.client import CallError, PatrolClient
from engine.demo.county import County
from engine.model.findings import FindingQuery, Step
from engine.storage.db.store import Store
from tests.support.cluster.province import HERE, Province
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.live_engine import DARK
from tests.support.postgres import PostgresServer
from tests.support.s3 import KEY, SECRET, s3_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)


def photograph_file() -> bytes:
    content = io.BytesIO()
    Image.effect_noise((320, 240), 60).save(content, "JPEG")
    return content.getvalue()


def lose(engine: ShardEngine, folder: Path) -> None:
    """End the engine of a machine at once, and its disk with it."""
    engine.send_all(signal.SIGKILL)
    engine.process.wait()
    shutil.rmtree(folder)


def test_pictures_and_photographs_of_a_lost_machine_are_shown_by_the_next(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with ExitStack() as stack:
        s3 = stack.enter_context(s3_server(tmp_path / "s3", "evidence"))
        archive = {"archive_url": "s3://evidence/hebei", "archive_endpoint": s3.url}
        county = stack.enter_context(County(only={DARK}))
        province = Province(postgres_server.database(), tmp_path / "machines", stack)
        with_dark_camera(province, county)
        first = province.start(1, "a", **archive)
        first.addresses()
        client = stack.enter_context(PatrolClient(province.front().addresses["grpc"]))
        query = FindingQuery(camera_id=county.cameras[0].camera.camera_id, open_only=True)
        finding = wait_until(lambda: next(iter(client.findings.list(query)), None), 60)
        before = client.findings.picture(finding.finding_id)
        client.findings.claim(finding.finding_id, "lamp replaced", photographs=[photograph_file()])
        (photograph,) = (
            event.photographs[0] for event in client.findings.events(finding.finding_id) if event.step is Step.CLAIMED
        )
        taken = client.findings.photograph(finding.finding_id, photograph)

        lose(first, tmp_path / "machines" / "engine-1")
        province.start(1, "b", **archive).addresses()

        def again() -> bytes | None:
            try:
                return client.findings.picture(finding.finding_id).jpeg
            except CallError as error:
                if error.status == "UNAVAILABLE":
                    return None
                raise

        assert wait_until(again, 60) == before.jpeg
        assert client.findings.photograph(finding.finding_id, photograph).jpeg == taken.jpeg
        assert {path.name for path in (tmp_path / "s3" / "evidence" / "hebei").iterdir()} == {"exhibits", "photographs"}


def with_dark_camera(province: Province, county: County) -> None:
    store = Store.open(province.url)
    store.registry.upsert(replace(demo.camera, region=HERE) for demo in county.cameras)
    store.close()
