"""A claim with photographs: over the API and the command line, by region and role, and through a whole engine."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from engine.cli.main import app
from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.errors import ErrorReason
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.camera import Camera
from engine.model.findings import FindingState, Step
from engine.model.verdict import FaultKind
from engine.storage.db.database import connect, parse_url, write_transaction
from engine.storage.db.ledger.findings import LedgerEntry, append
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.ledger.ledgers import LedgerHarness
from tests.support.live_engine import settings
from tests.support.serve.served import FakeHub, RunningServer, serving

HERE, THERE = "130102", "130103"
FILE = b"\xff\xd8 what was put right"
SHA = hashlib.sha256(FILE).hexdigest()


class World:
    """A server whose ledger has finding 1 here and finding 2 there."""

    def __init__(self, served: RunningServer, store: Store, tokens: dict[tuple[Role, str], str]) -> None:
        self.served, self.store, self.tokens = served, store, tokens

    def client(self, role: Role, region: str = "") -> PatrolClient:
        return PatrolClient(self.served.address, token=self.tokens[role, region])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    tokens = {
        (role, region): store.access.create_token(TokenOrder(f"{role}-{region}", role, region), "test", wall_ns())[1]
        for role in (Role.VIEWER, Role.INSPECTOR, Role.OPERATOR)
        for region in ("", HERE, THERE)
    }
    hub = FakeHub(store)
    for number, region in enumerate((HERE, THERE), 1):
        camera = Camera(f"c{number}", "rtsp://h/1", region=region)
        hub.put(camera)
        hub.ledger.open(camera)
    with serving(tmp_path, hub=hub) as served:
        yield World(served, store, tokens)
    store.close()


def refusal(call: Callable[[], object]) -> CallError:
    with pytest.raises(CallError) as caught:
        call()
    return caught.value


def test_a_claim_brings_photographs_and_everybody_of_the_region_may_see_them(world: World) -> None:
    with world.client(Role.INSPECTOR, HERE) as client:
        assert client.findings.claim(1, "布已取下", photographs=[FILE]).state is FindingState.RECTIFIED
    with world.client(Role.VIEWER, HERE) as client:
        assert [event.photographs for event in client.findings.events(1)] == [(), (SHA,)]
        shown = client.findings.photograph(1, SHA)
        assert (shown.jpeg, shown.width, shown.height) == (FILE, 640, 480)
        again = client.findings.photograph(1, SHA, event_number=2, etag=shown.etag)
        assert (again.jpeg, again.not_modified, again.etag) == (b"", True, shown.etag)
    world.served.server.stop(0.5)  # what was shown is summed for a while
    entries = world.store.access.entries(AuditQuery(method="FindingService/GetFindingPhotograph"))
    assert [(entry.actor.name, "findings/1/events/2 photograph" in entry.resource) for entry in entries] == [
        ("viewer-130102", True)
    ], "what is not modified is not shown"


def test_a_photograph_is_shown_only_with_a_finding_that_has_it(world: World) -> None:
    with world.client(Role.INSPECTOR) as client:
        client.findings.claim(1, photographs=[FILE])
        for wrong in (
            lambda: client.findings.photograph(2, SHA),
            lambda: client.findings.photograph(1, "0" * 64),
            lambda: client.findings.photograph(1, SHA, event_number=1),
        ):
            assert refusal(wrong).status == "NOT_FOUND"
        assert refusal(lambda: client.findings.photograph(1, "../x")).violations[0][0] == "sha256"
    with world.client(Role.VIEWER, THERE) as client:
        foreign, absent = (refusal(lambda n=n: client.findings.photograph(n, SHA)) for n in (1, 9))  # type: ignore[misc]
        assert (foreign.status, str(foreign).replace("1", "?")) == ("NOT_FOUND", str(absent).replace("9", "?"))
    del world.served.hub.photographs.files[SHA]
    with world.client(Role.VIEWER) as client:
        assert "no longer kept" in str(refusal(lambda: client.findings.photograph(1, SHA)))


@pytest.mark.parametrize(
    ("files", "field"),
    [([FILE] * 4, "photographs"), ([FILE, b"x" * 5_000_001], "photographs[1]"), ([FILE, b"bad"], "photographs[1]")],
)
def test_too_many_too_large_and_no_pictures_are_refused_by_their_place(
    world: World, files: list[bytes], field: str
) -> None:
    with world.client(Role.INSPECTOR) as client:
        error = refusal(lambda: client.findings.claim(1, photographs=files))
        assert (error.status, [name for name, _ in error.violations]) == ("INVALID_ARGUMENT", [field])
        assert client.findings.get(1).state is FindingState.OPEN
        assert client.findings.claim(1, photographs=[b"x" * 5_000_000] * 3).claims == 0, "three of the largest fit"


def test_nothing_is_decoded_for_who_may_not_claim_or_too_late(world: World) -> None:
    with world.client(Role.VIEWER) as client:
        error = refusal(lambda: client.findings.claim(1, photographs=[FILE]))
        assert (error.status, error.reason) == ("PERMISSION_DENIED", ErrorReason.ROLE_TOO_LOW)
    with world.client(Role.OPERATOR) as client:
        client.findings.close(1, "seen")
        assert refusal(lambda: client.findings.claim(1, photographs=[FILE])).status == "FAILED_PRECONDITION"
    assert world.served.hub.photographs.files == {}


def patrol(world: World, *words: str) -> Any:
    token = world.tokens[Role.INSPECTOR, ""]
    return CliRunner().invoke(app, ["findings", *words, "--server", world.served.address, "--token", token])


def test_the_command_line_sends_files_and_shows_their_digests(world: World, tmp_path: Path) -> None:
    file = tmp_path / "right.jpg"
    file.write_bytes(FILE)
    ended = patrol(world, "claim", "1", "--photograph", str(file), "--why", "布已取下")
    assert (ended.exit_code, ended.output) == (0, "findings/1: rectified (event 2)\n")
    told = json.loads(patrol(world, "show", "1", "--json").output)
    assert told["events"][1]["photographs"] == [SHA]
    assert f"photograph {SHA[:12]}" in " ".join(patrol(world, "show", "1").output.split())


def test_the_command_line_refuses_files_that_cannot_be_sent(world: World, tmp_path: Path) -> None:
    file, large = tmp_path / "right.jpg", tmp_path / "large.jpg"
    file.write_bytes(FILE)
    large.write_bytes(bytes(5_000_001))
    assert "allowed: 3;" in str(patrol(world, "claim", "1", *["--photograph", str(file)] * 4).exception)
    assert "allowed: 5,000,000;" in str(patrol(world, "claim", "1", "--photograph", str(large)).exception)
    assert patrol(world, "claim", "1", "--photograph", str(tmp_path / "none.jpg")).exit_code == 2
    assert world.served.hub.ledger.all[1].state is FindingState.OPEN


def photo(width: int = 2400, height: int = 1200) -> bytes:
    """A photograph as a phone takes it, with the place in its metadata."""
    data, out = Image.Exif(), io.BytesIO()
    data[0x010F] = "SecretPhone"
    Image.effect_noise((width, height), 20).convert("RGB").save(out, "JPEG", exif=data)
    return out.getvalue()


def test_a_whole_engine_keeps_a_photograph_before_it_answers(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    Store.open(chosen.record.url).close()
    harness = LedgerHarness()
    harness.observe(FaultKind.COVERED)
    database = connect(parse_url(chosen.record.url))
    with write_transaction(database) as connection:
        append(connection, [LedgerEntry(harness.log[0], harness.finding())])
    database.dispose()
    with Supervisor(chosen) as engine, PatrolClient(engine.addresses["grpc"], timeout_s=30) as client:
        sent = photo()
        damaged = refusal(lambda: client.findings.claim(1, photographs=[sent, sent[:2000]]))
        assert (damaged.status, damaged.violations[0][0]) == ("INVALID_ARGUMENT", "photographs[1]")
        assert client.findings.get(1).claims == 0
        claimed = client.findings.claim(1, "布已取下", request_id="r1", photographs=[sent, sent])
        (claim,) = (event for event in client.findings.events(1) if event.step is Step.CLAIMED)
        (digest,) = claim.photographs
        kept = client.findings.photograph(1, digest)
        assert (kept.width, kept.height) == Image.open(io.BytesIO(kept.jpeg)).size == (1600, 800)
        assert hashlib.sha256(kept.jpeg).hexdigest() == digest
        assert b"SecretPhone" not in kept.jpeg
        file = tmp_path / "ev" / "photographs" / digest[:2] / f"{digest}.jpg"
        assert file.read_bytes() == kept.jpeg
        again = client.findings.claim(1, "布已取下", request_id="r1", photographs=[b"never decoded"])
        assert again.claims == claimed.claims == 1
        refused = refusal(lambda: client.findings.claim(1, photographs=[b"never decoded"]))
        assert (refused.status, refused.reason) == ("FAILED_PRECONDITION", ErrorReason.FINDING_ALREADY_CLAIMED)
        assert sum(event.step is Step.CLAIMED for event in client.findings.events(1)) == 1
