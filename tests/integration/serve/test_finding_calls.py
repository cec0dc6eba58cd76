"""Findings over the API: filters and order, counts, batches with a result a row, and their lines in the audit log."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.main import app
from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.errors import ErrorReason, Resource
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.camera import Camera, KeyPoint
from engine.model.digest import DigestQuery
from engine.model.findings import Finding, FindingOrder, FindingQuery, FindingState, GroupBy
from engine.model.verdict import Severity
from engine.storage.db.store import Store
from patrol.v1 import findings_pb2
from tests.support.serve.served import FakeHub, RunningServer, serving

HERE, THERE = "130102", "130103"


class World:
    """A server whose ledger has findings 1 to 12: the odd ones here, the even ones there."""

    def __init__(self, served: RunningServer, store: Store) -> None:
        self.served, self.store = served, store

    def client(self, role: Role, region: str = "") -> PatrolClient:
        """A client with a token of its own."""
        order = TokenOrder(f"{role}-{region or 'all'}", role, region)
        _, secret = self.store.access.create_token(order, "test", wall_ns())
        with PatrolClient(self.served.address, token=self.admin) as admin:
            # A call of the admin's makes the server read the tokens anew.
            admin.access.revoke_token(admin.access.create_token(TokenOrder("x", Role.VIEWER))[0].token_id)
        return PatrolClient(self.served.address, token=secret)

    admin = ""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    _, secret = store.access.create_token(TokenOrder("admin", Role.ADMIN), "test", wall_ns())
    hub = FakeHub(store)
    for number in range(1, 13):
        region = HERE if number % 2 else THERE
        camera = Camera(
            f"c{number}", "rtsp://h/1", f"烹饪间{number:02}", f"s{number}", "第一中学食堂", region, KeyPoint.COOKING
        )
        hub.put(camera)
        hub.ledger.open(camera)
    with serving(tmp_path, hub=hub) as served:
        made = World(served, store)
        made.admin = secret
        yield made
    store.close()


def test_a_finding_carries_its_cameras_name_and_key_point_also_when_the_camera_is_gone(world: World) -> None:
    with world.client(Role.OPERATOR) as client:
        client.remove_cameras(["c3"])
        finding = client.findings.get(3)
    assert (finding.subject.camera_name, finding.subject.key_point) == ("烹饪间03", KeyPoint.COOKING)


def test_a_list_is_filtered_by_name_and_severity(world: World) -> None:
    with world.client(Role.VIEWER) as client:
        found = client.findings.list(FindingQuery(text="烹饪间0", severity_min=Severity.BLIND, page_size=3))
        assert [finding.finding_id for finding in found] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
        assert list(client.findings.list(FindingQuery(overdue=True))) == []
        assert len(list(client.findings.list(FindingQuery(overdue=False, page_size=100)))) == 12
        assert len(list(client.findings.list(FindingQuery(cause_keys=frozenset({"covered"}), page_size=100)))) == 12


def test_a_page_token_is_bound_to_filter_and_order(world: World) -> None:
    with PatrolClient(world.served.address, token=world.admin) as client:
        call = client._channel.call
        stub = client.findings._stub
        first = findings_pb2.ListFindingsRequest(page_size=2, order_by="severity desc")
        token = call(stub.ListFindings, first).next_page_token
        for other in (
            findings_pb2.ListFindingsRequest(page_size=2, page_token=token),
            findings_pb2.ListFindingsRequest(page_size=2, page_token=token, order_by="severity"),
            findings_pb2.ListFindingsRequest(page_size=2, page_token=token, order_by="level desc"),
            findings_pb2.ListFindingsRequest(
                page_size=2,
                page_token=token,
                order_by="severity desc",
                filter=findings_pb2.FindingFilter(overdue=False),
            ),
        ):
            with pytest.raises(CallError) as caught:
                call(stub.ListFindings, other)
            assert (caught.value.status, caught.value.reason) == ("INVALID_ARGUMENT", ErrorReason.PAGE_TOKEN_INVALID)
        again = findings_pb2.ListFindingsRequest(page_size=3, page_token=token, order_by="severity desc")
        assert len(call(stub.ListFindings, again).findings) == 3


@pytest.mark.parametrize("order", [FindingOrder.OPEN_TIME, FindingOrder.LEVEL])
def test_an_order_is_sent(world: World, order: FindingOrder) -> None:
    with world.client(Role.VIEWER) as client:
        assert len(list(client.findings.list(FindingQuery(order=order, descending=False, page_size=5)))) == 12


def test_counts_come_in_the_tables_that_were_asked_for_and_of_the_callers_region(world: World) -> None:
    with world.client(Role.VIEWER, HERE) as client:
        summary = client.findings.summarize(tables=[(GroupBy.COUNTY,), (GroupBy.STATE, GroupBy.SEVERITY)])
        assert summary.total.count == 6
        assert [table.by for table in summary.tables] == [(GroupBy.COUNTY,), (GroupBy.STATE, GroupBy.SEVERITY)]
        assert [(group.region, group.count) for group in summary.tables[0].groups] == [(HERE, 6)]
        foreign = client.findings.summarize(FindingQuery(region_prefix=THERE), [(GroupBy.COUNTY,)])
        assert (foreign.total.count, foreign.tables[0].groups) == (0, ())


@pytest.mark.parametrize("table", [(GroupBy.STATE, GroupBy.STATE), (GroupBy.COUNTY, GroupBy.CITY)])
def test_a_table_that_makes_no_sense_is_refused(world: World, table: tuple[GroupBy, ...]) -> None:
    with world.client(Role.VIEWER) as client, pytest.raises(CallError) as caught:
        client.findings.summarize(tables=[(GroupBy.STATE,), table])
    assert [field for field, _ in caught.value.violations] == ["group_by[1]"]


def test_a_batch_has_a_result_a_row_and_one_line_in_the_audit_log(world: World) -> None:
    with world.client(Role.INSPECTOR, HERE) as client:
        client.findings.claim(5, "earlier")
        results = client.findings.acknowledge_all({1: 0, 2: 0, 3: 7, 5: 2, 99: 0}, "seen")
    first, foreign, stale, moved_on, absent = results
    assert isinstance(first, Finding)
    assert first.state is FindingState.ACKNOWLEDGED
    assert isinstance(moved_on, Finding)
    errors = [(error.status, error.reason) for error in (foreign, stale, absent) if isinstance(error, CallError)]
    assert errors == [
        ("NOT_FOUND", ErrorReason.FINDING_NOT_FOUND),
        ("ABORTED", ErrorReason.CHANGED_MEANWHILE),
        ("NOT_FOUND", ErrorReason.FINDING_NOT_FOUND),
    ]
    assert isinstance(absent, CallError)
    assert absent.resource == Resource("Finding", "findings/99")
    with PatrolClient(world.served.address, token=world.admin) as admin:
        (entry,) = admin.access.audit_entries(AuditQuery(method="FindingService/BatchAcknowledgeFindings"))
    assert entry.resource == "5 findings, findings/1 to findings/99: 2 done"
    assert entry.outcome == "OK"


def test_a_foreign_finding_and_one_that_does_not_exist_are_refused_in_the_same_words(world: World) -> None:
    with world.client(Role.INSPECTOR, HERE) as client:
        foreign, absent = client.findings.claim_all({2: 0, 98: 0})
    assert isinstance(foreign, CallError)
    assert isinstance(absent, CallError)
    assert str(foreign).replace("2", "?") == str(absent).replace("98", "?")


def test_what_is_wrong_with_a_whole_batch_is_refused_at_once(world: World) -> None:
    def fields(call: Callable[[], object]) -> list[str]:
        with pytest.raises(CallError) as caught:
            call()
        assert caught.value.status == "INVALID_ARGUMENT"
        return [field for field, _ in caught.value.violations]

    with world.client(Role.INSPECTOR) as client:
        assert fields(lambda: client.findings.claim_all({})) == ["targets"]
        assert fields(lambda: client.findings.claim_all(dict.fromkeys(range(1, 1002), 0))) == ["targets"]
        assert fields(lambda: client.findings.dismiss_all({1: 0}, "")) == ["why"]
        request = findings_pb2.BatchClaimFindingsRequest(
            targets=[findings_pb2.FindingTarget(name=name) for name in ("findings/1", "findings/3", "findings/1")]
        )
        assert fields(lambda: client._channel.call(client.findings._stub.BatchClaimFindings, request)) == [
            "targets[2].name"
        ]


def test_a_viewer_may_count_and_not_act(world: World) -> None:
    with world.client(Role.VIEWER) as client:
        assert client.findings.summarize().total.count == 12
        with pytest.raises(CallError) as caught:
            client.findings.dismiss_all({1: 0}, "no")
        assert (caught.value.status, caught.value.reason) == ("PERMISSION_DENIED", ErrorReason.ROLE_TOO_LOW)
        assert caught.value.metadata["role_needed"] == "inspector"


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--find", "烹饪间0", "--severity", "blind"], [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (["--cause", "covered", "--cause", "blurred/grease", "--rows", "2"], [12, 11]),
        (["--cause", "offline"], []),
        (["--overdue"], []),
        (["--supervised"], []),
        (["--region", HERE, "--order", "number"], [11, 9, 7, 5, 3, 1]),
    ],
)
def test_the_command_line_filters_as_the_api_does(world: World, options: list[str], numbers: list[int]) -> None:
    words = ["findings", "list", "--json", "--server", world.served.address, "--token", world.admin, *options]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    found = re.findall(r'"(?:finding_id|finding|name)": "?(?:findings/)?(\d+)', ended.output)
    assert [int(number) for number in found] == numbers


def test_the_command_line_names_a_kind_that_is_none(world: World) -> None:
    words = ["findings", "list", "--server", world.served.address, "--token", world.admin, "--cause", "nonsense"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code != 0


def test_a_digest_is_of_the_callers_region_and_another_is_not_found(world: World) -> None:
    with world.client(Role.VIEWER, HERE) as client:
        digest = client.findings.digest(DigestQuery(with_html=True))
        assert (digest.region, [line.code for line in digest.league], digest.html) == (HERE, [HERE], "<!doctype html>")
        told = set()
        for region in (THERE, "139999"):
            with pytest.raises(CallError) as caught:
                client.findings.digest(DigestQuery(region))
            assert (caught.value.status, caught.value.reason) == ("NOT_FOUND", ErrorReason.DIGEST_EMPTY)
            told.add(str(caught.value).replace(region, "?"))
        assert len(told) == 1
