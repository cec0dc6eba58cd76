"""What a console asks first: who am I, what time is it in the kitchens, which regions have cameras."""

import contextlib
from pathlib import Path

import pytest

from engine.client import CallError, PatrolClient
from engine.clock import NS_PER_S, wall_ns
from engine.model.access import LOCAL, Actor, Caller, Role, TokenOrder
from engine.model.camera import Camera
from engine.model.registry import Region
from engine.storage.db.store import Store
from tests.support.serve.served import FakeHub, RunningServer, county_cameras, serving

HERE, THERE = "130102", "130203"
YEAR_NS = 365 * 86_400 * NS_PER_S


def test_without_a_token_ever_made_a_caller_of_this_machine_is_told_that_it_acts_as_local(
    served: RunningServer,
) -> None:
    assert served.client.access.caller() == Caller(LOCAL, local=True)


def test_a_caller_is_told_name_role_region_and_end_of_its_token(tmp_path: Path) -> None:
    hub = FakeHub(Store.open(f"sqlite:///{tmp_path}/patrol.db"))
    expected = {}
    orders = TokenOrder("county", Role.INSPECTOR, HERE, wall_ns() + YEAR_NS), TokenOrder("province", Role.VIEWER)
    for order in orders:
        _, secret = hub.store.access.create_token(order, "test", wall_ns())
        expected[secret] = Caller(Actor(order.name, order.role, order.region), order.expires_wall_ns)
    with contextlib.closing(hub.store), serving(tmp_path, hub=hub) as served:
        for secret, caller in expected.items():
            with PatrolClient(served.address, token=secret) as client:
                assert client.access.caller() == caller
        with pytest.raises(CallError) as caught:
            served.client.access.caller()
        assert caught.value.status == "UNAUTHENTICATED"


def test_the_status_tells_the_kitchens_time_zone_and_the_engine_s_clock(served: RunningServer) -> None:
    before_ns = wall_ns()
    status = served.client.status()
    assert status.time_zone == "Asia/Urumqi"
    assert before_ns <= status.now_wall_ns <= wall_ns()


def test_every_province_city_and_county_with_cameras_is_listed_with_its_name(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.hub.put(
            *county_cameras(3, HERE, "c"),
            Camera("off", "rtsp://h/1", region=THERE, enabled=False),
            Camera("city", "rtsp://h/1", region="1304"),
            Camera("elsewhere", "rtsp://h/1", region="990101"),
            Camera("nowhere", "rtsp://h/1"),
        )
        everything = [
            Region("13", "河北省"),
            Region("1301", "石家庄市"),
            Region("130102", "石家庄市长安区"),
            Region("1302", "唐山市"),
            Region("130203", "唐山市路北区"),
            Region("1304", "邯郸市"),
            Region("99", "99"),
            Region("9901", "9901"),
            Region("990101", "990101"),
        ]
        assert list(served.client.regions()) == everything
        assert [region.code for region in served.client.regions("1302")] == ["1302", "130203"]
        assert served.client.regions("14") == ()
        served.hub.put(Camera("off", "rtsp://h/1", region="130204"))
        assert [region.code for region in served.client.regions("1302")] == ["1302", "130204"], "as the registry is now"
        with pytest.raises(CallError, match="region_prefix"):
            served.client.regions("13x")


def test_a_county_is_told_of_no_region_but_its_own(tmp_path: Path) -> None:
    hub = FakeHub(Store.open(f"sqlite:///{tmp_path}/patrol.db"))
    hub.put(*county_cameras(2, HERE, "c"), *county_cameras(2, THERE, "n"))
    _, secret = hub.store.access.create_token(TokenOrder("county", Role.VIEWER, HERE), "test", wall_ns())
    with (
        contextlib.closing(hub.store),
        serving(tmp_path, hub=hub) as served,
        PatrolClient(served.address, token=secret) as client,
    ):
        for prefix in ("", "13", "1301", HERE):
            assert client.regions(prefix) == (Region(HERE, "石家庄市长安区"),)
        assert client.regions(THERE) == ()


def test_more_regions_than_a_reply_holds_are_refused(served: RunningServer) -> None:
    served.hub.put(*(Camera(f"x{n}", "rtsp://h/1", region=f"{140000 + n}") for n in range(5_001)))
    with pytest.raises(CallError, match="allowed: at most 5000; give a longer one"):
        served.client.regions()
    assert len(served.client.regions("1301")) == 2
