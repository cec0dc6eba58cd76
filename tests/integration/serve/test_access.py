"""Roles, regions and the audit log, over gRPC: who may what, and what a county sees of its neighbours: nothing."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.camera import Camera
from engine.model.findings import FindingQuery
from engine.model.kpi import KpiBy, KpiQuery, LeagueQuery
from engine.model.registry import CameraQuery, CameraStatus
from engine.model.schedule import PauseKind, PauseScope
from engine.model.spot_check import SpotCheckOrder
from engine.serve.access.rules import RULES, RegionCheck
from engine.serve.access.tokens import REFRESH_S
from engine.storage.db.store import Store
from patrol.v1 import patrol_pb2
from tests.support.serve.calls import RPCS, good, send
from tests.support.serve.served import FakeHub, RunningServer, county_cameras, serving
from tests.support.waiting import wait_until

HERE, THERE = "130102", "130203"


class Tokens(NamedTuple):
    admin: str
    viewer: str
    inspector: str
    operator: str
    county: str
    """An operator of HERE."""
    city_admin: str
    """An admin of 1301."""


ORDERS = {
    "admin": (Role.ADMIN, ""),
    "viewer": (Role.VIEWER, ""),
    "inspector": (Role.INSPECTOR, ""),
    "operator": (Role.OPERATOR, ""),
    "county": (Role.OPERATOR, HERE),
    "city_admin": (Role.ADMIN, "1301"),
}


class World(NamedTuple):
    served: RunningServer
    tokens: Tokens

    def client(self, name: str) -> PatrolClient:
        return PatrolClient(self.served.address, token=getattr(self.tokens, name), timeout_s=10)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two counties, each with cameras, verdicts, findings and a spot check."""
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    secrets = {
        name: store.access.create_token(TokenOrder(name, role, region), "test", wall_ns())[1]
        for name, (role, region) in ORDERS.items()
    }
    hub = FakeHub(store)
    hub.put(*county_cameras(6, HERE, "c"), *county_cameras(4, THERE, "n"))
    for name in ("c1", "n1"):
        hub.ledger.open(hub.registry.cameras[name])
    with serving(tmp_path, hub=hub) as served:
        for name in ("c1", "n1", "n2"):
            hub.judge(name)
        yield World(served, Tokens(**secrets))
    store.close()


def status_of(call: Callable[[], object]) -> str:
    try:
        result = call()
        if not isinstance(result, tuple) and hasattr(result, "__iter__"):
            list(result)
    except CallError as error:
        return error.status
    return "OK"


def test_as_soon_as_there_is_a_token_one_is_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        assert served.client.status().version == "v"
        token, secret = served.client.access.create_token(TokenOrder("first", Role.ADMIN))
        assert status_of(served.client.status) == "UNAUTHENTICATED"
        with PatrolClient(served.address, token=secret) as client:
            assert [token.name for token in client.access.tokens()] == ["first"]
            client.access.revoke_token(token.token_id)
        # Nobody falls back to being everybody because the last token is gone.
        assert status_of(served.client.status) == "UNAUTHENTICATED"


def test_a_token_made_and_revoked_elsewhere_takes_effect_within_seconds(world: World) -> None:
    access = world.served.hub.store.access
    token, secret = access.create_token(TokenOrder("new", Role.VIEWER), "test", wall_ns())
    with PatrolClient(world.served.address, token=secret) as client:
        wait_until(lambda: status_of(client.status) == "OK", 3 * REFRESH_S)
        access.revoke_token(token.token_id, wall_ns())
        wait_until(lambda: status_of(client.status) == "UNAUTHENTICATED", 3 * REFRESH_S)


def test_a_token_that_expires_is_heard_no_longer(world: World) -> None:
    expire_ns = wall_ns() + 700_000_000
    with world.client("admin") as admin:
        _, secret = admin.access.create_token(TokenOrder("brief", Role.VIEWER, "", expire_ns))
    with PatrolClient(world.served.address, token=secret) as client:
        assert status_of(client.status) == "OK"
        wait_until(lambda: status_of(client.status) == "UNAUTHENTICATED", 5)
        assert wall_ns() > expire_ns


def test_a_watch_ends_when_its_token_is_revoked(world: World) -> None:
    with world.client("admin") as admin:
        token, secret = admin.access.create_token(TokenOrder("watcher", Role.VIEWER))
        ended: list[str] = []

        def watch() -> None:
            with PatrolClient(world.served.address, token=secret) as client:
                ended.append(status_of(client.watch_batches))

        thread = threading.Thread(target=watch)
        thread.start()
        wait_until(lambda: world.served.watch.watchers == 1)
        admin.access.revoke_token(token.token_id)
        thread.join(3 * REFRESH_S)
    assert ended == ["UNAUTHENTICATED"]
    assert world.served.watch.watchers == 0


