"""Cameras with a sub-stream, on a real RTSP server that offers both streams, patrolled by a whole engine."""

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from engine.client import PatrolClient
from engine.config.judge import JudgeSettings
from engine.demo.clips import ClipPlan
from engine.demo.server import serve
from engine.model.camera import Camera, CameraStream, KeyPoint
from engine.model.findings import Finding, FindingQuery, Step
from engine.model.verdict import FaultKind, State, Verdict
from engine.supervisor.app import Supervisor
from tests.support.live_engine import fast_scheduler, scrape, settings
from tests.support.waiting import wait_until

MAIN, SUB = CameraStream.MAIN, CameraStream.SUB
MAIN_SIZE, SUB_SIZE = (704, 576), (352, 288)
GOOD_MAIN, GOOD_SUB, DARK_MAIN, DARK_SUB = range(4)
NOWHERE = 99
"""Number of a stream that the server does not have."""
BASELINE_VISITS = 2


@dataclass
class World:
    client: PatrolClient
    engine: Supervisor
    port: int

    def camera(self, camera_id: str, main: int, sub: int | None) -> Camera:
        url = f"rtsp://127.0.0.1:{self.port}/cam{{}}".format
        sub_url = "" if sub is None else url(sub)
        point = KeyPoint.COOKING
        return Camera(camera_id, url(main), key_point=point, site_id=camera_id, uplink=camera_id, sub_url=sub_url)

    def verdicts(self, camera_id: str) -> list[Verdict]:
        """The camera's verdicts, oldest first."""
        return list(self.client.verdicts(camera_id))[::-1]

    def metric(self, name: str, **labels: str) -> float:
        return scrape(self.engine.addresses["metrics"]).get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    shown = {
        GOOD_MAIN: (MAIN_SIZE, ""),
        GOOD_SUB: (SUB_SIZE, ""),
        DARK_MAIN: (MAIN_SIZE, "dark"),
        DARK_SUB: (SUB_SIZE, "dark"),
    }
    plans = [
        ClipPlan(number, "motorcycle_left.png", 0.5, *size, "libx264", fault) for number, (size, fault) in shown.items()
    ]
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    context.Process(target=serve, args=(plans, theirs), daemon=True).start()
    theirs.close()
    message, ports = pipe.recv()
    while message != "ports":
        message, ports = pipe.recv()
    folder = tmp_path_factory.mktemp("streams")
    chosen = settings(
        folder,
        scheduler=fast_scheduler(streams={"key_point": "sub_with_main"}, main_every=4),
        judge=JudgeSettings(baseline_visits_min=BASELINE_VISITS),
    )
    with ExitStack() as stack:
        engine = stack.enter_context(Supervisor(chosen))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        yield World(client, engine, ports[0])
    pipe.close()


def test_the_sub_stream_is_visited_once_the_main_stream_is_learned(world: World) -> None:
    world.client.import_cameras([world.camera("well", GOOD_MAIN, GOOD_SUB), world.camera("plain", GOOD_MAIN, None)])
    wait_until(lambda: sum(verdict.stream is SUB for verdict in world.verdicts("well")) >= 6, 60)
    verdicts = world.verdicts("well")
    assert {(verdict.width, verdict.height) for verdict in verdicts if verdict.stream is SUB} == {SUB_SIZE}
    assert {(verdict.width, verdict.height) for verdict in verdicts if verdict.stream is MAIN} == {MAIN_SIZE}
    streams = "".join("s" if verdict.stream is SUB else "M" for verdict in verdicts)
    assert "sM" in streams, "one visit in four is on the main stream"
    assert "ssss" not in streams
    first_ok = next(verdict for verdict in verdicts if verdict.announced == State.OK)
    assert first_ok.stream is MAIN
    picture = world.client.picture("well")
    assert (picture.width, picture.height) == MAIN_SIZE, "no keyframe of the sub-stream is kept"
    assert {verdict.stream for verdict in world.verdicts("plain")} == {MAIN}
    assert world.metric("patrol_stream_visits_total", stream="sub", outcome="keyframe") >= 6
    main_bytes = world.metric("patrol_stream_bytes_total", stream="main")
    main_visits = world.metric("patrol_stream_visits_total", stream="main", outcome="keyframe")
    sub_bytes = world.metric("patrol_stream_bytes_total", stream="sub")
    sub_visits = world.metric("patrol_stream_visits_total", stream="sub", outcome="keyframe")
    assert sub_bytes / sub_visits < main_bytes / main_visits


def test_a_fault_on_the_sub_stream_is_announced_by_the_main_stream_whose_keyframe_is_the_evidence(
    world: World,
) -> None:
    camera = world.camera("fails", GOOD_MAIN, GOOD_SUB)
    world.client.import_cameras([camera])
    wait_until(lambda: sum(verdict.stream is SUB for verdict in world.verdicts("fails")) >= 2, 60)
    begun = len(world.verdicts("fails"))
    dark = world.camera("fails", DARK_MAIN, DARK_SUB)
    world.client.import_cameras([replace(camera, url=dark.url, sub_url=dark.sub_url)])
    wait_until(lambda: world.verdicts("fails")[-1].announced == State.FAULT, 60)
    verdicts = world.verdicts("fails")[begun:]
    announcing = next(verdict for verdict in verdicts if verdict.announced == State.FAULT)
    assert (announcing.stream, announcing.announced_kinds) == (MAIN, (FaultKind.TOO_DARK,))
    (finding,) = wait_until(lambda: _findings(world, "fails"))
    opened = next(event for event in world.client.findings.events(finding.finding_id) if event.step is Step.OPENED)
    assert len(opened.evidence) == 1
    picture = world.client.findings.picture(finding.finding_id)
    assert (picture.width, picture.height) == MAIN_SIZE
    kept = world.client.picture("fails")
    assert (kept.width, kept.height) == MAIN_SIZE
    after = [verdict for verdict in world.verdicts("fails") if verdict.visit_id >= announcing.visit_id]
    assert {verdict.stream for verdict in after} == {MAIN}, "while a fault is announced, the main stream is visited"


def test_a_sub_stream_that_is_not_there_costs_a_visit_and_no_verdict(world: World) -> None:
    world.client.import_cameras([world.camera("half", GOOD_MAIN, NOWHERE)])
    wait_until(lambda: world.metric("patrol_sub_streams_set_aside_total", reason="failed") >= 2, 60)
    assert world.metric("patrol_stream_visits_total", stream="sub", outcome="failed") >= 2
    verdicts = world.verdicts("half")
    assert {verdict.stream for verdict in verdicts} == {MAIN}
    assert {verdict.state for verdict in verdicts} == {State.OK}
    assert any("set aside" in sentence for sentence in world.client.plan("half").because)


def test_a_person_who_asks_sees_the_main_stream(world: World) -> None:
    world.client.import_cameras([world.camera("asked", GOOD_MAIN, GOOD_SUB)])
    wait_until(lambda: any(verdict.stream is SUB for verdict in world.verdicts("asked")), 60)
    (result,) = world.client.check_now(["asked"])
    assert result.verdict is not None
    assert result.verdict.stream is MAIN


def _findings(world: World, camera_id: str) -> list[Finding]:
    return [each for each in world.client.findings.list(FindingQuery()) if each.subject.camera_id == camera_id]
