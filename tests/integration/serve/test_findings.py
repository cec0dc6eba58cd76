"""The ledger of a real engine: a camera over RTSP whose lens is covered and uncovered, findings in a real database."""

import hashlib
import io
import multiprocessing
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.client import CallError, PatrolClient
from engine.clock import NS_PER_S, wall_ns
from engine.config import Settings
from engine.config.ledger import LedgerSettings
from engine.demo.clips import ClipPlan
from engine.demo.server import serve
from engine.errors import ConflictError, DeniedError, InvalidArgumentError, NotFoundError, StateError
from engine.ledger.projection import replay
from engine.model.access import ENGINE, Actor, Role
from engine.model.camera import Camera, KeyPoint
from engine.model.findings import Finding, FindingCommand, FindingQuery, FindingState, Level, Step
from engine.model.picture import FindingPicture, RenderedPicture
from engine.model.verdict import Severity, State, Verdict
from engine.storage.db.store import Store
from engine.storage.evidence.store import EvidenceStore
from tests.support.expect import present
from tests.support.hub_in_process import InProcessEngine
from tests.support.live_engine import scrape, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until

CLEAR, COVERED = 0, 1
INSPECTOR = Actor("wang", Role.INSPECTOR, "130102")
OPERATOR = Actor("li", Role.OPERATOR)
QUICK = {"recheck_spacing_s": 1, "settle_h": 1}
CAMERA = Camera("13010200001320000001", "", "烹饪间", "s1", "第一中学食堂", "130102", KeyPoint.COOKING, True)


@pytest.fixture(scope="module")
def lens() -> Iterator[list[str]]:
    """URLs of one camera's picture, clear and with its lens covered; real RTSP."""
    plans = [
        ClipPlan(number, "astronaut.png", 0.741, 640, 360, "libx264", fault)
        for number, fault in ((CLEAR, ""), (COVERED, "covered"))
    ]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(plans, theirs), daemon=True)
    process.start()
    theirs.close()
    while (heard := ours.recv())[0] != "ports":
        pass
    yield [f"rtsp://127.0.0.1:{heard[1][0]}/cam{plan.number}" for plan in plans]
    ours.close()
    process.join(2)
    if process.is_alive():
        process.kill()


def chosen(folder: Path, **ledger: Any) -> Settings:
    return settings(folder, ledger=LedgerSettings(**(QUICK | ledger)))


def show(engine: InProcessEngine, url: str) -> None:
    """What the camera shows from now on."""
    report = engine.call(engine.port.import_cameras([replace(CAMERA, url=url)], False))
    assert report.problems == ()


def found(engine: InProcessEngine, finding_id: int = 1) -> Finding | None:
    return engine.call(engine.port.ledger.finding(finding_id))


def act(engine: InProcessEngine, step: Step, actor: Actor = INSPECTOR, finding_id: int = 1, **more: Any) -> Finding:
    return engine.call(engine.port.ledger.act(FindingCommand(finding_id, step, **more), actor))


def latest_digest(engine: InProcessEngine) -> str:
    """SHA-256 of the latest keyframe that is kept of the camera."""
    keyframe = present(engine.port._storage.evidence.get(CAMERA.camera_id))
    return hashlib.sha256(keyframe.payload).hexdigest()


def seen_at_ns(engine: InProcessEngine) -> int:
    """When the latest verdict on the camera was given."""
    status = present(engine.call(engine.port.camera(CAMERA.camera_id)))
    return present(status.latest).at_wall_ns


def steps(engine: InProcessEngine, finding_id: int = 1) -> list[Step]:
    return [event.step for event in engine.call(engine.port.ledger.finding_events(finding_id))]


def is_now(engine: InProcessEngine, *states: FindingState, finding_id: int = 1) -> Finding | None:
    finding = found(engine, finding_id)
    return finding if finding is not None and finding.state in states else None


