"""The whole engine: real cameras of the demo's county, real sockets, database, gRPC and scrape."""

import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.batch.platforms import PlatformListing, PullOptions, compare_claims, pull
from engine.batch.registry import ApiRegistry
from engine.client import CallError, PatrolClient
from engine.config.schema import (
    SchedulerSettings,
    WorkerSettings,
)
from engine.config.serve import ServeSettings
from engine.demo.county import County
from engine.errors import ListenError, StoreError
from engine.feed import wire
from engine.hub.visiting.visits import Visits
from engine.interchange.platform_claims import Channel, ClaimedChannels
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.verdict import FaultKind, State, Verdict
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.scheduler.core import Scheduler
from engine.scheduler.events import Action, Event
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.expect import present
from tests.support.feed.clips import encode, scene
from tests.support.hub_in_process import InProcessEngine
from tests.support.live_engine import DARK, HEALTHY, LOCKED, scrape, settings
from tests.support.waiting import wait_until

PICTURE = encode(Codec.H264, [scene(640, 360)])[0]
PATIENT = SchedulerSettings(key_period_s=600, ordinary_period_s=600)
"""Nobody is missed while a test runs."""


World = tuple[Supervisor, PatrolClient, County, Path]
"""An engine, a client of it, its cameras, and the folder of its files."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three cameras of the county, one of them dark, one locked, and an engine that patrols them."""
    folder = tmp_path_factory.mktemp("engine")
    with ExitStack() as stack:
        county = stack.enter_context(County(only={HEALTHY, DARK, LOCKED}))
        engine = stack.enter_context(Supervisor(settings(folder)))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        client.import_cameras([camera.camera for camera in county.cameras])
        client.import_cameras([Camera("pushed", "", push=True, site_id="gateway", region="130102")])
        yield engine, client, county, folder


def latest(client: PatrolClient, camera_id: str) -> Verdict | None:
    try:
        return client.verdict(camera_id)
    except CallError as error:
        if error.status != "NOT_FOUND":
            raise
        return None


def last_pushed(client: PatrolClient) -> Verdict | None:
    """The newest verdict on a picture that was pushed. The latest may be of a silence, which has no visit."""
    return next((verdict for verdict in client.verdicts("pushed") if verdict.visit_id), None)


def pushed_since(client: PatrolClient, visit_id: int) -> Verdict | None:
    """The newest verdict on a picture pushed after this visit."""
    verdict = last_pushed(client)
    return verdict if verdict is not None and verdict.visit_id > visit_id else None


def workers_lost(engine: Supervisor) -> float:
    samples = scrape(engine.addresses["metrics"])
    return sum(value for (name, _), value in samples.items() if name == "patrol_worker_restarts_total")


def push(address: str, messages: Sequence[Sequence[bytes | memoryview]]) -> None:
    transport = Transport()
    channel = transport.connect_push(address)
    for message in messages:
        wait_until(partial(channel.send, message), 5)
    time.sleep(0.3)  # what ZeroMQ has not sent by the end of the transport is lost, and nothing shows that it was sent
    transport.close()


def keyframe(camera_id: str, payload: bytes = PICTURE, codec: Codec = Codec.H264) -> list[bytes | memoryview]:
    return wire.pack_keyframe(Keyframe(camera_id, 0, codec, payload, 0, None, FeedKind.GATEWAY))


def test_every_camera_gets_the_verdict_it_deserves(world: World) -> None:
    _, client, county, _ = world
    wait_until(lambda: all(camera.is_named(latest(client, camera.camera.camera_id)) for camera in county.cameras))


def test_the_picture_behind_a_verdict_can_be_had(world: World) -> None:
    _, client, county, _ = world
    camera_id = county.cameras[0].camera.camera_id
    verdict = wait_until(lambda: latest(client, camera_id))
    picture = client.picture(camera_id, side_px_max=200)
    assert picture.jpeg[:2] == b"\xff\xd8"
    assert max(picture.width, picture.height) == 200
    assert picture.visit_id >= verdict.visit_id
    with pytest.raises(CallError, match="is kept"):
        client.picture(camera_id, visit_id=1)