def test_a_secret_is_nowhere_in_the_database(world: World, tmp_path: Path) -> None:
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("patrol.db*"))
    for secret in world.tokens:
        assert secret.encode() not in raw
        assert secret.removeprefix("kp_").encode() not in raw


ROLES = ("viewer", "inspector", "operator", "admin")


@pytest.mark.parametrize("name", sorted(RPCS))
def test_a_role_may_what_the_table_says_and_no_less_does(world: World, name: str) -> None:
    service, method = name.split("/")
    least = RULES[service][method].role
    with grpc.insecure_channel(world.served.address) as channel:
        for role in ROLES:
            answer = send(channel, name, good(name), getattr(world.tokens, role))
            if Role(role).includes(least):
                assert answer.code != "PERMISSION_DENIED", (role, answer)
            else:
                assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_TOO_LOW"), (role, answer)
                assert least.value in answer.message
        assert send(channel, name, good(name)).code == "UNAUTHENTICATED"


FOREIGN: dict[str, dict[str, Any]] = {
    "CameraService/GetCamera": {"name": "cameras/n1"},
    "CameraService/BatchGetCameras": {"names": ["cameras/c1", "cameras/n1"]},
    "CameraService/UpdateCamera": {"camera": {"name": "cameras/n1", "url": "rtsp://h/1", "region": HERE}},
    "CameraService/DeleteCamera": {"name": "cameras/n1"},
    "PatrolService/GetVerdict": {"name": "cameras/n1/verdicts/latest"},
    "PatrolService/ListVerdicts": {"parent": "cameras/n1"},
    "PatrolService/GetPicture": {"verdict": "cameras/n1/verdicts/latest"},
    "PatrolService/GetThumbnail": {"camera": "cameras/n1"},
    "FindingService/GetFinding": {"name": "findings/2"},
    "FindingService/GetFindingPicture": {"name": "findings/2"},
    "FindingService/ListFindingEvents": {"parent": "findings/2"},
    "FindingService/AcknowledgeFinding": {"name": "findings/2"},
    "FindingService/ClaimFinding": {"name": "findings/2", "why": "x"},
    "FindingService/CloseFinding": {"name": "findings/2", "why": "x"},
    "FindingService/DismissFinding": {"name": "findings/2", "why": "x"},
    "FindingService/SuperviseFinding": {"name": "findings/2", "why": "x"},
    "SchedulerService/GetCameraPlan": {"camera": "cameras/n1"},
    "PatrolService/GetCameraStory": {"camera": "cameras/n1"},
    "SchedulerService/PausePatrol": {"scope": {"camera": "cameras/n1"}, "reason": "x"},
    "SchedulerService/GetSpotCheck": {"name": "spotChecks/1"},
}


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_what_is_the_neighbours_is_not_found_in_the_words_of_what_does_not_exist(world: World, name: str) -> None:
    with world.client("admin") as admin:
        admin.draw_spot_check(SpotCheckOrder(size=1, region_prefix=THERE))
    known = RPCS[name].request(**FOREIGN[name])
    nobody = str(known).replace("n1", "nobody").replace("findings/2", "findings/99")
    unknown = text_format.Parse(nobody.replace("spotChecks/1", "spotChecks/99"), RPCS[name].request())
    with grpc.insecure_channel(world.served.address) as channel:
        foreign = send(channel, name, known, world.tokens.county)
        absent = send(channel, name, unknown, world.tokens.county)
    assert foreign.code == absent.code == "NOT_FOUND", (foreign, absent)
    told = absent.message.replace("nobody", "n1").replace("finding 99", "finding 2").replace("draw 99", "draw 1")
    assert foreign.message == told
    assert (foreign.reason, foreign.fields) == (absent.reason, absent.fields)
    assert world.served.hub.registry.cameras["n1"].region == THERE
    assert len(world.served.hub.ledger.log) == 2


def ids(statuses: Iterable[CameraStatus]) -> set[str]:
    return {status.camera.camera_id for status in statuses}


OWN = {f"c{n}" for n in range(6)}