def test_a_covered_lens_is_found_claimed_too_early_claimed_again_and_closed(tmp_path: Path, lens: list[str]) -> None:
    with InProcessEngine(chosen(tmp_path)) as engine:
        show(engine, lens[COVERED])
        opened = wait_until(lambda: found(engine))
        assert (opened.state, opened.severity, opened.level) == (FindingState.OPEN, Severity.BLIND, Level.SCHOOL)
        assert opened.subject.cause_key == "covered"
        (event,) = engine.call(engine.port.ledger.finding_events(1))
        assert (event.who, len(event.evidence), len(event.evidence[0])) == (ENGINE.name, 1, 64)

        pinned = ("patrol_evidence_files", (("rank", "pinned"),))
        wait_until(lambda: scrape(engine.addresses["metrics"]).get(pinned))
        assert act(engine, Step.ACKNOWLEDGED).state is FindingState.ACKNOWLEDGED
        assert act(engine, Step.CLAIMED, why="布已取下").state is FindingState.RECTIFIED
        handed_back = wait_until(lambda: is_now(engine, FindingState.ACKNOWLEDGED))
        assert steps(engine)[-2:] == [Step.RECHECK_BEGUN, Step.RECHECK_FAILED]
        assert handed_back.claims == 1

        show(engine, lens[CLEAR])
        act(engine, Step.CLAIMED, why="布真的取下了", request_id="again")
        assert act(engine, Step.CLAIMED, request_id="again").claims == 2
        closed = wait_until(lambda: is_now(engine, FindingState.CLOSED))
        assert steps(engine)[-3:] == [Step.RECHECK_BEGUN, Step.RECHECK_PASSED, Step.CLOSED]
        assert act(engine, Step.CLAIMED, request_id="again") == closed
        with pytest.raises(StateError, match="findings/1: is closed"):
            act(engine, Step.CLAIMED)

        wait_until(
            lambda: scrape(engine.addresses["metrics"])[("patrol_finding_events_total", (("step", "closed"),))] == 1
        )
        assert scrape(engine.addresses["metrics"])[("patrol_finding_events_total", (("step", "claimed"),))] == 2
        wait_until(
            lambda: (
                not sum(
                    value for key, value in scrape(engine.addresses["metrics"]).items() if key[0] == "patrol_findings"
                )
            )
        )
        wait_until(lambda: not scrape(engine.addresses["metrics"])[pinned])
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    log = [logged.event for logged in store.findings.events_after(0)]
    assert replay(log)[1] == store.findings.get(1) == closed
    store.close()
    evidence = EvidenceStore(tmp_path / "ev", 10**9)
    cited = [digest for event in log for digest in event.evidence]
    assert len(set(cited)) >= 2  # what opened it, and what passed
    assert all(evidence.get_exhibit(digest, CAMERA.camera_id) is not None for digest in cited)
    with sqlite3.connect(tmp_path / "patrol.db") as database:
        told = [kind for (kind,) in database.execute("SELECT event_kind FROM outbox ORDER BY seq")]
    assert told == [f"finding.{event.step}" for event in log]


def test_a_finding_is_the_engines_own_to_close_when_the_fault_went_away(tmp_path: Path, lens: list[str]) -> None:
    with InProcessEngine(chosen(tmp_path, settle_h=0)) as engine:
        show(engine, lens[COVERED])
        wait_until(lambda: found(engine))
        show(engine, lens[CLEAR])
        wait_until(lambda: is_now(engine, FindingState.CLOSED))
        events = engine.call(engine.port.ledger.finding_events(1))
        assert {event.who for event in events} == {ENGINE.name}
        assert [event.step for event in events][1] is Step.CLAIMED


def test_an_evidence_is_the_keyframe_that_was_judged(tmp_path: Path, lens: list[str]) -> None:
    with InProcessEngine(chosen(tmp_path)) as engine:
        show(engine, lens[COVERED])
        wait_until(lambda: found(engine))
        (event,) = engine.call(engine.port.ledger.finding_events(1))
        # Every second the camera shows another picture of its twelve.
        wait_until(lambda: latest_digest(engine) == event.evidence[0], timeout_s=60)


@pytest.mark.long
def test_it_runs_overdue_and_up_the_levels(tmp_path: Path, lens: list[str]) -> None:
    second_h = 1 / 3600
    hours = {"school": 2 * second_h, "county": 2 * second_h, "city": 2 * second_h, "province": 2 * second_h}
    with InProcessEngine(chosen(tmp_path, blind_hours=hours)) as engine:
        show(engine, lens[COVERED])
        last = wait_until(
            lambda: (finding := found(engine)) and finding.level is Level.PROVINCE and finding.overdue and finding
        )
        assert (last.state, last.supervised) == (FindingState.SUPERVISED, True)
        assert steps(engine).count(Step.ESCALATED) == 3
        page = engine.call(engine.port.ledger.findings(FindingQuery(region_prefix="1301", level=Level.PROVINCE)))
        assert [finding.finding_id for finding in page.findings] == [1]


