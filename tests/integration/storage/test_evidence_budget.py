"""A budget of evidence that is lowered: the excess goes without a new keyframe, and open findings lose nothing."""

import os
from pathlib import Path

import pytest
import structlog

from engine.config.describe import toml
from engine.storage.evidence.store import EVICTED_AT_ONCE, EvidenceStore
from engine.supervisor.app import Supervisor
from tests.integration.storage.test_evidence import FAULT, OK, keyframe, see, verdict
from tests.support.live_engine import scrape, settings
from tests.support.waiting import wait_until

FILES, PAYLOAD_BYTES = 12, 5000


def filled(folder: Path, gone: list[str] | None = None) -> EvidenceStore:
    """Return a store with the latest keyframes of 12 cameras, and room for more."""
    folder.mkdir(exist_ok=True)
    evidence = EvidenceStore(folder, 10**6, on_evicted=lambda rank: None if gone is None else gone.append(rank))
    for number in range(FILES):
        see(evidence, os.urandom(PAYLOAD_BYTES), 1, OK, OK, camera_id=f"c{number}")
    return evidence


def test_a_lowered_budget_is_kept_without_a_new_keyframe_and_exhibits_of_open_findings_stay(tmp_path: Path) -> None:
    gone: list[str] = []
    evidence = filled(tmp_path, gone)
    cited, closed = (
        evidence.add_exhibit(keyframe(os.urandom(PAYLOAD_BYTES), 1), verdict(FAULT, FAULT, 1))[0] for _ in range(2)
    )
    evidence.pin([cited])
    evidence.resize(20_000)
    assert not evidence.keep_within_budget()
    assert evidence.bytes_kept <= 20_000
    assert set(gone) == {"latest"}
    evidence.resize(8_000)
    assert not evidence.keep_within_budget()
    assert [evidence.get_exhibit(digest) is not None for digest in (cited, closed)] == [True, False]


def test_pinned_exhibits_that_alone_exceed_the_budget_stay_and_the_log_says_so_once(tmp_path: Path) -> None:
    evidence = filled(tmp_path)
    (cited,) = evidence.add_exhibit(keyframe(os.urandom(PAYLOAD_BYTES), 1), verdict(FAULT, FAULT, 1))
    evidence.pin([cited])
    evidence.resize(100)
    with structlog.testing.capture_logs() as log:
        assert not evidence.keep_within_budget()
        assert not evidence.keep_within_budget()
    assert [line["log_level"] for line in log] == ["error"]
    assert "exceed record.evidence_bytes_max" in log[0]["event"]
    assert evidence.get_exhibit(cited) is not None
    assert evidence.bytes_kept == evidence.bytes_pinned > 100


def test_a_turn_of_upkeep_is_bounded(tmp_path: Path) -> None:
    evidence = EvidenceStore(tmp_path, 10**9)
    for number in range(EVICTED_AT_ONCE + 5):
        see(evidence, b"x", 1, OK, OK, camera_id=f"c{number}")
    evidence.resize(0)
    assert evidence.keep_within_budget()
    assert evidence.counts()["latest"] == 5
    assert not evidence.keep_within_budget()
    assert evidence.counts()["latest"] == 0


@pytest.mark.timeout(400)
def test_an_engine_that_reads_a_smaller_budget_keeps_it_although_no_keyframe_comes(tmp_path: Path) -> None:
    filled(tmp_path / "ev")
    chosen = settings(tmp_path)
    lowered = chosen.record.model_copy(update={"evidence_bytes_max": 2 * PAYLOAD_BYTES})
    file = tmp_path / "patrol.toml"
    file.write_text(toml(chosen.model_copy(update={"record": lowered})))
    with Supervisor(chosen) as engine:

        def kept() -> float:
            return scrape(engine.addresses["metrics"])["patrol_evidence_bytes", ()]

        wait_until(lambda: kept() > FILES * PAYLOAD_BYTES, 60, what="what was kept before to be counted")
        engine.reload(file)
        wait_until(lambda: kept() <= 2 * PAYLOAD_BYTES, 120, what="the smaller budget to be kept")
