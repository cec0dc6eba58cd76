"""Undoing a dismissal: through the service with a real database, over restarts, over the API and the command line."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.main import app
from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.errors import ErrorReason, NotFoundError, StateError
from engine.ledger.projection import replay
from engine.model.access import Actor, AuditQuery, Role, TokenOrder
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingCommand, FindingState, LoggedEvent, Step
from engine.model.verdict import FaultKind
from engine.storage.db.store import Store
from tests.support.ledger.findings_services import FindingsHarness, findings_harness
from tests.support.serve.served import FakeHub, serving
from tests.support.waiting import wait_until

COVERED = FaultKind.COVERED
OPERATOR = Actor("li", Role.OPERATOR)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[FindingsHarness]:
    with findings_harness(tmp_path) as made:
        yield made


def act(harness: FindingsHarness, step: Step, finding_id: int = 1, actor: Actor = OPERATOR, **more: str) -> Finding:
    command = FindingCommand(finding_id, step, more.pop("why", "seen"), **more)  # type: ignore[arg-type]
    return asyncio.run(harness.service.act(command, actor))


def refused(harness: FindingsHarness, finding_id: int = 1) -> ErrorReason:
    with pytest.raises(StateError) as caught:
        act(harness, Step.REOPENED, finding_id)
    return caught.value.error_reason


def test_what_is_stored_stands_again_as_it_stood_and_is_told(harness: FindingsHarness) -> None:
    told: list[LoggedEvent] = []
    harness.listeners.append(told.extend)
    harness.judge("c1", COVERED)
    before = act(harness, Step.ACKNOWLEDGED)
    act(harness, Step.DISMISSED)
    reopened = act(harness, Step.REOPENED, why="it is a fault after all", request_id="r1")
    assert (reopened.state, reopened.deadline_wall_ns) == (FindingState.ACKNOWLEDGED, before.deadline_wall_ns)
    assert harness.store.findings.get(1) == reopened
    assert list(harness.store.findings.open_findings()) == [reopened]
    assert replay(harness.store.findings.events_of(1))[1] == reopened
    assert act(harness, Step.REOPENED, request_id="r1") == reopened, "a retry changes nothing"
    wait_until(lambda: [logged.event.step for logged in told][-2:] == [Step.DISMISSED, Step.REOPENED])
    harness.judge("c1", COVERED)
    harness.writer.flush(5)
    assert harness.store.findings.next_id() == 2, "no second finding beside it"


def test_it_can_be_reopened_after_a_restart_and_its_fault_is_not_muted(tmp_path: Path) -> None:
    with findings_harness(tmp_path) as before:
        before.judge("c1", COVERED)
        before.writer.flush(5)
        act(before, Step.DISMISSED)
    with findings_harness(tmp_path) as after:
        assert act(after, Step.REOPENED).state is FindingState.OPEN
    with findings_harness(tmp_path) as again:
        assert act(again, Step.CLOSED).number == 4
        again.judge("c1")
        again.judge("c1", COVERED)
        again.writer.flush(5)
        assert again.store.findings.next_id() == 3


def test_what_cannot_be_reopened_says_why(harness: FindingsHarness) -> None:
    for camera_id in ("c1", "c2", "c3"):
        harness.judge(camera_id, COVERED)
    harness.writer.flush(5)
    assert refused(harness) is ErrorReason.FINDING_NOT_DISMISSED
    act(harness, Step.CLOSED)
    assert refused(harness) is ErrorReason.FINDING_NOT_DISMISSED
    act(harness, Step.DISMISSED, 2)
    harness.judge("c2")
    harness.judge("c2", COVERED)
    assert refused(harness, 2) is ErrorReason.FINDING_SUPERSEDED
    with pytest.raises(NotFoundError):
        act(harness, Step.REOPENED, 99)
    act(harness, Step.DISMISSED, 3)
    with pytest.raises(NotFoundError):
        act(harness, Step.REOPENED, 3, Actor("zhao", Role.OPERATOR, "130203"))


def test_long_after_a_restart_it_is_too_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with findings_harness(tmp_path) as before:
        before.judge("c1", COVERED)
        before.writer.flush(5)
        act(before, Step.DISMISSED)
    later = wall_ns() + 169 * 3600 * 10**9
    monkeypatch.setattr("engine.hub.services.findings.wall_ns", lambda: later)
    with findings_harness(tmp_path) as after:
        assert refused(after) is ErrorReason.FINDING_REOPEN_TOO_LATE


def test_over_the_api_it_takes_an_operator_of_the_region_and_a_reason(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    tokens = {
        (role, region): store.access.create_token(TokenOrder(f"{role}{region}", role, region), "t", wall_ns())[1]
        for role, region in ((Role.INSPECTOR, ""), (Role.OPERATOR, "130102"), (Role.OPERATOR, "130103"))
    }
    hub = FakeHub(store)
    hub.put(camera := Camera("c1", "rtsp://h/1", region="130102"))
    hub.ledger.open(camera)
    with serving(tmp_path, hub=hub) as served:

        def client(role: Role, region: str = "") -> PatrolClient:
            return PatrolClient(served.address, token=tokens[role, region])

        with client(Role.OPERATOR, "130102") as own:
            own.findings.dismiss(1, "no fault")
            for who, why, status in (
                (client(Role.INSPECTOR), "x", "PERMISSION_DENIED"),
                (client(Role.OPERATOR, "130103"), "x", "NOT_FOUND"),
                (client(Role.OPERATOR, "130102"), "", "INVALID_ARGUMENT"),
            ):
                with who as caller, pytest.raises(CallError) as caught:
                    caller.findings.reopen(1, why)
                assert caught.value.status == status
            assert own.findings.reopen(1, "a fault after all").state is FindingState.OPEN
            own.findings.dismiss(1, "no fault")
            words = ["findings", "reopen", "1", "--why", "a fault", "--server", served.address]
            ended = CliRunner().invoke(app, [*words, "--token", tokens[Role.OPERATOR, "130102"]])
            assert (ended.exit_code, ended.output) == (0, "findings/1: open (event 5)\n")
            assert [event.step for event in own.findings.events(1)][-2:] == [Step.DISMISSED, Step.REOPENED]
    entries = store.access.entries(AuditQuery(method="FindingService/ReopenFinding"))
    assert [entry.outcome for entry in entries].count("OK") == 2
    store.close()