def test_a_county_lists_itself_and_nothing_else(world: World) -> None:
    with world.client("county") as client:
        for prefix in ("", "13", "1301", HERE):
            assert ids(client.cameras(CameraQuery(region_prefix=prefix, page_size=4))) == OWN
            assert client.page(CameraQuery(region_prefix=prefix, page_size=4)).total == 6
        for prefix in (THERE, "1302", "14"):
            page = client.page(CameraQuery(region_prefix=prefix, page_size=4))
            assert (page.cameras, page.total) == ((), 0)
        assert ids(client.cameras(CameraQuery(site_id="s1", page_size=4))) <= OWN
        assert [finding.finding_id for finding in client.findings.list(FindingQuery(page_size=5))] == [1]
        assert list(client.findings.list(FindingQuery(region_prefix=THERE, page_size=5))) == []
        assert list(client.findings.list(FindingQuery(camera_id="n1", page_size=5))) == []


def test_a_county_counts_itself_and_nothing_else(world: World) -> None:
    with world.client("county") as client:
        for prefix in ("", "13", HERE):
            status = client.status(prefix)
            assert (status.cameras, status.cameras_by_state, status.machine) == (6, {"ok": 6}, None)
        assert client.status(THERE).cameras == 0
        assert client.status(THERE).cameras_by_state == {}
        for by in KpiBy:
            table = client.kpis(KpiQuery(by=by))
            assert {row.region for row in table.rows} == {HERE}
            assert {rate.numerator for rate in table.total.rates.values()} == {6}
        assert client.kpis(KpiQuery(region_prefix=THERE)).rows == ()
        assert [line.row.region for line in client.league(LeagueQuery()).rows] == [HERE]
        assert status_of(client.schedule) == "PERMISSION_DENIED"
    with world.client("viewer") as client:
        assert client.status().cameras == 10
        assert client.status().machine is not None


def test_page_tokens_of_one_region_open_no_other(world: World) -> None:
    with world.client("viewer") as whole, world.client("county") as client:
        token = whole.page(CameraQuery(page_size=4)).next_page_token
        assert token
        assert status_of(lambda: client.page(CameraQuery(page_size=4), token)) == "INVALID_ARGUMENT"


def test_a_county_watches_itself_and_nothing_else(world: World) -> None:
    hub = world.served.hub
    with world.client("county") as client:
        stream = client.watch_batches(with_current=True)
        current = next(stream)
        assert {verdict.camera_id for verdict in current.verdicts} == {"c1"}
        start = next(stream).resume_token
        hub.judge("n3")
        mine = hub.judge("c3")
        assert [verdict.visit_id for batch in [next(stream)] for verdict in batch.verdicts] == [mine.visit_id]
        stream.close()
        # A token of before reads the log: nothing foreign there either; and narrowing to a foreign camera brings none.
        again = next(client.watch_batches(resume_token=start))
        assert [verdict.visit_id for verdict in again.verdicts] == [mine.visit_id]
        foreign = client.watch_batches(camera_ids=["n3"], resume_token=start)
        hub.judge("n3")
        heard: list[object] = []

        def read() -> None:
            with contextlib.suppress(CallError):  # the channel is closed at the end
                heard.extend(next(foreign).verdicts)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(0.5)
        assert heard == []
        changes = client.findings.watch()
        next(changes)
        hub.ledger.open(hub.registry.cameras["n1"])
        own = hub.ledger.open(hub.registry.cameras["c2"])
        assert [finding.finding_id for _, finding in next(changes).changes] == [own.finding_id]


def test_a_county_checks_removes_and_resets_its_own_and_others_are_unknown(world: World) -> None:
    hub = world.served.hub
    with world.client("county") as client:
        told = {checked.camera_id: checked.outcome for checked in client.check_now(["n1", "nobody"], timeout_s=3)}
        assert told == {"n1": "not_found", "nobody": "not_found"}
        assert hub.checked == []
        assert client.reset_baselines(["c1", "n1"]) == (1, ("n1",))
        assert client.remove_cameras(["n1", "nobody", "c5"]) == (1, ("n1", "nobody"))
    assert "n1" in hub.registry.cameras


