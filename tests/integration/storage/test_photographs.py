"""Photographs of claims on a real disk: by their digest, for this user alone, within the budget, pinned while cited."""

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.errors import IntegrityError
from engine.hub.services.evidence_retention import EvidenceRetention
from engine.model.findings import Finding, FindingState, LedgerEvent, Level, LoggedEvent, Step, Subject
from engine.model.photograph import photograph_name
from engine.model.verdict import Severity
from engine.storage.evidence.photographs import Photographs
from engine.storage.evidence.store import EvidenceStore
from tests.support.expect import present

FINDING = Finding(1, Subject("c1", "covered"), FindingState.OPEN, Severity.BLIND, Level.SCHOOL, 9, 1, 2)


def jpeg(number: int, size: int = 1000) -> bytes:
    return bytes([number]) * size


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "photographs").rglob("*") if path.is_file()]


def kept(evidence: EvidenceStore, contents: Iterable[bytes]) -> list[bool]:
    return [evidence.get_photograph(sha(content)) is not None for content in contents]


def event(step: Step, *photographs: str, number: int = 2) -> LoggedEvent:
    return LoggedEvent(number, LedgerEvent(1, number, step, 5, "wang", photographs=photographs), FINDING)


def test_it_is_kept_once_by_its_digest_and_only_this_user_can_read_it(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10_000)
    assert evidence.add_photograph(jpeg(1)) == evidence.add_photograph(jpeg(1)) == sha(jpeg(1))
    (file,) = files(tmp_path)
    assert file.name == f"{sha(jpeg(1))}.jpg"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert (evidence.get_photograph(sha(jpeg(1))), evidence.bytes_kept) == (jpeg(1), 1000)


def test_one_that_has_changed_is_never_shown_and_is_found(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10_000)
    digest = evidence.add_photograph(jpeg(1))
    photographs = Photographs(tmp_path / "photographs")
    assert (photographs.digests(), photographs.verify(digest), photographs.verify("0" * 64)) == ([digest], None, None)
    files(tmp_path)[0].write_bytes(jpeg(2))
    with pytest.raises(IntegrityError, match="other bits"):
        evidence.get_photograph(digest)
    assert present(photographs.verify(digest)).sha256 == digest
    assert evidence.add_photograph(jpeg(1)) == digest, "who sends it again mends it"
    assert evidence.get_photograph(digest) == jpeg(1)


@pytest.mark.parametrize("name", ["", "../../../etc/passwd", "0" * 63, "G" * 64, "A" * 64])
def test_a_name_that_is_no_digest_is_no_photograph(tmp_path: Path, name: str) -> None:
    assert EvidenceStore(tmp_path, 10_000).get_photograph(name) is None


def test_the_oldest_that_no_open_finding_cites_is_evicted_first(tmp_path: Path) -> None:
    gone: list[str] = []
    evidence = EvidenceStore(tmp_path, 3000, on_evicted=gone.append)
    first, second, third, fourth = (jpeg(number) for number in range(4))
    for content in (first, second, third):
        evidence.add_photograph(content)
    evidence.pin([photograph_name(sha(first))])
    evidence.add_photograph(fourth)
    assert kept(evidence, (first, second, third, fourth)) == [True, False, True, True]
    assert (gone, len(files(tmp_path))) == (["exhibit"], 3)
    assert evidence.add_photograph(jpeg(9, 3001)) == "", "it does not fit at all"


def test_what_a_claim_cites_is_pinned_until_the_finding_ends_and_again_when_it_is_reopened(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10_000)
    digest = evidence.add_photograph(jpeg(1))
    retention = EvidenceRetention(evidence, {}, lambda _: [photograph_name(digest)])
    retention.update([event(Step.CLAIMED, digest)])
    assert evidence.counts()["pinned"] == 1
    retention.update([event(Step.CLAIMED, digest, number=3)])
    retention.update([event(Step.DISMISSED, number=4)])
    assert (evidence.counts()["pinned"], evidence.counts()["exhibit"]) == (0, 1)
    retention.update([event(Step.REOPENED, number=5)])
    assert evidence.counts()["pinned"] == 1
    retention.update([event(Step.CLAIMED, digest, number=6), event(Step.CLOSED, number=7)])
    assert evidence.counts()["pinned"] == 0


def test_after_a_restart_it_is_kept_and_counted_and_what_a_crash_left_is_gone(tmp_path: Path) -> None:
    digest = EvidenceStore(tmp_path, 10_000).add_photograph(jpeg(1))
    files(tmp_path)[0].with_name(f"{'0' * 64}.jpg.part").write_bytes(b"half")
    again = EvidenceStore(tmp_path, 10_000, [photograph_name(digest)])
    assert (again.counts()["pinned"], again.bytes_kept, len(files(tmp_path))) == (1, 1000, 1)
