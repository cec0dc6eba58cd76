"""A front over two shards answers as one engine would: every call of the client, while shards come, move and go."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import pytest

from engine.client import CallError, PatrolClient
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.camera import Camera
from engine.model.canteen import CanteenDetails
from engine.model.findings import FindingQuery, FindingState
from engine.model.kpi import KpiName, KpiQuery
from engine.model.registry import CameraQuery, RegionLevel
from engine.model.schedule import PauseKind, PauseScope
from engine.model.spot_check import SpotCheckOrder
from engine.serve.forwarding.routes import AT_FRONT
from tests.support.cluster.fronted_province import FrontedProvince, fronted_province
from tests.support.cluster.province import HERE, THERE, RunningFront
from tests.support.live_engine import REFUSING_CAMERAS
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
IDS = sorted(f"c{n}" for n in range(REFUSING_CAMERAS))
IDS_OF = {HERE: [name for name in IDS if int(name[1:]) % 2 == 0], THERE: [name for name in IDS if int(name[1:]) % 2]}


@pytest.fixture(scope="module")
def cluster(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontedProvince]:
    with fronted_province(postgres_server.database(), tmp_path_factory.mktemp("cluster")) as running:
        yield running


def _has_verdicts(client: PatrolClient, camera_id: str, number: int) -> bool:
    return len(list(islice(client.verdicts(camera_id), number))) == number


def test_reads_are_those_of_the_whole_province(cluster: FrontedProvince) -> None:
    client = cluster.client
    assert [camera.camera.camera_id for camera in client.cameras()] == IDS
    assert [camera.camera.camera_id for camera in client.cameras(CameraQuery(region_prefix=HERE))] == IDS_OF[HERE]
    pages = client.page(CameraQuery(page_size=5))
    assert pages.total == len(IDS)
    assert client.page(CameraQuery(page_size=5), pages.next_page_token).cameras[0].camera.camera_id == IDS[5]
    counted, total = client.count_cameras(CameraQuery(), RegionLevel.COUNTY)
    assert [(count.region, count.cameras) for count in counted] == [(HERE, 6), (THERE, 6)]
    assert total.cameras == 12
    assert [region.code for region in client.regions("13")][-1] == THERE
    for camera_id in ("c0", "c1"):
        assert client.camera(camera_id).camera.camera_id == camera_id
        assert client.verdict(camera_id).camera_id == camera_id
        wait_until(partial(_has_verdicts, client, camera_id, 2), 60)
        assert client.plan(camera_id).camera_id == camera_id
        assert client.story(camera_id).events
    with pytest.raises(CallError, match="nowhere") as caught:
        client.camera("nowhere")
    assert caught.value.status == "NOT_FOUND"


@pytest.mark.parametrize("method", ["CameraService/GetCamera", "PatrolService/CheckNow", "CameraService/DeleteCamera"])
def test_bytes_that_are_no_request_are_refused_in_the_same_words(cluster: FrontedProvince, method: str) -> None:
    told = []
    for address in (cluster.front.addresses["grpc"], cluster.engines_at[1]):
        channel: Any
        with grpc.insecure_channel(address) as channel:
            make = channel.unary_stream if method.endswith("CheckNow") else channel.unary_unary
            with pytest.raises(grpc.RpcError) as caught:
                list(make(f"/patrol.v1.{method}")(b"\xff\xff\xff", timeout=15) or ())
        told.append((caught.value.code(), caught.value.details()))
    assert told[0] == told[1]
    assert told[0][0] is grpc.StatusCode.INVALID_ARGUMENT
    assert "not passed on" not in cluster.front.log.read_text()


def test_sums_are_those_of_all_shards(cluster: FrontedProvince) -> None:
    client = cluster.client
    status = client.status()
    assert status.cameras == 12
    assert wait_until(lambda: client.status().cameras_by_state.get("offline") == 12, 30)
    assert status.machine is not None
    assert status.machine.workers_ready == 2
    assert client.status(HERE).cameras == 6
    schedule = client.schedule()
    assert schedule.cameras == 12
    assert schedule.uplinks == 12
    each = [direct.schedule() for direct in cluster.direct.values()]
    assert schedule.visits_max == sum(one.visits_max for one in each)
    assert [row.name for row in schedule.classes] == [row.name for row in each[0].classes]
    total = client.kpis(KpiQuery()).total
    assert total.rates[KpiName.CLARITY].registered == 12


def test_commands_reach_the_shard_of_their_camera_and_are_noted_once(cluster: FrontedProvince) -> None:
    client = cluster.client
    results = {result.camera_id: result for result in client.check_now([*IDS, "nowhere"], timeout_s=20)}
    assert results.keys() == {*IDS, "nowhere"}
    assert results["nowhere"].outcome == "not_found"
    assert all(results[camera_id].outcome == "verdict" for camera_id in IDS)
    assert client.reset_baselines(["c0", "c1", "nowhere"])[1] == ("nowhere",)
    scope = PauseScope(PauseKind.REGION, "13")
    assert client.pause(scope, "a test").cameras == 12
    assert [pause.cameras for pause in client.schedule().pauses] == [12]
    assert all(direct.schedule().pauses for direct in cluster.direct.values())
    assert client.resume(scope).cameras == 12
    with pytest.raises(CallError) as caught:
        client.resume(scope)
    assert caught.value.reason == "PAUSE_NOT_FOUND"
    one = PauseScope(PauseKind.CAMERA, "c1")
    assert client.pause(one, "a test").cameras == 1
    assert [len(direct.schedule().pauses) for direct in cluster.direct.values()] == [0, 1]
    client.resume(one)
    entries = list(client.access.audit_entries(AuditQuery()))
    assert [entry.method for entry in entries if entry.method.endswith("PausePatrol")] == (
        ["SchedulerService/PausePatrol"] * 2
    )
    assert all(entry.peer.startswith("ipv4:127.0.0.1") for entry in entries)


def test_cameras_that_are_made_changed_and_removed_are_so_at_once(cluster: FrontedProvince) -> None:
    client = cluster.client
    url = client.camera("c0").camera.url
    rows = [Camera("n0", url, region=HERE), Camera("n1", url, region=THERE), Camera("n2", url, region="990000")]
    refused = client.import_cameras(rows)
    assert [(problem.index, problem.column) for problem in refused.problems] == [(2, "region")]
    assert "no shard has this county" in refused.problems[0].message
    assert refused.added == 0
    kept = client.import_cameras(rows, keep_good=True)
    assert (kept.added, len(kept.problems)) == (2, 1)
    assert client.page(CameraQuery()).total == 14
    created = client.create_camera(Camera("n3", url, region=THERE), request_id="once")
    assert client.create_camera(Camera("n3", url, region=THERE), request_id="once") == created
    assert client.camera("n3").camera.region == THERE
    assert cluster.direct[2].camera("n3").camera.region == THERE
    changed = client.update_camera(replace(created.camera, name="the third"), ["display_name"])
    assert changed.camera.name == "the third"
    assert {camera.camera.name for camera in client.cameras(CameraQuery(region_prefix=THERE))} >= {"the third"}
    assert client.remove_cameras(["n0", "n1", "n3", "nowhere"]) == (3, ("nowhere",))
    assert client.page(CameraQuery()).total == 12


def test_findings_of_all_shards_are_one_ledger(cluster: FrontedProvince) -> None:
    client = cluster.client
    found = wait_until(
        lambda: (all_of_them := list(client.findings.list())) and len(all_of_them) >= 12 and all_of_them, 30
    )
    by_camera = {finding.subject.camera_id: finding for finding in found}
    assert by_camera.keys() == set(IDS)
    here, there = by_camera["c0"], by_camera["c1"]
    assert client.findings.acknowledge(here.finding_id, "seen").state is FindingState.ACKNOWLEDGED
    wanted = [by_camera[camera_id].finding_id for camera_id in ("c3", "c2", "c5")] + [here.finding_id]
    outcomes = client.findings.acknowledge_all(dict.fromkeys(wanted, 0), "all of them")
    assert [type(outcome).__name__ for outcome in outcomes] == ["Finding"] * 3 + ["CallError"]
    assert [outcome.subject.camera_id for outcome in outcomes[:3]] == ["c3", "c2", "c5"]  # type: ignore[union-attr]
    client.findings.mark_viewing(there.finding_id)
    viewers = client.findings.viewers([here.finding_id, there.finding_id])
    assert [len(viewers[finding.finding_id]) for finding in (here, there)] == [0, 1]
    events = list(client.findings.events(here.finding_id))
    assert events[-1].why == "seen"
    assert client.findings.summarize(FindingQuery()).total.count == len(found)
    with pytest.raises(CallError) as caught:
        client.findings.acknowledge(10**9, "nothing")
    assert caught.value.status == "NOT_FOUND"


def test_a_camera_that_changes_its_county_brings_what_is_known_of_it(cluster: FrontedProvince) -> None:
    client = cluster.client
    before = next(one for one in client.findings.list() if one.subject.camera_id == "c4")
    assert cluster.direct[1].camera("c4").latest is not None
    moved = client.update_camera(replace(client.camera("c4").camera, region=THERE), ["region"])
    assert moved.camera.region == THERE
    wait_until(lambda: "c4" in {camera.camera.camera_id for camera in cluster.direct[2].cameras()})
    wait_until(lambda: "c4" not in {camera.camera.camera_id for camera in cluster.direct[1].cameras()})
    there = cluster.direct[2].camera("c4").latest
    assert there is not None
    assert there.since_wall_ns == client.verdict("c4").since_wall_ns
    # Its finding goes on: the command reaches the shard that has the camera now.
    after = client.findings.acknowledge(before.finding_id, "seen")
    assert (after.finding_id, after.number) == (before.finding_id, before.number + 1)
    wait_until(lambda: client.verdict("c4").visit_id > there.visit_id)
    assert [one.finding_id for one in client.findings.list() if one.subject.camera_id == "c4"] == [before.finding_id]
    client.update_camera(replace(moved.camera, region=HERE), ["region"])
    wait_until(lambda: "c4" in {camera.camera.camera_id for camera in cluster.direct[1].cameras()})


def test_a_watch_has_every_verdict_of_all_shards_once_and_in_order(cluster: FrontedProvince) -> None:
    first = list(islice(cluster.client.watch_batches(), 4))
    token = first[1].resume_token
    verdicts = [verdict for batch in first[2:] for verdict in batch.verdicts]
    again: list[object] = []
    for batch in cluster.client.watch_batches(resume_token=token):
        again += batch.verdicts
        if len(again) >= len(verdicts):
            break
    assert again[: len(verdicts)] == verdicts
    seen: dict[str, int] = {}
    for batch in islice(cluster.client.watch_batches(), 8):
        for verdict in batch.verdicts:
            assert verdict.visit_id > seen.get(verdict.camera_id, 0)
            seen[verdict.camera_id] = verdict.visit_id
    assert seen.keys() == set(IDS)


def test_draws_are_made_of_the_whole_province(cluster: FrontedProvince) -> None:
    client = cluster.client
    url = client.camera("c0").camera.url
    rows = [
        Camera(f"s{n}", url, region=(HERE, THERE)[n % 2], site_id=f"site-{n}", site_name=f"School {n}")
        for n in range(6)
    ]
    assert client.import_cameras(rows).added == 6
    report = client.draw_spot_check(SpotCheckOrder(size=6, check_now=True))
    assert {canteen.county for canteen in report.spot_check.drawn} == {HERE, THERE}
    assert report.check_now is not None
    assert report.check_now.accepted + report.check_now.already_in_flight == 6
    assert client.spot_check().header.drawn == 6
    client.canteens.create("site-1", CanteenDetails(address="1 Road"), THERE)
    assert client.canteens.get("site-1").details.address == "1 Road"
    assert client.remove_cameras([row.camera_id for row in rows])[0] == 6


@pytest.mark.parametrize("method", sorted(AT_FRONT))
def test_what_the_front_answers_itself_it_can_answer(cluster: FrontedProvince, method: str) -> None:
    """With an empty request: whatever is wrong with that, nothing is missing here."""
    answer = grpc.StatusCode.OK
    channel: Any
    with grpc.insecure_channel(cluster.front.addresses["grpc"]) as channel:
        try:
            if method.rpartition("/")[2] in ("WatchVerdicts", "WatchFindings", "RehearseConfig"):
                next(channel.unary_stream(f"/patrol.v1.{method}")(b"", timeout=15))
            else:
                channel.unary_unary(f"/patrol.v1.{method}")(b"", timeout=15)
        except grpc.RpcError as error:
            answer = error.code()
    known = ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION")
    assert answer.name in known, (method, answer)


def test_roles_and_regions_hold_as_in_one_engine(cluster: FrontedProvince) -> None:
    """The last test of this cluster: with the first token it is closed to callers without one."""
    client, address = cluster.client, cluster.front.addresses["grpc"]
    admin = client.access.create_token(TokenOrder("admin", Role.ADMIN))[1]
    with PatrolClient(address, token=admin) as chief:
        wait_until(lambda: chief.access.caller().actor.name == "admin")
        viewer = chief.access.create_token(TokenOrder("viewer", Role.VIEWER, region=HERE))
        with PatrolClient(address, token=viewer[1]) as caller:
            wait_until(lambda: can_call(caller))
            assert {camera.camera.region for camera in caller.cameras()} == {HERE}
            with pytest.raises(CallError) as caught:
                caller.camera("c1")
            assert caught.value.status == "NOT_FOUND"
            with pytest.raises(CallError) as caught:
                caller.pause(PauseScope(PauseKind.CAMERA, "c0"), "no")
            assert caught.value.status == "PERMISSION_DENIED"
        operator = chief.access.create_token(TokenOrder("operator", Role.OPERATOR, region=HERE))
        with PatrolClient(address, token=operator[1]) as caller:
            wait_until(lambda: can_call(caller))
            # THERE has a shard, the other county has none: who may see neither is told the same of both.
            told = [
                [problem.message for problem in caller.import_cameras([row]).problems]
                for row in (Camera("c-new", "rtsp://x/1", region=region) for region in (THERE, "139999"))
            ]
            assert told[0] == told[1]
            assert "outside the region of this token" in told[0][0]
        with (
            PatrolClient(address, token="none such") as nobody,
            pytest.raises(CallError) as caught,
        ):
            nobody.camera("c0")
        assert caught.value.status == "UNAUTHENTICATED"
        refused = [entry for entry in chief.access.audit_entries(AuditQuery()) if entry.outcome == "PERMISSION_DENIED"]
        assert [(entry.actor.name, entry.method) for entry in refused] == [("viewer", "SchedulerService/PausePatrol")]


def can_call(client: PatrolClient) -> bool:
    try:
        return bool(client.status())
    except CallError:
        return False


def test_a_front_needs_a_database_with_shards(postgres_server: PostgresServer, tmp_path: Path) -> None:
    from engine.storage.db.store import Store

    url = postgres_server.database()
    Store.open(url).close()
    with pytest.raises(AssertionError, match="the database has no shards"):
        RunningFront(url, tmp_path / "front")