def test_a_county_imports_into_itself_and_takes_nobodys_camera(world: World) -> None:
    hub = world.served.hub
    rows = [
        Camera(f"{HERE}-1", "rtsp://h/1", region=HERE),
        Camera(f"{HERE}-2", "rtsp://h/1", region=THERE),
        Camera("n1", "rtsp://h/1", region=HERE),
        Camera(f"{HERE}-3", "rtsp://h/1"),
        Camera(f"{HERE}-4", "gopher://h/1", region=HERE),
        Camera("free", "rtsp://h/1", region=HERE),
    ]
    with world.client("county") as client:
        report = client.import_cameras(rows)
        assert (report.added, len(report.problems)) == (0, 4)
        report = client.import_cameras(rows, keep_good=True)
        assert [(problem.index, problem.column) for problem in report.problems] == [
            (1, "region"), (2, "camera_id"), (3, "region"), (4, "url"), (5, "camera_id"),
        ]  # fmt: skip
        taken, free = report.problems[1].message, report.problems[4].message
        assert taken == free, "nobody learns whether an id is taken elsewhere"
        assert report.added == 1
        moved = Camera("c1", "rtsp://h/1", region=THERE)
        assert status_of(lambda: client.update_camera(moved)) == "INVALID_ARGUMENT"
        assert status_of(lambda: client.create_camera(Camera("n1", "rtsp://h/1", region=HERE))) == "INVALID_ARGUMENT"
    assert hub.registry.cameras["n1"].region == THERE


def test_a_county_cannot_hang_its_cameras_on_a_neighbours_recorder(world: World) -> None:
    hub = world.served.hub
    hub.put(Camera("n9", "rtsp://h/9", region=THERE, uplink="nvr-9"), Camera("c9", "rtsp://h/9", region=HERE))
    row = Camera(f"{HERE}-x9", "rtsp://h/1", region=HERE, uplink="nvr-9")
    with world.client("county") as client:
        (problem,) = client.import_cameras([row]).problems
        assert (problem.index, problem.column, problem.value) == (0, "uplink", "nvr-9")
        assert "not this token's to use" in problem.message
        assert THERE not in problem.message
        with pytest.raises(CallError) as refused:
            client.create_camera(row)
        assert [field for field, _ in refused.value.violations] == ["camera.uplink"]
        assert status_of(lambda: client.update_camera(replace(hub.registry.cameras["c9"], uplink="nvr-9"))) == (
            "INVALID_ARGUMENT"
        )
        assert not hub.registry.cameras["c9"].uplink
        assert client.import_cameras([replace(row, uplink="nvr-of-our-own")]).added == 1
    with world.client("admin") as admin:
        assert admin.import_cameras([replace(row, uplink="nvr-9")]).changed == 1
    with world.client("county") as client:
        kept = replace(hub.registry.cameras[row.camera_id], name="renamed")
        assert client.import_cameras([kept]).changed == 1, "what an admin has entered stays"


def test_a_county_pauses_and_draws_within_itself(world: World) -> None:
    with world.client("county") as client, world.client("admin") as admin:
        assert status_of(lambda: client.pause(PauseScope(PauseKind.REGION, HERE), "x")) == "OK"
        assert status_of(lambda: client.pause(PauseScope(PauseKind.CAMERA, "c1"), "x")) == "OK"
        for scope in (
            PauseScope(PauseKind.REGION, THERE),
            PauseScope(PauseKind.REGION, "13"),
            PauseScope(PauseKind.UPLINK, "nvr"),
            PauseScope(PauseKind.HOST, "media"),
        ):
            assert status_of(partial(client.pause, scope, "x")) == "PERMISSION_DENIED"
            assert status_of(partial(client.resume, scope)) == "PERMISSION_DENIED"
        admin.draw_spot_check(SpotCheckOrder(size=1, region_prefix=THERE))
        assert status_of(client.spot_check) == "NOT_FOUND"
        own = client.draw_spot_check(SpotCheckOrder(size=1)).spot_check.header
        assert own.region_prefix == HERE
        admin.draw_spot_check(SpotCheckOrder(size=1))
        assert [draw.draw_id for draw in client.spot_checks()] == [own.draw_id]
        assert client.spot_check().header.draw_id == own.draw_id
        assert status_of(lambda: client.draw_spot_check(SpotCheckOrder(region_prefix=THERE))) == "NOT_FOUND"


def test_what_concerns_everybody_is_denied_to_a_county(world: World) -> None:
    with grpc.insecure_channel(world.served.address) as channel:
        for service, methods in RULES.items():
            for method, rule in methods.items():
                if rule.region_check is RegionCheck.ALL_REGIONS:
                    answer = send(channel, f"{service}/{method}", good(f"{service}/{method}"), world.tokens.county)
                    assert answer.code == "PERMISSION_DENIED"