def test_a_row_as_a_reply_shows_it_goes_back_without_harm_to_its_password(world: World) -> None:
    _, client, county, folder = world
    (camera,) = (camera.camera for camera in county.cameras if "wrong-password" in camera.camera.url)
    masked = client.camera(camera.camera_id).camera
    assert "wrong-password" not in masked.url
    report = client.import_cameras([masked])
    assert (report.changed, report.unchanged) == (0, 1)
    (problem,) = client.import_cameras([replace(masked, camera_id="other", url="rtsp://u:***@h/1")]).problems
    assert "is none" in problem.message
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    assert store.registry.urls([camera.camera_id, "other"]) == {camera.camera_id: (camera.url, "")}
    store.close()


def test_a_platforms_claim_goes_in_through_the_api_and_is_put_beside_our_verdict(world: World) -> None:
    engine, client, county, folder = world
    (locked,) = (camera.camera for camera in county.cameras if "wrong-password" in camera.camera.url)
    wait_until(lambda: (found := latest(client, locked.camera_id)) and found.announced is State.OFFLINE)
    desk = ApiRegistry(client, engine.addresses["grpc"])
    pulled = PlatformListing(
        ClaimedChannels([Channel((camera.camera.camera_id,), "ON") for camera in county.cameras]), ("127.0.0.1",)
    )
    report = pull(desk, pulled, PullOptions(), settings(folder))
    assert (report.known, len(report.changes), report.problems) == (len(county.cameras), len(county.cameras), [])
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    after = {camera.camera_id: camera for camera in store.registry.cameras()}
    store.close()
    assert after[locked.camera_id] == replace(locked, platform_status="ON")
    (found,) = compare_claims(desk, "").disagree
    assert (found.camera.camera_id, found.platform_online, found.ours, found.why) == (
        locked.camera_id, True, State.OFFLINE, "unauthorized",
    )  # fmt: skip


def test_watchers_see_verdicts_as_they_are_stored(world: World) -> None:
    _, client, county, _ = world
    ids = {camera.camera.camera_id for camera in county.cameras}
    seen = []
    for verdict in client.watch(region_prefix="1399"):
        assert client.verdict(verdict.camera_id).visit_id >= verdict.visit_id
        seen.append(verdict.camera_id)
        if len(seen) == 4:
            break
    assert set(seen) <= ids


def test_check_now_brings_a_fresh_verdict(world: World) -> None:
    _, client, county, _ = world
    camera_id = county.cameras[0].camera.camera_id
    before = wait_until(lambda: latest(client, camera_id)).visit_id
    told = {checked.camera_id: checked for checked in client.check_now([camera_id, "nobody", "pushed"], timeout_s=20)}
    assert {camera_name: told[camera_name].outcome for camera_name in told} == {
        camera_id: "verdict",
        "nobody": "not_found",
        "pushed": "not_visited",
    }
    fresh = present(told[camera_id].verdict)
    assert fresh.visit_id > before
    assert present(latest(client, camera_id)).visit_id >= fresh.visit_id


def test_a_gateway_pushes_and_is_judged(world: World) -> None:
    engine, client, _, _ = world
    push(engine.addresses["intake"], [keyframe("pushed")])
    verdict = wait_until(lambda: last_pushed(client))
    assert (verdict.width, verdict.height) == (640, 360)


def test_what_gateways_send_wrong_is_counted_and_harms_nobody(world: World) -> None:
    engine, client, _, _ = world
    reasons = ("malformed", "too_large", "unknown_camera")
    name = "patrol_intake_dropped_frames_total"
    before = {reason: scrape(engine.addresses["metrics"]).get((name, (("reason", reason),)), 0) for reason in reasons}
    bad: list[list[bytes | memoryview]] = [
        [b"PK1"],
        [b"PK1", b"\xff\xff", b"x"],
        [b"nonsense"] * 20,
        keyframe("nobody"),
        keyframe("pushed", bytes(9 << 20)),
    ]
    judged = present(last_pushed(client)).visit_id
    push(engine.addresses["intake"], [*bad, keyframe("pushed")])
    wait_until(lambda: pushed_since(client, judged))
    after = scrape(engine.addresses["metrics"])
    assert after[(name, (("reason", "too_large"),))] == before["too_large"] + 1
    assert after[(name, (("reason", "malformed"),))] == before["malformed"] + 3
    assert after[(name, (("reason", "unknown_camera"),))] == before["unknown_camera"] + 1
    assert present(client.status().machine).workers_ready == 1


