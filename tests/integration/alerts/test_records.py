"""Alerts about what is kept and passed on: evidence, findings, notices, database, disks."""

import contextlib
import io
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from engine.client import PatrolClient
from engine.config import Settings
from engine.config.ledger import LedgerSettings
from engine.config.notices import EndpointSettings, NoticesSettings
from engine.config.schema import RecordSettings
from engine.config.serve import ServeSettings
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.findings import Level
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.supervisor.app import Supervisor
from tests.support.feed.hostile_pictures import bomb
from tests.support.live_engine import fast_scheduler, settings
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, prometheus, shows
from tests.support.webhook_receivers import SECRET_LINE

CAMERAS = [f"dark-{n:03}" for n in range(80)]
KEPT = 60.3
"""Pictures that the budget of evidence holds; each of CAMERAS wants one for good."""
QUEUED = 100
"""Verdicts that wait while the database is away."""
SECONDS_AS_HOURS = dict.fromkeys(Level, 1 / 3600)
DISK_BYTES = 64 * 1024 * 1024

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


def dark_picture() -> bytes:
    """A JPEG that is too dark, with a comment of 8 digits, so that each copy has bits of its own and the same size."""
    output = io.BytesIO()
    noise = Image.effect_noise((640, 360), 4).point(lambda level: max(0, level - 124))
    noise.save(output, "JPEG", comment=b"0" * 8)
    return output.getvalue()


DARK = dark_picture()


class Site:
    """An engine whose gateways push dark pictures, and whose endpoint nobody serves."""

    def __init__(self, folder: Path, chosen: Settings, disk: Path | None) -> None:
        self.folder, self.disk = folder, disk
        self.metrics = chosen.serve.metrics_listen
        self._settings = chosen
        self._stack = ExitStack()
        self._pushed = 0

    def start(self, **record: int) -> None:
        """Start the engine, again or for the first time, with these settings of `record` changed."""
        self.stop()
        changed = {"record": self._settings.record.model_copy(update=record)}
        engine = self._stack.enter_context(Supervisor(self._settings.model_copy(update=changed)))
        client = self._stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        client.import_cameras([Camera(name, "", push=True, region="130102") for name in (*CAMERAS, "hostile")])
        transport = Transport()
        self._stack.callback(transport.close)
        self._channel = transport.connect_push(engine.addresses["intake"], 2 * len(CAMERAS))

    def stop(self) -> None:
        """Stop the engine if it runs."""
        self._stack.close()

    def push(self, camera_id: str, payload: bytes) -> None:
        """Push one picture; what ZeroMQ does not take at once is left out."""
        self._channel.send(wire.pack_keyframe(Keyframe(camera_id, 0, Codec.MJPEG, payload, 0, None, FeedKind.GATEWAY)))

    def push_dark(self) -> None:
        """Push one picture for each of CAMERAS, none the same as another."""
        for camera_id in CAMERAS:
            self._pushed += 1
            self.push(camera_id, DARK.replace(b"0" * 8, f"{self._pushed:08}".encode(), 1))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a disk of DISK_BYTES; None where that is not allowed."""
    place = folder / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "patrol-test", str(place)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("records")
    (folder / "secret").write_text(SECRET_LINE)
    endpoint = EndpointSettings(
        name="county", url=f"http://127.0.0.1:{free_port()}/", secret_file=str(folder / "secret")
    )
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder))
        metrics = f"127.0.0.1:{free_port()}"
        chosen = settings(
            folder,
            serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen=metrics),
            scheduler=fast_scheduler(key_period_s=600, ordinary_period_s=600),
            record=RecordSettings(
                url=f"sqlite:///{folder}/patrol.db",
                evidence_dir=str((disk or folder) / "ev"),
                quarantine_dir=f"{folder}/q",
                evidence_bytes_max=int(KEPT * len(DARK)),
                queue_records_max=QUEUED,
            ),
            ledger=LedgerSettings(blind_hours=SECONDS_AS_HOURS, impaired_hours=SECONDS_AS_HOURS),
            notices=NoticesSettings(endpoints=(endpoint,), wait_first_s=0.2),
        )
        stack.callback((made := Site(folder, chosen, disk)).stop)
        made.start()
        yield made


@pytest.fixture(scope="module")
def seen(site: Site) -> Iterator[Prometheus]:
    with prometheus(site.folder, [site.metrics]) as found:
        yield found


@shows("PatrolEvidenceNearBudget", "PatrolFindingsOverdue", "PatrolNoticesFailing")
def test_more_faults_than_the_budget_holds_which_nobody_mends_or_hears_of(site: Site, seen: Prometheus) -> None:
    seen.wait_silent("PatrolEvidenceNearBudget", "PatrolFindingsOverdue", "PatrolNoticesFailing")
    alerts = ("PatrolEvidenceNearBudget", "PatrolFindingsOverdue", "PatrolNoticesFailing")
    seen.wait_firing(*alerts, inject=site.push_dark)


@shows("PatrolExhibitsLost")
def test_a_budget_that_is_lowered_below_what_open_findings_cite(site: Site, seen: Prometheus) -> None:
    seen.wait_silent("PatrolExhibitsLost")
    site.start(evidence_bytes_max=2 * len(DARK))
    seen.wait_firing("PatrolExhibitsLost", inject=site.push_dark)


@shows("PatrolPicturesTooCostly")
def test_pictures_that_would_cost_minutes(site: Site, seen: Prometheus) -> None:
    seen.wait_silent("PatrolPicturesTooCostly")
    costly = bomb()
    seen.wait_firing("PatrolPicturesTooCostly", inject=lambda: site.push("hostile", costly))


@shows("PatrolDiskFull")
def test_a_disk_without_room(site: Site, seen: Prometheus) -> None:
    seen.wait_silent("PatrolDiskFull")
    if site.disk is None:
        pytest.skip("this user may not mount a small disk")
    ballast = site.disk / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65_536))
    seen.wait_firing("PatrolDiskFull")
    ballast.unlink()


@shows("PatrolNotReady", "PatrolStoreErrors", "PatrolVerdictsLost")
def test_a_database_that_takes_no_writes(site: Site, seen: Prometheus) -> None:
    seen.wait_silent("PatrolNotReady", "PatrolStoreErrors", "PatrolVerdictsLost")
    with contextlib.closing(sqlite3.connect(site.folder / "patrol.db", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        seen.wait_firing("PatrolNotReady", "PatrolStoreErrors", "PatrolVerdictsLost", inject=site.push_dark)
        other.execute("ROLLBACK")


@shows("PatrolDatabaseFileLost")
def test_a_database_that_is_moved_away(site: Site, seen: Prometheus) -> None:
    seen.wait_silent("PatrolDatabaseFileLost")
    file = site.folder / "patrol.db"
    file.rename(site.folder / "moved.db")
    seen.wait_firing("PatrolDatabaseFileLost")
    (site.folder / "moved.db").rename(file)
