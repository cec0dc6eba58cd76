"""Which keyframes a gateway may push: for which cameras, and with which times."""

import pytest

from engine.clock import NS_PER_S
from engine.config.intake import GatewaySettings, IntakeSettings
from engine.errors import WireError
from engine.feed.gateway_access import GatewayAccess
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind

NOW_NS = 1_800_000_000 * NS_PER_S
SCHOOL = Camera("school", "", region="130102", push=True)
NEIGHBOUR = Camera("neighbour", "", region="130203", push=True)
VISITED = Camera("visited", "rtsp://h/1", region="130102")
SCOPED = IntakeSettings(
    gateways=(
        GatewaySettings(name="county", regions=("130102",)),
        GatewaySettings(name="two", cameras=("neighbour", "visited")),
    )
)


def refusal(
    camera: Camera | None, gateway: str = "", settings: IntakeSettings = SCOPED, at_wall_ns: int = NOW_NS
) -> str:
    """Why a keyframe of this camera is refused; empty if it is accepted."""
    camera_id = "nobody" if camera is None else camera.camera_id
    keyframe = Keyframe(camera_id, 1, Codec.H264, b"x", at_wall_ns, None, FeedKind.GATEWAY)
    try:
        GatewayAccess(settings).check(gateway, keyframe, camera, NOW_NS)
    except WireError as error:
        return error.reason
    return ""


@pytest.mark.parametrize(
    ("gateway", "camera", "reason"),
    [
        ("county", SCHOOL, ""),
        ("county", NEIGHBOUR, "out_of_scope"),
        ("two", NEIGHBOUR, ""),
        ("two", SCHOOL, "out_of_scope"),
        ("not listed", SCHOOL, "out_of_scope"),
        ("", SCHOOL, "out_of_scope"),
        ("county", VISITED, "not_pushed"),
        ("two", VISITED, "not_pushed"),
        ("county", None, "unknown_camera"),
    ],
)
def test_a_key_may_push_for_its_own_cameras_that_are_pushed(gateway: str, camera: Camera | None, reason: str) -> None:
    assert refusal(camera, gateway) == reason


def test_while_no_gateway_is_listed_every_key_may_push_for_all_that_are_pushed() -> None:
    open_settings = IntakeSettings()
    assert refusal(SCHOOL, "any", open_settings) == refusal(NEIGHBOUR, "", open_settings) == ""
    assert refusal(VISITED, "any", open_settings) == "not_pushed"


@pytest.mark.parametrize("region", ["", "13", "1301", "130202"])
def test_a_region_holds_only_what_its_code_prefixes(region: str) -> None:
    assert refusal(Camera("c", "", region=region, push=True), "county") == "out_of_scope"


@pytest.mark.parametrize(
    ("ahead_s", "reason"),
    [(0, ""), (300, ""), (300.001, "bad_time"), (-14_400, ""), (-14_400.001, "bad_time")],
)
def test_a_time_counts_within_bounds_around_our_clock(ahead_s: float, reason: str) -> None:
    assert refusal(SCHOOL, "county", at_wall_ns=NOW_NS + round(ahead_s * NS_PER_S)) == reason


@pytest.mark.parametrize("at_wall_ns", [1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 7_258_118_400 * NS_PER_S])
def test_times_of_other_ages_are_refused(at_wall_ns: int) -> None:
    assert refusal(SCHOOL, "county", at_wall_ns=at_wall_ns) == "bad_time"


def test_the_bounds_of_time_are_settings() -> None:
    settings = IntakeSettings(push_ahead_max_s=0, push_behind_max_s=60)
    assert refusal(SCHOOL, settings=settings, at_wall_ns=NOW_NS + 1) == "bad_time"
    assert refusal(SCHOOL, settings=settings, at_wall_ns=NOW_NS - 61 * NS_PER_S) == "bad_time"
    assert refusal(SCHOOL, settings=settings) == ""


def test_a_key_that_was_taken_away_is_none_that_is_known() -> None:
    access = GatewayAccess(SCOPED)
    assert access.gateway_of("key", {"key": "county"}) == "county"
    with pytest.raises(WireError, match="key gone is not in") as refused:
        access.gateway_of("gone", {"key": "county"})
    assert refused.value.reason == "unknown_key"