def test_damaged_keyframes_are_unknown_never_blurred_or_covered(world: World) -> None:
    engine, client, _, _ = world
    before = wait_until(lambda: last_pushed(client)).visit_id
    push(engine.addresses["intake"], [keyframe("pushed", PICTURE[: len(PICTURE) // 2])])
    verdict = wait_until(lambda: pushed_since(client, before))
    assert (verdict.state, verdict.reason, verdict.kinds) == (State.UNKNOWN, "damaged", ())


def test_the_scrape_says_what_happened(world: World) -> None:
    engine, _, county, _ = world
    wait_until(
        lambda: (
            scrape(engine.addresses["metrics"]).get(
                ("patrol_visits_total", (("outcome", "unauthorized"), ("via", "rtsp"))), 0
            )
            > 0
        )
    )
    now = scrape(engine.addresses["metrics"])
    assert now[("patrol_visits_total", (("outcome", "keyframe"), ("via", "rtsp")))] > 0
    assert now[("patrol_stage_seconds_count", (("stage", "decode"),))] > 0
    wanted = {("region", "139901"), ("state", "fault")}
    assert any(key[0] == "patrol_cameras" and set(key[1]) == wanted and value == 1 for key, value in now.items())
    ids = [camera.camera.camera_id for camera in county.cameras]
    assert not any(camera_id in str(key) for key in now for camera_id in ids)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(world: World) -> None:
    engine, client, _, _ = world
    before = present(last_pushed(client)).visit_id
    pid = engine.pids()["worker-0"]
    os.kill(pid, signal.SIGKILL)
    push(engine.addresses["intake"], [keyframe("pushed")])
    verdict = wait_until(lambda: pushed_since(client, before))
    assert verdict.width == 640
    assert engine.pids().get("worker-0") != pid
    assert scrape(engine.addresses["metrics"])[("patrol_worker_restarts_total", (("reason", "signal_9"),))] == 1


def test_a_feeder_that_is_killed_is_replaced(world: World) -> None:
    engine, client, county, _ = world
    os.kill(engine.pids()["feeder-0"], signal.SIGKILL)
    camera_id = county.cameras[0].camera.camera_id
    before = present(latest(client, camera_id)).visit_id
    wait_until(lambda: present(latest(client, camera_id)).visit_id > before + 1)


def test_a_baseline_is_reset_and_stays_so(world: World) -> None:
    _, client, county, _ = world
    healthy = county.cameras[HEALTHY].camera.camera_id
    wait_until(lambda: present(latest(client, healthy)).figures.get("baseline_visits", 0) >= 2)
    assert client.reset_baselines([healthy, "nobody"]) == (1, ("nobody",))
    before = present(latest(client, healthy)).visit_id
    wait_until(lambda: present(latest(client, healthy)).visit_id > before)
    assert present(latest(client, healthy)).figures["baseline_visits"] <= 2


def test_a_removed_camera_is_gone(world: World) -> None:
    _, client, county, _ = world
    camera_id = county.cameras[-1].camera.camera_id
    assert client.remove_cameras([camera_id, "nobody"]) == (1, ("nobody",))
    with pytest.raises(CallError, match="not in the registry"):
        client.camera(camera_id)


def test_verdicts_and_registry_survive_a_restart(tmp_path: Path) -> None:
    chosen = settings(tmp_path, scheduler=PATIENT)
    with Supervisor(chosen) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        client.import_cameras([Camera("pushed", "", push=True)])
        push(engine.addresses["intake"], [keyframe("pushed")])
        first = wait_until(lambda: latest(client, "pushed"))
    with Supervisor(chosen) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        assert client.verdict("pushed") == first
        assert client.status().cameras == 1
        assert client.picture("pushed").width == 640


def test_the_schedulers_time_never_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when the patrol begins either, in the middle of a turn; it once made an idle engine die at its stop."""
    told_ns: list[int] = []
    handle = Scheduler.handle

    def listen(scheduler: Scheduler, event: Event, now_ns: int) -> list[Action]:
        told_ns.append(now_ns)
        return handle(scheduler, event, now_ns)

    turn = Visits.advance

    def ask(visits: Visits, now_ns: int, room: int) -> None:
        told_ns.append(now_ns)
        turn(visits, now_ns, room)

    monkeypatch.setattr(Scheduler, "handle", listen)
    monkeypatch.setattr(Visits, "advance", ask)
    chosen = settings(tmp_path)
    store = Store.open(chosen.record.url)
    store.registry.upsert([Camera("pushed", "", push=True)])
    store.close()
    with InProcessEngine(chosen):
        wait_until(lambda: len(told_ns) > 3)
    assert told_ns == sorted(told_ns)


def take_two_workers_down(engine: Supervisor, frame: Sequence[bytes | memoryview]) -> bool:
    """Push a keyframe to workers that are stopped, and kill the first of them, then the second if it got the keyframe
    of the first; return whether it did. Which worker gets it first is up to the hub."""
    handed_out = ("patrol_stage_seconds_count", (("stage", "queue"),))
    workers = [engine.pids()[name] for name in ("worker-0", "worker-1")]
    before, lost = scrape(engine.addresses["metrics"])[handed_out], workers_lost(engine)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    push(engine.addresses["intake"], [frame])
    wait_until(lambda: scrape(engine.addresses["metrics"])[handed_out] == before + 1)
    with suppress(ProcessLookupError):
        os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: workers_lost(engine) > lost)
    time.sleep(0.2)
    passed_on = scrape(engine.addresses["metrics"])[handed_out] == before + 2
    with suppress(ProcessLookupError):
        os.kill(workers[1], signal.SIGKILL)
    wait_until(lambda: workers_lost(engine) == lost + 2)  # to our signal, or to the supervisor if it came first
    return passed_on


def test_a_keyframe_that_takes_two_workers_down_is_put_aside(tmp_path: Path) -> None:
    chosen = settings(tmp_path, worker=WorkerSettings(count=2, spare=False), scheduler=PATIENT)
    with Supervisor(chosen) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        client.import_cameras([Camera(name, "", push=True) for name in ("one", "two")])
        for _ in range(8):
            wait_until(lambda: present(client.status().machine).workers_ready == 2)
            if take_two_workers_down(engine, keyframe("one")):
                break
        wait_until(lambda: latest(client, "one") is not None and present(latest(client, "one")).reason == "quarantined")
        push(engine.addresses["intake"], [keyframe("two")])
        assert wait_until(partial(latest, client, "two")).state is State.OK
        (kept,) = [path for path in (tmp_path / "q").iterdir() if path.suffix == ".h264"]
        assert kept.read_bytes() == PICTURE
        wait_until(lambda: present(client.status().machine).workers_ready == 2)


@pytest.mark.parametrize("key", ["grpc_listen", "metrics_listen"])
def test_a_port_in_use_is_said_with_the_key_that_names_it(tmp_path: Path, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        serve: dict[str, Any] = {"grpc_listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0", key: address}
        with (
            pytest.raises(ListenError, match=f"serve.{key} = '{address}'"),
            Supervisor(settings(tmp_path, serve=ServeSettings(**serve))),
        ):
            pass


def test_a_database_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "patrol.db").write_text("not a database" * 100)
    with pytest.raises(StoreError, match="not a database"), Supervisor(settings(tmp_path)):
        pass


def test_a_registry_in_the_database_is_patrolled_from_the_start(tmp_path: Path) -> None:
    with County(only={HEALTHY}) as county:
        store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
        store.registry.upsert([camera.camera for camera in county.cameras])
        store.close()
        with Supervisor(settings(tmp_path)) as engine, PatrolClient(engine.addresses["grpc"]) as client:
            verdict = wait_until(lambda: latest(client, county.cameras[0].camera.camera_id))
            assert verdict.state in (State.OK, State.FAULT)
            assert FaultKind.TOO_DARK not in verdict.kinds
