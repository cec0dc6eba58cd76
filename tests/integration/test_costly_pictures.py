"""Pictures that cost a decoder minutes, pushed and visited: their own camera is judged, and no other one waits."""

import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from engine.client import CallError, PatrolClient
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import SchedulerSettings, WorkerSettings
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.verdict import State, Verdict
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.supervisor.app import Supervisor
from tests.support.expect import present
from tests.support.feed.clips import encode, scene
from tests.support.feed.hostile_pictures import bomb, costly_jpeg
from tests.support.feed.http_site import Pages, site
from tests.support.live_engine import fast_scheduler, scrape, settings
from tests.support.waiting import wait_until

GOOD = encode(Codec.MJPEG, [scene(640, 480)])[0]
GOOD_CAMERAS = [f"good-{n}" for n in range(4)]
PATIENT = SchedulerSettings(key_period_s=600, ordinary_period_s=600)
"""Nobody is missed while a test runs."""
LOW_LIMIT_S = 0.2
"""A costly picture takes three times as long; a good one of the test a hundredth."""

Engine = tuple[Supervisor, PatrolClient, Path]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Two workers, a hostile gateway's camera and some good ones."""
    chosen = settings(
        tmp_path, worker=WorkerSettings(count=2, spare=False, picture_cpu_s_max=LOW_LIMIT_S), scheduler=PATIENT
    )
    with Supervisor(chosen) as supervisor, PatrolClient(supervisor.addresses["grpc"]) as client:
        client.import_cameras([Camera(name, "", push=True) for name in ("hostile", *GOOD_CAMERAS)])
        wait_until(lambda: present(client.status().machine).workers_ready == 2)
        yield supervisor, client, tmp_path


def push(engine: Engine, pictures: Sequence[tuple[str, bytes]]) -> None:
    transport = Transport()
    channel = transport.connect_push(engine[0].addresses["intake"])
    for camera_id, payload in pictures:
        keyframe = Keyframe(camera_id, 0, Codec.MJPEG, payload, 0, None, FeedKind.GATEWAY)
        wait_until(partial(channel.send, wire.pack_keyframe(keyframe)), 5)
    time.sleep(0.3)  # what ZeroMQ has not sent by the end of the transport is lost, and nothing shows that it was sent
    transport.close()


def verdicts(client: PatrolClient, camera_id: str) -> list[Verdict]:
    """Verdicts on pictures, the newest first."""
    return [verdict for verdict in client.verdicts(camera_id) if verdict.visit_id]


def newest_of(client: PatrolClient, camera_id: str, number: int) -> Verdict:
    """Wait until there are so many verdicts on pictures, and return the newest."""
    wait_until(lambda: len(verdicts(client, camera_id)) >= number, 60)
    return verdicts(client, camera_id)[0]


def restarts(engine: Engine) -> dict[str, float]:
    """Workers that were replaced, by reason."""
    samples = scrape(engine[0].addresses["metrics"])
    return {
        dict(labels)["reason"]: number
        for (name, labels), number in samples.items()
        if name == "patrol_worker_restarts_total" and number
    }


def dropped(engine: Engine) -> float:
    samples = scrape(engine[0].addresses["metrics"])
    return samples["patrol_intake_dropped_frames_total", (("reason", "too_costly"),)]


def quarantined(engine: Engine) -> list[Path]:
    return [path for path in (engine[2] / "q").glob("*") if path.suffix == ".mjpeg"]


def test_sixty_thousand_scans_end_no_worker_and_delay_nobody(engine: Engine) -> None:
    _, client, _ = engine
    payload = bomb()
    for number in range(1, 4):
        push(engine, [("hostile", payload), *((name, GOOD) for name in GOOD_CAMERAS)])
        for name in ("hostile", *GOOD_CAMERAS):
            newest_of(client, name, number)
    newest = verdicts(client, "hostile")[0]
    assert (newest.state, newest.reason) == (State.UNKNOWN, "too_costly")
    assert newest.detail == "mjpeg: 60000 scans; allowed: 64; not decoded, since it could take minutes"
    assert restarts(engine) == {}
    assert dropped(engine) == 3
    (kept,) = quarantined(engine)
    assert kept.read_bytes() == payload, "the second is put aside, the third no more"
    with pytest.raises(CallError, match="is kept"):
        client.picture("hostile")


