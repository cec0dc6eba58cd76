"""Watches and check-now over gRPC: nothing is lost, nothing comes twice, and nobody who is slow harms another."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from engine.client import CallError, CheckResult, PatrolClient, WatchBatch
from engine.model.camera import Camera
from engine.serve.messages.resume_token import decode_resume_token, encode_resume_token
from engine.serve.streams import broadcast, response_streams
from engine.storage.db.store import Store, VisitRecord
from patrol.v1 import patrol_pb2, patrol_pb2_grpc
from tests.support.expect import present
from tests.support.serve.served import VERDICT, FakeHub, RunningServer, county_cameras, serving
from tests.support.waiting import wait_until


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path, ring=64, watchers_max=3) as served:
        served.hub.put(*county_cameras(6), Camera("far", "rtsp://h/1", region="140101", site_id="s1"))
        yield served


def take(batches: Iterator[WatchBatch], number: int) -> list[int]:
    """The visits of so many verdicts."""
    visits: list[int] = []
    while len(visits) < number:
        visits += [verdict.visit_id for verdict in next(batches).verdicts]
    return visits


def test_a_watch_without_a_token_begins_now_and_says_where_that_is(served: RunningServer) -> None:
    served.hub.judge("c1")
    batches = served.client.watch_batches()
    first = next(batches)
    assert (first.verdicts, decode_resume_token(first.resume_token)) == ((), 1)
    verdict = served.hub.judge("c2")
    assert take(batches, 1) == [verdict.visit_id]


def test_what_was_stored_while_a_watcher_was_away_comes_first_and_once(served: RunningServer) -> None:
    before = [served.hub.judge(f"c{n % 6}").visit_id for n in range(5)]
    batches = served.client.watch_batches(resume_token=encode_resume_token(0))
    assert take(batches, 5) == before
    after = [served.hub.judge(f"c{n % 6}").visit_id for n in range(5)]
    assert take(batches, 5) == after
    batches.close()
    wait_until(lambda: served.watch.watchers == 0)


def test_every_batch_can_be_resumed_from(served: RunningServer) -> None:
    visits = [served.hub.judge(f"c{n % 6}").visit_id for n in range(30)]
    seen: list[int] = []
    token = encode_resume_token(0)
    while len(seen) < len(visits):
        batches = served.client.watch_batches(resume_token=token)
        batch = next(batches)
        batches.close()
        seen += [verdict.visit_id for verdict in batch.verdicts]
        token = batch.resume_token
    assert seen == visits


def test_watchers_that_come_and_go_while_verdicts_are_stored_miss_none_and_hear_none_twice(tmp_path: Path) -> None:
    chance = random.Random(5)
    number = 400
    with serving(tmp_path, ring=4096, watchers_max=8) as served:
        served.hub.put(*county_cameras(6))
        stored: list[int] = []
        failures: list[BaseException] = []
        heard: dict[int, list[int]] = {}

        def follow(watcher: int, pauses: list[float]) -> None:
            try:
                mine = heard.setdefault(watcher, [])
                token = encode_resume_token(0)
                with PatrolClient(served.address) as client:
                    while len(mine) < number:
                        batches = client.watch_batches(resume_token=token)
                        for batch in batches:
                            mine += [verdict.visit_id for verdict in batch.verdicts]
                            token = batch.resume_token
                            if len(mine) >= number or (pauses and time.monotonic() % 1 < 0.2):
                                break
                        batches.close()
                        time.sleep(pauses.pop() if pauses else 0)
            except BaseException as error:
                failures.append(error)

        rests = [[chance.uniform(0, 0.05) for _ in range(20)] for _ in range(5)]
        threads = [threading.Thread(target=follow, args=numbered) for numbered in enumerate(rests)]
        for thread in threads:
            thread.start()
        while len(stored) < number:
            size = min(chance.randint(1, 12), number - len(stored))
            records = []
            for _ in range(size):
                served.hub.next_visit_id += 1
                visit_id = served.hub.next_visit_id
                records.append(VisitRecord(replace(VERDICT, camera_id=f"c{visit_id % 6}", visit_id=visit_id), b""))
                stored.append(visit_id)
            served.hub.write(records)
            time.sleep(chance.uniform(0, 0.01))
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert all(mine == stored for mine in heard.values())


def test_a_watch_goes_on_over_a_restart_of_the_server(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    hub = FakeHub(store)
    hub.put(*county_cameras(3))
    with serving(tmp_path, hub=hub) as first:
        port = first.address
        token = next(first.client.watch_batches()).resume_token
        before = hub.judge("c1")
    hub.watch = None
    between = hub.judge("c2")
    with serving(tmp_path, hub=hub, grpc_listen=port) as second:
        after = hub.judge("c0")
        visits = take(second.client.watch_batches(resume_token=token), 3)
    assert visits == [verdict.visit_id for verdict in (before, between, after)]
    store.close()


def test_the_client_resumes_by_itself(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    hub = FakeHub(store)
    hub.put(*county_cameras(3))
    heard: list[int] = []
    with serving(tmp_path, hub=hub) as first:
        address = first.address
        client = PatrolClient(address)

        def follow() -> None:
            for verdict in client.watch():
                heard.append(verdict.visit_id)
                if len(heard) == 3:
                    return

        thread = threading.Thread(target=follow)
        thread.start()
        wait_until(lambda: first.watch.watchers == 1)
        visits = [hub.judge("c1").visit_id]
        wait_until(lambda: heard == visits)
    hub.watch = None
    visits.append(hub.judge("c2").visit_id)
    with serving(tmp_path, hub=hub, grpc_listen=address):
        visits.append(hub.judge("c0").visit_id)
        thread.join(20)
    client.close()
    store.close()
    assert heard == visits


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, {"c1", "c2", "c3", "far"}),
        ({"region_prefix": "13"}, {"c1", "c2", "c3"}),
        ({"site_id": "s1"}, {"c1", "far"}),
        ({"camera_ids": ["c2", "c3"]}, {"c2", "c3"}),
        ({"region_prefix": "13", "site_id": "s1"}, {"c1"}),
    ],
)
def test_filters_hold_for_the_snapshot_the_log_and_what_comes(
    served: RunningServer, filters: dict[str, Any], wanted: set[str]
) -> None:
    cameras = ("c1", "c2", "c3", "far")
    for camera_id in cameras:
        served.hub.judge(camera_id, changed=False)
    batches = served.client.watch_batches(with_current=True, **filters)
    snapshot = next(batches)
    assert (snapshot.current, {verdict.camera_id for verdict in snapshot.verdicts}) == (True, wanted)
    logged = next(served.client.watch_batches(resume_token=encode_resume_token(0), **filters))
    assert {verdict.camera_id for verdict in logged.verdicts} == wanted
    assert next(batches).resume_token  # the place comes before what is live
    for camera_id in cameras:
        served.hub.judge(camera_id)
    live: list[str] = []
    while len(live) < len(wanted):
        live += [verdict.camera_id for verdict in next(batches).verdicts]
    assert set(live) == wanted


def test_changes_only_leaves_the_others_out(served: RunningServer) -> None:
    batches = served.client.watch_batches(changes_only=True)
    next(batches)
    served.hub.judge("c1", changed=False)
    news = served.hub.judge("c1", changed=True)
    assert take(batches, 1) == [news.visit_id]


def test_a_token_that_means_nothing_is_named_and_one_of_another_log_is_out_of_range(served: RunningServer) -> None:
    served.hub.judge("c1")
    for token, status in ((encode_resume_token(99), "OUT_OF_RANGE"), ("nonsense", "INVALID_ARGUMENT")):
        with pytest.raises(CallError) as caught:
            next(served.client.watch_batches(resume_token=token))
        assert caught.value.status == status
    assert caught.value.violations[0][0] == "resume_token"
    with pytest.raises(CallError, match="with_current"):
        next(served.client.watch_batches(resume_token=encode_resume_token(1), with_current=True))


def test_no_more_may_watch_than_serve_watchers_max(served: RunningServer) -> None:
    watching = [served.client.watch_batches() for _ in range(3)]
    for batches in watching:
        next(batches)
    with pytest.raises(CallError, match=r"serve\.watchers_max") as caught:
        list(served.client.watch_batches())
    assert (caught.value.status, caught.value.reason, caught.value.retry_s) == (
        "RESOURCE_EXHAUSTED", "TOO_MANY_WATCHERS", 1.0,
    )  # fmt: skip
    watching.pop().close()
    wait_until(lambda: served.watch.watchers == 2)
    next(served.client.watch_batches())


def test_a_quiet_watch_is_told_that_it_lives(served: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "HEARTBEAT_S", 0.1)
    batches = served.client.watch_batches(region_prefix="99")
    first = next(batches)
    served.hub.judge("c1")
    moved = next(batches)
    assert (moved.verdicts, decode_resume_token(moved.resume_token)) == (
        (),
        decode_resume_token(first.resume_token) + 1,
    )


def test_a_watcher_that_reads_nothing_is_cut_and_can_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_streams, "STALLED_S", 0.5)
    with serving(tmp_path, ring=64) as served:
        served.hub.put(*county_cameras(3))
        with grpc.insecure_channel(served.address, options=[("grpc.http2.bdp_probe", 0)]) as channel:
            stub = patrol_pb2_grpc.PatrolServiceStub(channel)
            stream = stub.WatchVerdicts(patrol_pb2.WatchVerdictsRequest())
            first = next(stream)
            big = {f"figure_{n:04}": float(n) for n in range(3000)}
            stored = [served.hub.judge("c1", figures=big).visit_id for _ in range(60)]
            time.sleep(1.5)  # nothing is read meanwhile
            seen, token, code = [], first.resume_token, None
            try:
                for reply in stream:
                    seen += [int(verdict.name.rpartition("/")[2]) for verdict in reply.verdicts]
                    token = reply.resume_token
            except grpc.RpcError as error:
                code = error.code()
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        wait_until(lambda: served.watch.watchers == 0)
        left = len(stored) - len(seen)
        assert left > 0
        assert seen + take(served.client.watch_batches(resume_token=token), left) == stored


def test_check_now_tells_each_camera_when_its_verdict_is_stored(served: RunningServer) -> None:
    hub = served.hub
    hub.put(replace(hub.registry.cameras["c4"], enabled=False))
    hub.in_flight["c2"] = 7000
    told = served.client.check_now(["c1", "c2", "c4", "nobody", "c1"], timeout_s=10)
    assert {(outcome.camera_id, outcome.outcome) for outcome in (next(told), next(told))} == {
        ("nobody", "not_found"), ("c4", "not_visited"),
    }  # fmt: skip
    hub.judge("c2", visit_id=6999)  # of a visit before the one that is under way
    hub.judge("c1", visit_id=1)  # stored late, of a visit before the call
    hub.judge("c3")
    fresh = hub.judge("c1", visit_id=hub.next_visit_id + 5)
    outcome = next(told)
    assert (outcome.camera_id, outcome.outcome, outcome.verdict) == ("c1", "verdict", fresh)
    hub.judge("c2", visit_id=7000)
    assert [(outcome.camera_id, present(outcome.verdict).visit_id) for outcome in told] == [("c2", 7000)]


def test_check_now_ends_with_its_deadline_and_names_who_is_still_waited_for(served: RunningServer) -> None:
    began_s = time.monotonic()
    told = list(served.client.check_now(["c1", "c2"], timeout_s=1.5))
    assert [(outcome.camera_id, outcome.outcome) for outcome in told] == [("c1", "pending"), ("c2", "pending")]
    assert 0.5 < time.monotonic() - began_s < 1.5


def test_check_now_tells_of_a_camera_that_leaves_the_registry(served: RunningServer) -> None:
    told = served.client.check_now(["c1"], timeout_s=10)
    heard: list[CheckResult] = []
    reader = threading.Thread(target=lambda: heard.extend(told))
    reader.start()
    wait_until(lambda: served.watch.watchers == 1)
    served.client.remove_cameras(["c1"])
    reader.join(8)
    assert [result.outcome for result in heard] == ["removed"]


def test_a_caller_who_goes_away_leaves_nothing_behind(served: RunningServer) -> None:
    for stream in (served.client.watch_batches(), served.client.check_now(["c1", "nobody"])):
        next(stream)
        wait_until(lambda: served.watch.watchers == 1)
        stream.close()
        wait_until(lambda: served.watch.watchers == 0)
    with grpc.insecure_channel(served.address) as channel:
        stub = patrol_pb2_grpc.PatrolServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.WatchVerdicts(patrol_pb2.WatchVerdictsRequest(), timeout=0.5))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: served.watch.watchers == 0)


def test_findings_are_watched_and_resumed_alike(served: RunningServer) -> None:
    hub = served.hub
    stream = served.client.findings.watch()
    first = next(stream)
    finding = hub.ledger.open(hub.registry.cameras["c1"])
    changes = next(stream).changes
    assert [(event.step, finding.finding_id) for event, finding in changes] == [("opened", 1)]
    served.client.findings.claim(finding.finding_id, "cleaned")
    again = next(served.client.findings.watch(resume_token=first.resume_token))
    assert [event.step for event, _ in again.changes] == ["opened", "claimed"]
