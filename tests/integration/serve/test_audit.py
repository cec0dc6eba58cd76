"""Who did it: refused calls and shown pictures in the audit log, and names that nobody may take."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.model.access import ANONYMOUS, AuditEntry, AuditQuery, Role, TokenOrder
from engine.model.picture import FindingPicture
from engine.serve.access.rules import CHANGES
from engine.storage.db import access as access_module
from engine.storage.db.store import Store
from engine.storage.db.tables import tokens
from tests.support.command_line import patrol
from tests.support.serve.calls import RPCS, good, send
from tests.support.serve.served import FakeHub, RunningServer, county_cameras, serving

HERE, THERE = "130102", "130203"
SECOND_NS = 1_000_000_000


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    """Two counties; camera c1 of HERE and n1 of THERE have a finding each."""
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    hub = FakeHub(store)
    hub.put(*county_cameras(3, HERE, "c"), *county_cameras(3, THERE, "n"))
    for name in ("c1", "n1"):
        hub.ledger.open(hub.registry.cameras[name])
    secret(store, "root", Role.ADMIN)
    with serving(tmp_path, hub=hub) as served:
        hub.judge("c1")
        yield served
    store.close()


def secret(store: Store, name: str, role: Role, region: str = "", expires_ns: int = 0) -> str:
    return store.access.create_token(TokenOrder(name, role, region, expires_ns), "test", wall_ns() - SECOND_NS)[1]


def call(served: RunningServer, method: str, token: str, /, **fields: Any) -> str:
    """Return the status of a call with a good request, or one of these fields."""
    request = RPCS[method].request(**fields) if fields else good(method)
    with grpc.insecure_channel(served.address) as channel:
        return send(channel, method, request, token).code


def logged(served: RunningServer) -> list[AuditEntry]:
    """Return all entries, oldest first, once the server has written its sums."""
    served.server.stop(0.5)
    return list(served.hub.store.access.entries(AuditQuery(page_size=10_000)))[::-1]


def refusals(served: RunningServer) -> dict[str, int]:
    """Return the metric of refused calls, by reason."""
    lines = served.metrics.render().decode().splitlines()
    found = (line for line in lines if line.startswith("patrol_calls_refused_total{"))
    return {line.split('"')[1]: int(float(line.rpartition(" ")[2])) for line in found if not line.endswith(" 0.0")}


def test_each_refused_call_is_in_the_log_and_in_a_metric_by_its_reason(served: RunningServer, tmp_path: Path) -> None:
    store = served.hub.store
    ended = secret(store, "ended", Role.VIEWER, expires_ns=wall_ns() - 1)
    viewer, county = secret(store, "viewer", Role.VIEWER), secret(store, "county", Role.ADMIN, HERE)
    served.server.stop(0.5)
    with serving(tmp_path, hub=served.hub) as again:  # it knows the new tokens
        assert call(again, "CameraService/ListCameras", "") == "UNAUTHENTICATED"
        assert call(again, "CameraService/ListCameras", "kp_wrong") == "UNAUTHENTICATED"
        assert call(again, "CameraService/DeleteCamera", ended) == "UNAUTHENTICATED"
        assert call(again, "PatrolService/WatchVerdicts", "") == "UNAUTHENTICATED"
        assert call(again, "CameraService/ImportCameras", "") == "UNAUTHENTICATED"
        assert call(again, "CameraService/DeleteCamera", viewer) == "PERMISSION_DENIED"
        assert call(again, "SchedulerService/GetSchedulerStatus", county) == "PERMISSION_DENIED"
        assert call(again, "CameraService/GetCamera", county, name="cameras/n1") == "NOT_FOUND"
        assert call(again, "CameraService/DeleteCamera", county, name="cameras/n1") == "NOT_FOUND"
        assert call(again, "CameraService/ListCameras", county, filter={"region_prefix": THERE}) == "OK"
        assert call(again, "CameraService/GetCamera", county, name="cameras/c1") == "OK"
        entries = logged(again)
        told = [(entry.actor.name, entry.method.partition("/")[2], entry.resource, entry.outcome) for entry in entries]
        assert told == [
            ("anonymous", "ListCameras", "(token_missing)", "UNAUTHENTICATED"),
            ("anonymous", "ListCameras", "(token_invalid)", "UNAUTHENTICATED"),
            ("ended", "DeleteCamera", "(token_ended)", "UNAUTHENTICATED"),
            ("anonymous", "WatchVerdicts", "(token_missing)", "UNAUTHENTICATED"),
            ("anonymous", "ImportCameras", "(token_missing)", "UNAUTHENTICATED"),
            ("viewer", "DeleteCamera", "(role_too_low)", "PERMISSION_DENIED"),
            ("county", "GetSchedulerStatus", "(region_not_allowed)", "PERMISSION_DENIED"),
            ("county", "GetCamera", "cameras/n1 (not_in_region)", "NOT_FOUND"),
            ("county", "DeleteCamera", "cameras/n1 (not_in_region)", "NOT_FOUND"),
            ("county", "ListCameras", f"{THERE} (not_in_region)", "OK"),
        ]
        assert all(entry.peer.startswith("ipv") for entry in entries)
        assert refusals(again) == {
            "token_missing": 3, "token_invalid": 1, "token_ended": 1, "role_too_low": 1, "region_not_allowed": 1,
            "not_in_region": 3,
        }  # fmt: skip
        assert "kp_" not in str(entries)


def test_the_log_does_not_tell_a_county_what_exists_elsewhere(served: RunningServer, tmp_path: Path) -> None:
    county = secret(served.hub.store, "county", Role.ADMIN, HERE)
    served.server.stop(0.5)
    with serving(tmp_path, hub=served.hub) as again:
        for camera in ("n1", "nobody"):
            call(again, "CameraService/GetCamera", county, name=f"cameras/{camera}")
            call(again, "CameraService/BatchGetCameras", county, names=["cameras/c1", f"cameras/{camera}"])
            call(again, "PatrolService/CheckNow", county, cameras=[f"cameras/{camera}"])
            call(again, "CameraService/DeleteCamera", county, name=f"cameras/{camera}")
            call(again, "CameraService/BatchDeleteCameras", county, names=[f"cameras/{camera}"])
            call(again, "CameraService/ResetBaseline", county, names=[f"cameras/{camera}"])
            call(again, "PatrolService/BatchGetThumbnails", county, requests=[{"camera": f"cameras/{camera}"}])
        for number in (2, 99):
            call(again, "FindingService/GetFinding", county, name=f"findings/{number}")
            call(again, "FindingService/CloseFinding", county, name=f"findings/{number}", why="x")
        entries = logged(again)
    told = [
        (entry.method, entry.resource.replace("nobody", "n1").replace("findings/99", "findings/2"), entry.outcome)
        for entry in entries
    ]
    firsts = [line for line in told if "more within" not in line[1]]
    assert len(firsts) >= 5
    sums = [line for line in told if "more within" in line[1]]
    # `call` leaves a stream after its first reply: one CheckNow may end as OK, the other as CANCELLED.
    streams = {"PatrolService/CheckNow"}
    assert {line[0] for line in sums} | streams == {line[0] for line in firsts}
    assert all("1 more within a minute (not_in_region)" in line[1] for line in sums)


def test_a_flood_of_refused_calls_takes_two_lines(served: RunningServer, tmp_path: Path) -> None:
    served.server.stop(0.5)
    with (
        serving(tmp_path, hub=served.hub, failed_calls_per_s_max=0) as again,
        grpc.insecure_channel(again.address) as channel,
    ):
        codes = {send(channel, "CameraService/ListCameras", good("CameraService/ListCameras")).code for _ in range(300)}
    assert codes == {"UNAUTHENTICATED"}
    assert [entry.resource for entry in logged(served)] == [
        "(token_missing)",
        "299 more within a minute (token_missing)",
    ]
    assert refusals(again) == {"token_missing": 300}


def test_a_flood_of_refused_changes_takes_two_lines_a_token_and_method(served: RunningServer, tmp_path: Path) -> None:
    """Each had a line, kept as long as changes are: a token of a county could fill the log."""
    county = secret(served.hub.store, "county", Role.ADMIN, HERE)
    other = secret(served.hub.store, "other", Role.ADMIN, HERE)
    delete, pause = "CameraService/DeleteCamera", "SchedulerService/PausePatrol"
    served.server.stop(0.5)
    with serving(tmp_path, hub=served.hub) as again:
        with grpc.insecure_channel(again.address) as channel:
            foreign = RPCS[delete].request(name="cameras/n1")
            assert {send(channel, delete, foreign, county).code for _ in range(50)} == {"NOT_FOUND"}
            assert {send(channel, delete, foreign, other).code for _ in range(3)} == {"NOT_FOUND"}
            everywhere = RPCS[pause].request(scope={"host": "10.0.0.1"}, reason="x")
            assert {send(channel, pause, everywhere, county).code for _ in range(4)} == {"PERMISSION_DENIED"}
        assert call(again, delete, county, name="cameras/c2") == "OK"
        entries = logged(again)
        told = [(entry.actor.name, entry.method, entry.resource, entry.outcome) for entry in entries]
        assert told[:4] == [
            ("county", delete, "cameras/n1 (not_in_region)", "NOT_FOUND"),
            ("other", delete, "cameras/n1 (not_in_region)", "NOT_FOUND"),
            ("county", pause, "10.0.0.1 (region_not_allowed)", "PERMISSION_DENIED"),
            ("county", delete, "cameras/c2", "OK"),
        ]
        assert sorted(told[4:]) == [
            ("county", delete, "49 more within a minute (not_in_region)", "NOT_FOUND"),
            ("county", pause, "3 more within a minute (region_not_allowed)", "PERMISSION_DENIED"),
            ("other", delete, "2 more within a minute (not_in_region)", "NOT_FOUND"),
        ]
        assert refusals(again) == {"not_in_region": 53, "region_not_allowed": 4}


def test_a_change_that_is_refused_in_part_keeps_its_line(served: RunningServer, tmp_path: Path) -> None:
    county = secret(served.hub.store, "county", Role.ADMIN, HERE)
    served.server.stop(0.5)
    with serving(tmp_path, hub=served.hub) as again:
        for camera in ("c1", "c2"):
            names = [f"cameras/{camera}", "cameras/n1"]
            assert call(again, "CameraService/BatchDeleteCameras", county, names=names) == "OK"
        told = [(entry.resource, entry.outcome) for entry in logged(again)]
    assert told == [("cameras/c1 cameras/n1", "OK"), ("cameras/c2 cameras/n1", "OK")]


def test_pictures_that_were_shown_are_in_the_log_with_who_and_which(served: RunningServer, tmp_path: Path) -> None:
    viewer = secret(served.hub.store, "viewer", Role.VIEWER)
    served.server.stop(0.5)
    with serving(tmp_path, hub=served.hub) as again:
        with PatrolClient(again.address, token=viewer, timeout_s=10) as client:
            picture = client.picture("c1")
            client.picture("c1")
            client.findings.picture(1, FindingPicture.EVIDENCE)
            with pytest.raises(CallError):
                client.picture("c2")
        assert call(again, "PatrolService/GetThumbnail", viewer, camera="cameras/c1", if_none_match="*") == "OK"
        request = {"requests": [{"camera": "cameras/c1"}, {"camera": "cameras/c2"}]}
        assert call(again, "PatrolService/BatchGetThumbnails", viewer, **request) == "OK"
        told = {entry.method: (entry.actor.name, entry.resource, entry.outcome) for entry in logged(again)}
    assert told == {
        "PatrolService/GetPicture": ("viewer", f"cameras/c1/verdicts/{picture.visit_id}", "OK"),
        "PatrolService/BatchGetThumbnails": ("viewer", f"cameras/c1/verdicts/{picture.visit_id}", "OK"),
        "FindingService/GetFindingPicture": ("viewer", "findings/1 evidence", "OK"),
    }


@pytest.mark.parametrize("name", ["engine", "Engine", "local", "system", "anonymous", "ENGINE (token)", "ｌｏｃａｌ"])
def test_no_token_takes_the_name_of_the_engine(served: RunningServer, tmp_path: Path, name: str) -> None:
    store = served.hub.store
    root = secret(store, "other", Role.ADMIN)
    served.server.stop(0.5)
    with serving(tmp_path, hub=served.hub) as again, PatrolClient(again.address, token=root) as client:
        with pytest.raises(CallError, match="the engine itself acts under this name") as caught:
            client.access.create_token(TokenOrder(name, Role.VIEWER))
        assert caught.value.status == "INVALID_ARGUMENT"
    assert {token.name for token in store.access.tokens()} == {"root", "other"}


def test_a_token_from_before_is_told_from_the_engine_by_its_mark(served: RunningServer, tmp_path: Path) -> None:
    store = served.hub.store
    old = secret(store, "old", Role.OPERATOR)
    with store.access._engine.begin() as connection:
        connection.execute(tokens.update().where(tokens.c.name == "old").values(name="engine"))
    served.server.stop(0.5)
    with serving(tmp_path, hub=served.hub) as again:
        with PatrolClient(again.address, token=old) as client:
            client.findings.dismiss(1, "a test")
        assert next(iter(logged(again))).actor.name == "engine (token)"
    assert [entry.event.who for entry in served.hub.ledger.log if entry.event.number == 2] == ["engine (token)"]


def test_changes_and_other_entries_have_an_age_and_a_bound_of_their_own(
    served: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.server.stop(0.5)  # it prunes as well
    access, now = served.hub.store.access, wall_ns()
    for n in range(1, 21):
        access.note(AuditEntry(now + n, ANONYMOUS, CHANGES[0], "", "OK" if n % 2 else "UNAUTHENTICATED"))
        access.note(AuditEntry(now + n, ANONYMOUS, "PatrolService/GetPicture", "", "OK"))

    def kept() -> tuple[list[int], int]:
        entries = access.entries(AuditQuery(page_size=100))
        changes = access.entries(AuditQuery(page_size=100, change_methods=CHANGES))
        return sorted(entry.at_wall_ns - now for entry in changes), len(entries) - len(changes)

    assert kept() == ([1, 3, 5, 7, 9, 11, 13, 15, 17, 19], 30)
    while access.prune(CHANGES, now + 4, now + 11):
        pass
    assert kept() == ([5, 7, 9, 11, 13, 15, 17, 19], 15)
    monkeypatch.setattr(access_module, "AUDIT_ROWS_MAX", 3)
    while access.prune(CHANGES, 0, 0):
        pass
    assert kept() == ([15, 17, 19], 3), "neither pushes the other out"


def test_the_command_shows_refused_calls_and_only_changes_if_asked(served: RunningServer, tmp_path: Path) -> None:
    call(served, "CameraService/ListCameras", "")
    served.server.stop(0.5)
    config = tmp_path / "p.toml"
    config.write_text(f"[record]\nurl = 'sqlite:///{tmp_path}/patrol.db'\n")
    shown = patrol("audit", "--config", str(config)).stdout
    assert "(token_missing)" in shown
    assert "anonymous" in shown
    assert "(token_missing)" not in patrol("audit", "--changes", "--config", str(config)).stdout
    refused = patrol("token", "create", "--name", "local", "--role", "viewer", "--config", str(config))
    assert refused.returncode == 2
    assert "the engine itself acts under this name" in refused.stderr