def test_a_picture_that_spends_its_budget_costs_one_worker_and_its_camera_rests(engine: Engine) -> None:
    _, client, _ = engine
    payload = costly_jpeg()
    push(engine, [("hostile", payload), *((name, GOOD) for name in GOOD_CAMERAS)])
    first = newest_of(client, "hostile", 1)
    assert (first.state, first.reason) == (State.UNKNOWN, "too_costly")
    assert "0.2 s" in first.detail
    push(engine, [("hostile", GOOD)])
    assert "tried again in" in newest_of(client, "hostile", 2).detail
    for name in GOOD_CAMERAS:  # those that the worker held too are measured by the other one
        assert newest_of(client, name, 1).state in (State.OK, State.FAULT)
    assert quarantined(engine) == []
    push(engine, [("hostile", payload)])
    assert "the same picture" in newest_of(client, "hostile", 3).detail
    (kept,) = quarantined(engine)
    assert json.loads(kept.with_name(kept.name + ".json").read_text())["reason"].startswith("too costly")
    assert dropped(engine) == 3
    assert restarts(engine) == {"too_costly": 1}
    with pytest.raises(CallError, match="is kept"):
        client.picture("hostile")


def test_a_camera_that_is_visited_is_judged_each_time_and_delays_no_other(tmp_path: Path) -> None:
    pages: Pages = {"/bomb.jpg": ("image/jpeg", bomb()), "/good.jpg": ("image/jpeg", GOOD)}
    chosen = settings(tmp_path, feed=FeedSettings(deadline_s=5, connect_timeout_s=2), scheduler=fast_scheduler())
    with site(pages) as base, Supervisor(chosen) as supervisor, PatrolClient(supervisor.addresses["grpc"]) as client:
        addresses = [("hostile", "bomb"), *((name, "good") for name in GOOD_CAMERAS)]
        client.import_cameras([Camera(name, f"{base}/{page}.jpg", uplink=name) for name, page in addresses])
        for name, _ in addresses:
            newest_of(client, name, 3)
        assert {verdict.reason for verdict in verdicts(client, "hostile")} == {"too_costly"}
        assert "too_costly" not in {verdict.reason for name in GOOD_CAMERAS for verdict in verdicts(client, name)}


@pytest.mark.long
def test_a_burst_of_different_costly_pictures_leaves_a_worker_for_the_others(tmp_path: Path) -> None:
    """All workers took one each, ended at once, and for seconds no camera was judged."""
    hostile = [f"hostile-{n}" for n in range(3)]
    chosen = settings(
        tmp_path,
        worker=WorkerSettings(count=2, spare=False, picture_cpu_s_max=LOW_LIMIT_S),
        intake=IntakeSettings(listen="tcp://127.0.0.1:0", stale_after_s=300),
        scheduler=PATIENT,
    )
    with Supervisor(chosen) as supervisor, PatrolClient(supervisor.addresses["grpc"]) as client:
        engine = supervisor, client, tmp_path
        client.import_cameras([Camera(name, "", push=True) for name in (*hostile, *GOOD_CAMERAS)])
        wait_until(lambda: workers_ready(client) == 2)
        push(engine, [(name, GOOD) for name in GOOD_CAMERAS])
        for name in GOOD_CAMERAS:
            newest_of(client, name, 1)
        payload = costly_jpeg()
        push(engine, [*((name, payload) for name in hostile), *((name, GOOD) for name in GOOD_CAMERAS)])
        fewest = 2

        def all_ended() -> bool:
            nonlocal fewest
            fewest = min(fewest, workers_ready(client))
            return restarts(engine) == {"too_costly": len(hostile)}

        wait_until(all_ended, 90, poll_s=0.01)
        assert fewest >= 1, "one was ready all the while"
        for name in hostile:
            assert newest_of(client, name, 1).reason == "too_costly"
        for name in GOOD_CAMERAS:
            assert newest_of(client, name, 2).state in (State.OK, State.FAULT)


def workers_ready(client: PatrolClient) -> int:
    return present(client.status().machine).workers_ready