def test_an_admin_of_a_city_rules_its_tokens_and_reads_its_log_only(world: World) -> None:
    with world.client("city_admin") as city, world.client("admin") as admin, world.client("county") as own:
        assert {token.name for token in city.access.tokens()} == {"county", "city_admin"}
        for region in ("", "1302", "13"):
            order = TokenOrder("x", Role.VIEWER, region)
            assert status_of(partial(city.access.create_token, order)) == "PERMISSION_DENIED"
        for taken_elsewhere in ("admin", "nobody has this name"):
            order = TokenOrder(taken_elsewhere, Role.VIEWER, HERE)
            with pytest.raises(CallError, match="give new names that begin with it") as caught:
                city.access.create_token(order)
            assert (caught.value.status, caught.value.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
        made, _ = city.access.create_token(TokenOrder("1301 school", Role.VIEWER, HERE))
        assert status_of(partial(city.access.create_token, TokenOrder("1301 school", Role.VIEWER))) != "OK"
        foreign = next(token.token_id for token in admin.access.tokens() if token.name == "admin")
        assert status_of(lambda: city.access.revoke_token(foreign)) == "NOT_FOUND"
        city.access.revoke_token(made.token_id)
        own.reset_baselines(["c1"])
        admin.reset_baselines(["n1"])
        names = {entry.actor.name for entry in city.access.audit_entries()}
        assert names == {"city_admin", "county"}
        assert "admin" in {entry.actor.name for entry in admin.access.audit_entries()}


def test_every_change_is_in_the_audit_log_with_its_outcome_and_no_secret(world: World) -> None:
    secret_url = "rtsp://u:topsecret@h/1"
    with world.client("operator") as client, world.client("viewer") as viewer, world.client("admin") as admin:
        client.create_camera(Camera("a1", secret_url, region=HERE))
        status_of(lambda: client.create_camera(Camera("a1", secret_url, region=HERE)))
        client.import_cameras([Camera(f"i{n}", secret_url, region=HERE) for n in range(3)])
        client.remove_cameras(["a1", "i1"])
        client.findings.close(1, "seen on site")
        client.apply_config("password = 'topsecret'")
        status_of(lambda: viewer.reset_baselines(["c1"]))
        viewer.camera("c1")
        _, secret = admin.access.create_token(TokenOrder("next", Role.VIEWER))
        entries = list(admin.access.audit_entries())
        told = [(entry.actor.name, entry.method, entry.resource, entry.outcome) for entry in reversed(entries)]
        assert told == [
            ("operator", "CameraService/CreateCamera", "a1, cameras/a1", "OK"),
            ("operator", "CameraService/CreateCamera", "a1, cameras/a1", "ALREADY_EXISTS"),
            ("operator", "CameraService/ImportCameras", "3 rows, i0 to i2", "OK"),
            ("operator", "CameraService/BatchDeleteCameras", "cameras/a1 cameras/i1", "OK"),
            ("operator", "FindingService/CloseFinding", "findings/1", "OK"),
            ("operator", "SchedulerService/ApplyConfig", "configuration of 22 characters", "OK"),
            ("viewer", "CameraService/ResetBaseline", "(role_too_low)", "PERMISSION_DENIED"),
            ("admin", "AccessService/CreateToken", "next", "OK"),
        ]
        assert "topsecret" not in str(entries)
        assert secret not in str(entries)
        assert all(entry.peer for entry in entries)
        only = list(admin.access.audit_entries(AuditQuery(actor="viewer")))
        assert [(name.method, name.actor.role) for name in only] == [("CameraService/ResetBaseline", Role.VIEWER)]


def test_a_changed_finding_carries_the_name_of_the_token(world: World) -> None:
    with world.client("inspector") as client:
        client.findings.acknowledge(1, "on my way")
        last = list(client.findings.events(1))[-1]
        assert (last.who, last.role, last.why) == ("inspector", "inspector", "on my way")
        assert status_of(lambda: client.findings.claim(1, "x", number=1)) == "ABORTED"
    with world.client("operator") as client:
        client.findings.dismiss(1, "a test")
        assert status_of(lambda: client.findings.close(1, "x")) == "FAILED_PRECONDITION"


def test_health_needs_no_token_and_reflection_does(world: World) -> None:
    with grpc.insecure_channel(world.served.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest())
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = [reflection_pb2.ServerReflectionRequest(list_services="*")]
        with pytest.raises(grpc.RpcError) as caught:
            next(stub.ServerReflectionInfo(iter(ask)))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        metadata = (("authorization", f"Bearer {world.tokens.viewer}"),)
        reply = next(stub.ServerReflectionInfo(iter(ask), metadata=metadata))
        names = {service.name for service in reply.list_services_response.service}
        assert f"{patrol_pb2.DESCRIPTOR.package}.PatrolService" in names
