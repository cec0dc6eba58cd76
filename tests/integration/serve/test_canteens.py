"""Canteens over gRPC: what their cameras say and what is stored, who sees it, and who may change it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.camera import Camera, SiteKind
from engine.model.canteen import CanteenDetails, CanteenOrder, CanteenQuery
from engine.model.verdict import State
from engine.serve.access.tokens import REFRESH_S
from engine.storage.db.store import Store
from patrol.v1 import canteens_pb2
from tests.support.serve.served import FakeHub, RunningServer, serving
from tests.support.waiting import wait_until

HERE, THERE = "130102", "130203"
DETAILS = CanteenDetails("裕华路 1 号", "王主任", "0311-1234567", (38.04, 114.51))
ROLES = {"viewer": Role.VIEWER, "inspector": Role.INSPECTOR, "operator": Role.OPERATOR}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as served:
        served.hub.put(
            Camera("c1", "rtsp://h/1", site_id="s1", site_name="第一中学", region=HERE, site_kind=SiteKind.HIGH),
            Camera("c2", "rtsp://h/1", site_id="s1", site_name="第一中学", region=HERE, site_kind=SiteKind.HIGH),
            Camera("c3", "rtsp://h/1", site_name="第二小学", region=HERE),
            Camera("c4", "rtsp://h/1", site_id="s0", site_name="附中", region=THERE),
            Camera("c5", "rtsp://h/1", region=THERE),
        )
        served.hub.judge("c1", announced=State.OK)
        yield served


def error_of(call: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        call()
    return caught.value


def test_a_canteen_is_what_its_cameras_say_until_something_is_stored(served: RunningServer) -> None:
    canteens = served.client.canteens
    school = canteens.get("s1")
    assert (school.display_name, school.region, school.site_kind, school.site_id) == (
        "第一中学",
        HERE,
        SiteKind.HIGH,
        "s1",
    )
    assert (school.cameras.cameras, school.cameras.by_state[State.OK], school.cameras.by_state[None]) == (2, 1, 1)
    assert (school.details, school.changed_wall_ns) == (CanteenDetails(), 0)
    before_ns = wall_ns()
    stored = canteens.update("s1", DETAILS)
    assert (stored.details, stored.cameras) == (DETAILS, school.cameras)
    assert stored.changed_wall_ns >= before_ns
    assert canteens.get("s1") == stored


def test_a_canteen_without_an_id_is_named_by_region_and_name(served: RunningServer) -> None:
    school = served.client.canteens.get(f"{HERE}/第二小学")
    assert (school.site_id, school.display_name, school.cameras.cameras) == ("", "第二小学", 1)
    assert served.client.canteens.update(f"{HERE}/第二小学", DETAILS).details == DETAILS


def test_a_mask_changes_what_it_names_and_empties_too(served: RunningServer) -> None:
    canteens = served.client.canteens
    canteens.update("s1", DETAILS)
    assert canteens.update("s1", CanteenDetails(phone="110"), ["contact.phone"]).details == CanteenDetails(
        DETAILS.address, DETAILS.contact_name, "110", DETAILS.location
    )
    emptied = canteens.update("s1", CanteenDetails(), ["address", "location", "contact.name"])
    assert emptied.details == CanteenDetails(phone="110")


def test_canteens_are_listed_found_and_ordered_page_by_page(served: RunningServer) -> None:
    canteens = served.client.canteens
    canteens.update("s1", DETAILS)

    def ids(**query: Any) -> list[str]:
        return [canteen.canteen_id for canteen in canteens.list(CanteenQuery(page_size=1, **query))]

    second = f"{HERE}/第二小学"
    assert ids() == [second, "s0", "s1"]
    assert ids(descending=True) == ["s1", "s0", second]
    assert ids(order=CanteenOrder.DISPLAY_NAME) == ["s1", second, "s0"]
    assert ids(order=CanteenOrder.REGION, descending=True) == ["s0", "s1", second]
    assert ids(region_prefix="1301") == [second, "s1"]
    assert ids(text="裕华路") == ["s1"]
    assert ids(text="S0") == ["s0"]
    assert ids(text="nothing") == []
    assert next(iter(canteens.list())).cameras.cameras == 1


def test_a_canteen_without_cameras_is_stored_with_its_region_and_goes_when_it_is_emptied(served: RunningServer) -> None:
    canteens = served.client.canteens
    assert error_of(lambda: canteens.update("new", DETAILS)).status == "NOT_FOUND"
    request = canteens_pb2.UpdateCanteenRequest(canteen={"name": "canteens/new"}, allow_missing=True)
    missing = error_of(lambda: canteens._channel.call(canteens._stub.UpdateCanteen, request))
    assert [field for field, _ in missing.violations] == ["canteen.region"]
    made = canteens.create("new", DETAILS, HERE, "新学校", SiteKind.PRIMARY)
    assert (made.display_name, made.region, made.site_kind, made.cameras.cameras) == (
        "新学校",
        HERE,
        SiteKind.PRIMARY,
        0,
    )
    # Its cameras come, and their registry rows say what it is called.
    served.hub.put(Camera("n1", "rtsp://h/1", site_id="new", site_name="实验小学", region=HERE))
    assert canteens.get("new").display_name == "实验小学"
    assert canteens.get("new").details == DETAILS
    request = canteens_pb2.UpdateCanteenRequest(canteen={"name": "canteens/new"}, update_mask={"paths": ["region"]})
    theirs = error_of(lambda: canteens._channel.call(canteens._stub.UpdateCanteen, request))
    assert "change them in the registry" in str(theirs.violations)
    canteens.create("gone", DETAILS, HERE)
    canteens.update("gone", CanteenDetails())
    assert error_of(lambda: canteens.get("gone")).status == "NOT_FOUND"
    assert "gone" not in [row.canteen_id for row in served.hub.store.canteens.all()]


@pytest.mark.parametrize(
    ("canteen", "paths", "field"),
    [
        ({"name": "cameras/s1"}, [], "canteen.name"),
        ({"name": "canteens/" + "x" * 208}, [], "canteen.name"),
        ({}, [], "canteen.name"),
        ({"name": "canteens/s1", "contact": {"phone": "call me"}}, [], "canteen.contact.phone"),
        ({"name": "canteens/s1", "location": {"latitude": 91.0}}, [], "canteen.location"),
        ({"name": "canteens/s1", "location": {"longitude": float("nan")}}, [], "canteen.location"),
        ({"name": "canteens/s1"}, ["cameras"], "update_mask.paths[0]"),
        ({"name": "canteens/s1"}, ["address", "display_name"], "update_mask.paths[1]"),
        ({"name": "canteens/s1"}, ["nonsense"], "update_mask.paths[0]"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    served: RunningServer, canteen: dict[str, Any], paths: list[str], field: str
) -> None:
    canteens = served.client.canteens
    before = canteens.update("s1", DETAILS)
    request = canteens_pb2.UpdateCanteenRequest(canteen=canteen, update_mask={"paths": paths})
    error = error_of(lambda: canteens._channel.call(canteens._stub.UpdateCanteen, request))
    assert error.status == "INVALID_ARGUMENT"
    assert field in [name for name, _ in error.violations]
    assert canteens.get("s1") == before


@pytest.fixture
def secrets(served: RunningServer) -> dict[str, str]:
    access = served.hub.store.access
    orders = {name: TokenOrder(name, role) for name, role in ROLES.items()}
    orders |= {region: TokenOrder(region, Role.OPERATOR, region) for region in (HERE, THERE)}
    served.client.canteens.update("s1", DETAILS)
    secrets = {name: access.create_token(order, "test", wall_ns())[1] for name, order in orders.items()}
    wait_until(lambda: _asks_for_a_token(served), 3 * REFRESH_S)
    return secrets


def _asks_for_a_token(served: RunningServer) -> bool:
    try:
        served.client.status()
    except CallError as error:
        return error.status == "UNAUTHENTICATED"
    return False


def test_who_only_reads_sees_no_telephone_number(served: RunningServer, secrets: dict[str, str]) -> None:
    for name in ROLES:
        with PatrolClient(served.address, token=secrets[name]) as client:
            (listed,) = client.canteens.list(CanteenQuery(text="s1"))
            assert listed == client.canteens.get("s1")
            assert listed.details.phone == ("" if name == "viewer" else DETAILS.phone)
            assert (listed.details.address, listed.details.contact_name) == (DETAILS.address, DETAILS.contact_name)
            if name != "operator":
                assert error_of(lambda c=client: c.canteens.update("s1", DETAILS)).status == "PERMISSION_DENIED"


def test_a_county_sees_and_changes_its_own_canteens_and_no_others(
    served: RunningServer, secrets: dict[str, str]
) -> None:
    with (
        PatrolClient(served.address, token=secrets[HERE]) as here,
        PatrolClient(served.address, token=secrets[THERE]) as there,
    ):
        assert [canteen.canteen_id for canteen in there.canteens.list()] == ["s0"]
        assert error_of(lambda: there.canteens.get("s1")).status == "NOT_FOUND"
        assert error_of(lambda: there.canteens.update("s1", CanteenDetails())).status == "NOT_FOUND"
        # Not by storing it as one's own, not by a camera of one's own with its id.
        taken = error_of(lambda: there.canteens.create("s1", CanteenDetails("x"), THERE))
        free = error_of(lambda: there.canteens.create("nobody's", CanteenDetails("x"), THERE))
        assert taken.violations == free.violations, "nobody learns whether an id is taken elsewhere"
        assert "cannot be given with this token" in str(taken.violations)
        assert there.canteens.create(f"{THERE}-9", CanteenDetails("x"), THERE).canteen_id == f"{THERE}-9"
        assert "not of this token" in str(error_of(lambda: there.canteens.create("s1", DETAILS, HERE)).violations)
        there.create_camera(Camera(f"{THERE}-spy", "rtsp://h/1", site_id="s1", site_name="x", region=THERE))
        spied = there.canteens.get("s1")
        assert (spied.details, spied.display_name, spied.cameras.cameras) == (CanteenDetails(), "x", 1)
        assert "cannot be given with this token" in str(
            error_of(lambda: there.canteens.update("s1", DETAILS)).violations
        )
        own = here.canteens.get("s1")
        assert (own.details, own.display_name, own.cameras.cameras) == (DETAILS, "第一中学", 2)
        here.canteens.update("s1", CanteenDetails("moved"), ["address"])
    entries = served.hub.store.access.entries(AuditQuery(actor=HERE))
    assert [(entry.method, entry.resource) for entry in entries] == [("CanteenService/UpdateCanteen", "canteens/s1")]


def test_details_last_over_a_restart(served: RunningServer, tmp_path: Path) -> None:
    served.client.canteens.update("s1", DETAILS)
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    with serving(tmp_path, hub=FakeHub(store)) as again:
        assert again.client.canteens.get("s1").details == DETAILS
    store.close()