def test_what_may_not_be_done_changes_nothing(tmp_path: Path, lens: list[str]) -> None:
    with InProcessEngine(chosen(tmp_path)) as engine:
        show(engine, lens[COVERED])
        wait_until(lambda: found(engine))
        neighbour = Actor("zhang", Role.OPERATOR, "130103")
        refusals: list[tuple[type[Exception], Actor, FindingCommand]] = [
            (NotFoundError, neighbour, FindingCommand(1, Step.CLOSED, "mine")),
            (NotFoundError, OPERATOR, FindingCommand(99, Step.CLOSED, "what")),
            (DeniedError, INSPECTOR, FindingCommand(1, Step.CLOSED, "done")),
            (InvalidArgumentError, OPERATOR, FindingCommand(1, Step.CLOSED)),
            (ConflictError, OPERATOR, FindingCommand(1, Step.CLOSED, "done", expected_number=7)),
        ]
        for kind, actor, command in refusals:
            with pytest.raises(kind):
                engine.call(engine.port.ledger.act(command, actor))
        assert steps(engine) == [Step.OPENED]
        act(engine, Step.DISMISSED, OPERATOR, why="being rebuilt")
        with pytest.raises(NotFoundError):
            engine.call(engine.port.ledger.act(FindingCommand(1, Step.CLAIMED), neighbour))


@pytest.mark.long
def test_after_a_restart_a_recheck_goes_on_and_a_decision_stands(tmp_path: Path, lens: list[str]) -> None:
    plan = chosen(tmp_path)
    with InProcessEngine(plan) as engine:
        show(engine, lens[COVERED])
        wait_until(lambda: found(engine))
        show(engine, lens[CLEAR])
        claimed = act(engine, Step.CLAIMED, request_id="r1")
    assert not claimed.state.ended
    with InProcessEngine(plan) as engine:
        wait_until(lambda: is_now(engine, FindingState.CLOSED))
        assert act(engine, Step.CLAIMED, request_id="r1").claims == 1
        show(engine, lens[COVERED])
        wait_until(lambda: found(engine, 2))
        act(engine, Step.DISMISSED, OPERATOR, 2, why="being rebuilt")
    with InProcessEngine(plan) as engine:
        before_ns = wall_ns()
        wait_until(lambda: seen_at_ns(engine) > before_ns + 4 * NS_PER_S)
        assert found(engine, 3) is None


def test_a_finding_shows_the_fault_and_the_good_pictures_of_before(tmp_path: Path, lens: list[str]) -> None:
    with InProcessEngine(chosen(tmp_path)) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        show(engine, lens[CLEAR])
        wait_until(lambda: (latest := verdict(client)) and latest.announced is State.OK)
        good = wait_until(lambda: client.thumbnail(CAMERA.camera_id))
        assert max(good.width, good.height) == 320
        show(engine, lens[COVERED])
        wait_until(lambda: found(engine))
        shown = {which: client.findings.picture(1, which, side_px_max=320) for which in FindingPicture}
        light = {which: mean_light(picture) for which, picture in shown.items()}
        fault = light.pop(FindingPicture.EVIDENCE)
        assert all(abs(mean - mean_light(good)) < 10 < abs(mean - fault) for mean in light.values()), (light, fault)
        evidence = shown[FindingPicture.EVIDENCE]
        assert client.findings.picture(1, side_px_max=320, etag=evidence.etag).not_modified
        assert client.findings.picture(1, side_px_max=320, annotated=True, etag=evidence.etag).jpeg != evidence.jpeg
        with pytest.raises(CallError, match="event 7 of finding 1 cites no keyframe; events that do: 1"):
            client.findings.picture(1, event_number=7)

        # The picture changes with each visit: a thumbnail of before is not that of now.
        wait_until(lambda: client.thumbnail(CAMERA.camera_id, etag=good.etag).jpeg)
        assert abs(mean_light(client.thumbnail(CAMERA.camera_id)) - fault) < 10
        (result,) = client.thumbnails([CAMERA.camera_id])
        assert result.outcome == "found"
        rendered = ("patrol_thumbnails_total", (("outcome", "miss"),))
        assert wait_until(lambda: scrape(engine.addresses["metrics"]).get(rendered, 0) >= 2)


def test_a_finding_without_a_picture_says_why(tmp_path: Path) -> None:
    plan = chosen(tmp_path, offline_min_h=0)
    with InProcessEngine(plan) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        show(engine, f"rtsp://127.0.0.1:{free_port()}/1")
        wait_until(lambda: found(engine))
        for which in FindingPicture:
            with pytest.raises(
                CallError, match="finding 1 has no picture: no keyframe came; ListFindingEvents"
            ) as caught:
                client.findings.picture(1, which)
            assert caught.value.status == "NOT_FOUND"
        with pytest.raises(CallError, match="no picture of camera"):
            client.thumbnail(CAMERA.camera_id)


def verdict(client: PatrolClient) -> Verdict | None:
    return client.camera(CAMERA.camera_id).latest


def mean_light(picture: RenderedPicture) -> float:
    with Image.open(io.BytesIO(picture.jpeg)) as image:
        return float(np.asarray(image.convert("L")).mean())
