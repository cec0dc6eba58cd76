"""Evidence that outlives the machine: copies in a shared folder and in a real S3 store, read by another machine."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from engine.cli.main import app
from engine.clock import wall_ns
from engine.config.schema import RecordSettings
from engine.errors import ConfigError, IntegrityError
from engine.model.photograph import photograph_name
from engine.model.verdict import FaultKind
from engine.storage.db.database import connect, parse_url, write_transaction
from engine.storage.db.ledger.findings import LedgerEntry, append
from engine.storage.db.store import Store
from engine.storage.db.tables import archived
from engine.storage.evidence import blobs
from engine.storage.evidence.archive import Archive
from engine.storage.evidence.archive_files import ArchiveFiles, open_archive_files
from engine.storage.evidence.blobs import BlobsAwayError
from engine.storage.evidence.store import EvidenceStore
from tests.integration.storage.test_evidence import FAULT, OK, keyframe, see, verdict
from tests.support.expect import present
from tests.support.ledger.ledgers import LedgerHarness, camera
from tests.support.s3 import KEY, SECRET, S3Server, s3_server

HOURS_NS = 2 * 3600 * 10**9


class Province:
    """A database, and a store that machines share."""

    def __init__(self, record: RecordSettings, folder: Path, bytes_max: int = 10**9) -> None:
        self.store = Store.open(record.url)
        self.engine = connect(parse_url(record.url))
        self.folder = folder
        self.failures = 0
        self.deleted = 0
        self.files = present(open_archive_files(record))
        self.archive = Archive(self.files, self.store.archive_index, bytes_max, self._out, self._failed)

    def machine(self, name: str) -> EvidenceStore:
        """Return the evidence of one machine."""
        return EvidenceStore(self.folder / name, 10**9, archive=self.archive)

    def age(self, name: str) -> None:
        """Let what is in the archive by this name have been there for hours."""
        with write_transaction(self.engine) as connection:
            connection.execute(
                sa.update(archived).where(archived.c.name == name).values(kept_wall_ns=wall_ns() - HOURS_NS)
            )

    def close(self) -> None:
        self.engine.dispose()
        self.store.close()

    def _out(self) -> None:
        self.deleted += 1

    def _failed(self) -> None:
        self.failures += 1


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3"), "evidence") as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(blobs, "AWAY_S", 0.2)


@pytest.fixture(params=["folder", "s3"])
def province(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Province]:
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        url, endpoint = f"s3://evidence/{tmp_path.name}", server.url
    else:
        url, endpoint = f"file://{tmp_path}/shared", ""
    province = Province(RecordSettings(url=database_url, archive_url=url, archive_endpoint=endpoint), tmp_path)
    yield province
    province.close()


def fault(evidence: EvidenceStore, payload: bytes, visit_id: int = 3) -> tuple[str, ...]:
    """Have a camera that was ok show a fault, and make its exhibits durable."""
    see(evidence, b"good" + payload, visit_id - 1, OK, OK)
    digests = evidence.add_exhibit(keyframe(payload, visit_id), verdict(FAULT, FAULT, visit_id))
    see(evidence, payload, visit_id, FAULT, FAULT)
    evidence.sync()
    return digests


def test_another_machine_shows_what_a_lost_one_has_kept(province: Province) -> None:
    lost = province.machine("a")
    digest, baseline = fault(lost, b"dark")
    photograph = lost.add_photograph(b"\xff\xd8 a photograph")
    assert lost.uncopied == 0
    other = province.machine("b")
    exhibit = present(other.get_exhibit(digest, "c"))
    assert bytes(exhibit.keyframe.payload) == b"dark"
    assert exhibit.facts == present(lost.get_exhibit(digest, "c")).facts
    assert exhibit.beside["baseline"] == baseline
    assert bytes(present(other.get_exhibit(baseline, "c")).keyframe.payload) == b"gooddark"
    assert other.get_photograph(photograph) == b"\xff\xd8 a photograph"
    assert (other.get_exhibit(digest, "another"), other.get_exhibit("0" * 64)) == (None, None)
    assert (other.get_exhibit("../../etc/passwd"), other.get_photograph("../x")) == (None, None)
    assert other.bytes_kept == 0, "nothing was copied back"


def test_the_same_bits_on_two_machines_are_one_exhibit_with_both_sightings(province: Province) -> None:
    first, second = province.machine("a"), province.machine("b")
    (digest,) = first.add_exhibit(keyframe(b"bars", 1, camera_id="c1"), verdict(FAULT, FAULT, 1, "c1"))
    first.sync()
    second.add_exhibit(keyframe(b"bars", 2, camera_id="c2"), verdict(FAULT, FAULT, 2, "c2"))
    second.sync()
    third = province.machine("c")
    assert [present(third.get_exhibit(digest, one)).keyframe.visit_id for one in ("c1", "c2")] == [1, 2]
    assert list(province.store.archive_index.stored([digest])) == [digest]


def test_what_has_changed_in_the_archive_is_never_shown_and_mends_what_has_changed_here(province: Province) -> None:
    evidence = province.machine("a")
    digest, _ = fault(evidence, b"dark")
    (kept,) = (province.folder / "a" / "exhibits").glob(f"*/{digest}.h264")
    kept.write_bytes(b"forged")
    assert bytes(present(evidence.get_exhibit(digest)).keyframe.payload) == b"dark", "the archive has it whole"
    province.files._blobs.put(f"exhibits/{digest[:2]}/{digest}.h264", b"forged")
    for machine in ("a", "b"):
        with pytest.raises(IntegrityError, match="other bits"):
            province.machine(machine).get_exhibit(digest)
    province.files._blobs.put(f"exhibits/{digest[:2]}/{digest}.json", b"{}")
    with pytest.raises(IntegrityError, match="not as the engine wrote it"):
        province.machine("b").get_exhibit(digest)


def test_the_oldest_goes_that_no_open_finding_cites(province: Province) -> None:
    evidence = province.machine("a")
    (cited, cited_good), (oldest, _) = fault(evidence, b"1" * 500), fault(evidence, b"2" * 500, 6)
    taken = evidence.add_photograph(b"\xff\xd8 cited")
    fault(evidence, b"3" * 500, 9)
    harness = LedgerHarness()
    harness.observe(FaultKind.COVERED, at=camera("c", "130102"))
    (opened,) = harness.log
    with write_transaction(province.engine) as connection:
        event = replace(opened, evidence=(cited,), photographs=(taken,))
        append(connection, [LedgerEntry(event, harness.finding(), "{}")])
    index = province.store.archive_index
    province.archive.resize(index.total_bytes() - 1)
    assert not evidence.step_archive()
    assert province.deleted == 0, "all of it is young: the commits that cite it may be under way"
    for name in (cited, cited_good, oldest):
        province.age(name)
    province.archive.resize(index.total_bytes() - 2)
    assert not evidence.step_archive()
    assert province.deleted == 1
    kept = index.stored([cited, cited_good, oldest, photograph_name(taken)])
    assert set(kept) == {cited, cited_good, photograph_name(taken)}
    other = province.machine("b")
    assert [other.get_exhibit(digest) is not None for digest in (cited, cited_good, oldest)] == [True, True, False]


def test_what_is_kept_anew_while_it_is_chosen_to_go_stays(province: Province) -> None:
    evidence = province.machine("a")
    (digest,) = evidence.add_exhibit(keyframe(b"bars", 1), verdict(FAULT, FAULT, 1))
    evidence.sync()
    province.age(digest)
    index = province.store.archive_index
    (chosen,) = index.oldest(wall_ns() - HOURS_NS // 2, 9)
    evidence.add_exhibit(keyframe(b"bars", 5), verdict(FAULT, FAULT, 5))
    evidence.sync()
    assert not index.remove(chosen, lambda _: pytest.fail("its files would go"))
    assert present(province.machine("b").get_exhibit(digest)).keyframe.visit_id == 5


def test_a_store_that_is_away_holds_nothing_up_and_gets_its_copies_later(tmp_path: Path, s3: S3Server) -> None:
    record = RecordSettings(url=f"sqlite:///{tmp_path}/p.db", archive_url="s3://evidence/away", archive_endpoint=s3.url)
    province = Province(record, tmp_path)
    evidence = province.machine("a")
    s3.stop()
    try:
        began_s = time.monotonic()
        digest, _ = fault(evidence, b"dark")
        assert time.monotonic() - began_s < 5
        assert (evidence.uncopied, province.failures) == (2, 1)
        assert present(evidence.get_exhibit(digest)).keyframe.visit_id == 3, "it is kept here"
        with pytest.raises(BlobsAwayError, match="s3://evidence/away"):
            province.machine("b").get_exhibit(digest)
        assert not evidence.step_archive()
    finally:
        s3.start()
    # The process ended meanwhile: what has no copy is found by what the index does not have.
    restarted = Province(record, tmp_path)
    again = restarted.machine("a")
    again.archive_uncopied()
    assert again.uncopied == 2
    assert not again.step_archive()
    assert (again.uncopied, restarted.failures) == (0, 0)
    assert present(restarted.machine("b").get_exhibit(digest)).keyframe.visit_id == 3
    again.archive_uncopied()
    assert again.uncopied == 0
    for one in (province, restarted):
        one.close()


def test_the_command_verifies_the_archive(tmp_path: Path) -> None:
    record = RecordSettings(url=f"sqlite:///{tmp_path}/p.db", archive_url=f"file://{tmp_path}/shared")
    province = Province(record, tmp_path)
    evidence = province.machine("a")
    digest, _ = fault(evidence, b"dark")
    photograph = evidence.add_photograph(b"\xff\xd8 a photograph")
    province.close()
    config = tmp_path / "patrol.toml"
    config.write_text(f"[record]\nurl = '{record.url}'\narchive_url = '{record.archive_url}'\n")
    command = ["evidence", "verify", "--archive", "--config", str(config)]
    whole = CliRunner().invoke(app, command)
    assert (whole.exit_code, whole.stdout) == (0, "2 exhibits and 1 photographs read, 0 not whole\n")
    for path in (tmp_path / "shared").glob(f"*/*/{photograph}.jpg"):
        path.write_bytes(b"forged")
    for path in (tmp_path / "shared").glob(f"*/*/{digest}.*"):
        path.unlink()
    damaged = CliRunner().invoke(app, command)
    assert damaged.exit_code == 1
    assert f"{digest}: it is gone from the archive" in damaged.stdout
    assert f"photograph {photograph}: the file in the archive has other bits" in damaged.stdout
    config.write_text(f"[record]\nurl = '{record.url}'\n")
    with pytest.raises(ConfigError, match="archive_url is empty"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_a_bucket_that_is_not_there_and_a_wrong_secret_are_told(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ArchiveFiles(blobs.Blobs("s3://nowhere/x", s3.url))
    with pytest.raises(BlobsAwayError, match=r"s3://nowhere/x: cannot store"):
        files.put_photograph("a" * 64, b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(BlobsAwayError, match="cannot read") as caught:
        ArchiveFiles(blobs.Blobs("s3://evidence/x", s3.url)).photograph("a" * 64)
    assert SECRET not in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_a_file_in_a_shared_folder_appears_whole(tmp_path: Path) -> None:
    shared = blobs.Blobs(f"file://{tmp_path}/shared")
    shared.put("exhibits/ab/x", b"1" * 100)
    shared.put("exhibits/ab/x", b"2")
    assert [path.name for path in (tmp_path / "shared" / "exhibits" / "ab").iterdir()] == ["x"]
    assert shared.get("exhibits/ab/x", 10) == b"2"
    with pytest.raises(BlobsAwayError, match="more than 0 bytes"):
        shared.get("exhibits/ab/x", 0)
    shared.remove("exhibits/ab/x")
    shared.remove("exhibits/ab/x")
    assert shared.get("exhibits/ab/x", 10) is None


@pytest.mark.parametrize("url", ["http://x/y", "file://relative", "s3:/x", "memory://x", "s3://a b"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="archive_url"):
        RecordSettings(archive_url=url)
