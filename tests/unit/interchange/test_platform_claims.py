"""What a platform claims beside what we see, and which channel is whose."""

from typing import Any

import pytest

from engine.interchange.platform_claims import (
    Channel,
    ClaimedChannels,
    Disagreement,
    claimed_online,
    disagreement,
    normalise_status,
    place_of,
    seen_online,
    stream_place,
)
from engine.model.camera import Camera
from engine.model.registry import CameraStatus
from engine.model.verdict import FaultKind, State, Verdict

CAMERA = "13010200001310000001"


@pytest.mark.parametrize(
    ("word", "online"),
    [
        ("ON", True), ("online", True), ("OK", True), ("true", True), ("1", True), ("在线", True),
        ("OFF", False), ("offline", False), ("VLOST", False), ("DEFECT", False), ("0", False), ("离线", False),
        ("", None), ("sleeping", None), (" on ", True),
    ],
)  # fmt: skip
def test_a_word_means_online_offline_or_nothing(word: str, online: bool | None) -> None:
    assert claimed_online(word) is online


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (True, "ON"),
        (False, "OFF"),
        (1, "ON"),
        ("ON", "ON"),
        (None, ""),
        (" 休眠 ", "休眠"),
        ("x" * 99, "x" * 64),
        ("a\nb", "ab"),
    ],
)
def test_a_status_is_kept_as_on_off_or_the_platforms_own_word(value: object, word: str) -> None:
    assert normalise_status(value) == word


def verdict(announced: State, state: State | None = None, **more: Any) -> Verdict:
    return Verdict("c", 1, 9, state or announced, announced=announced, since_wall_ns=5, **more)


def compared(claim: str, latest: Verdict | None, *, enabled: bool = True) -> Disagreement | None:
    return disagreement(CameraStatus(Camera("c", "rtsp://h/1", platform_status=claim, enabled=enabled), latest))


def test_a_camera_the_platform_calls_online_and_we_offline_is_told_with_why_and_since_when() -> None:
    found = compared("ON", verdict(State.OFFLINE, reason="timeout_connect"))
    assert found is not None
    assert (found.platform_online, found.ours, found.why, found.since_wall_ns) == (
        True, State.OFFLINE, "timeout_connect", 5,
    )  # fmt: skip


def test_a_camera_the_platform_calls_offline_and_we_get_a_picture_of_is_told() -> None:
    found = compared("OFF", verdict(State.FAULT, announced_kinds=(FaultKind.BLURRED,)))
    assert found is not None
    assert (found.platform_online, found.ours, found.why) == (False, State.FAULT, "blurred")


@pytest.mark.parametrize(
    ("claim", "latest"),
    [
        ("ON", verdict(State.OK)),
        ("ON", verdict(State.FAULT)),
        ("OFF", verdict(State.OFFLINE)),
        ("", verdict(State.OFFLINE)),
        ("sleeping", verdict(State.OFFLINE)),
        ("ON", None),
        ("OFF", verdict(State.UNKNOWN, State.OFFLINE)),
        ("ON", verdict(State.UNKNOWN, State.OFFLINE)),
    ],
)
def test_where_both_say_the_same_or_one_says_nothing_there_is_no_disagreement(
    claim: str, latest: Verdict | None
) -> None:
    assert compared(claim, latest) is None


def test_a_camera_that_is_not_visited_has_no_word_of_ours() -> None:
    assert compared("ON", verdict(State.OFFLINE), enabled=False) is None


def test_an_offline_camera_with_one_picture_since_has_no_old_reason() -> None:
    found = compared("ON", verdict(State.OFFLINE, State.OK, reason=""))
    assert found is not None
    assert found.why == ""


def test_unknown_takes_no_side() -> None:
    assert seen_online(verdict(State.UNKNOWN)) is None
    assert seen_online(None) is None


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("rtsp://u:p@10.0.0.1:554/a/1", "RTSP://10.0.0.1/a/1"),
        ("rtsp://u:***@H/a?channel=1&subtype=0", "rtsp://h:554/a?channel=1&subtype=0"),
        ("rtsp://h/a/", "rtsp://x:y/z@h/a"),
        ("https://h/a", "http://h:443/a"),
    ],
)
def test_the_same_place_is_known_without_user_password_case_and_default_port(url: str, other: str) -> None:
    assert place_of(url) == place_of(other) != ""


@pytest.mark.parametrize("other", ["rtsp://h:555/a", "rtsp://h/b", "rtsp://i/a", "rtsp://h/a?channel=2"])
def test_other_places_are_other(other: str) -> None:
    assert place_of("rtsp://h/a") != place_of(other)


@pytest.mark.parametrize("url", ["", "file:///a", "rtsp://h:x/1", "rtsp://[::1/1", "no url"])
def test_what_leads_nowhere_has_no_place(url: str) -> None:
    assert place_of(url) == ""


def test_a_camera_is_found_by_id_then_by_origin_then_by_where_it_is_served() -> None:
    by_id = Channel((CAMERA, "rtp/x"), "ON")
    by_origin = Channel(("live/o",), "ON", places=(place_of("rtsp://10.0.0.1/1"),))
    by_stream = Channel(("live/s",), "OFF", places=(stream_place("Media.Example", "live", "s"),))
    roll = ClaimedChannels([by_id, by_origin, by_stream])
    assert roll.find(Camera(CAMERA, "rtsp://10.0.0.1/1")) is by_id
    assert roll.find(Camera("a", "rtsp://u:***@10.0.0.1:554/1")) is by_origin
    for path in ("live/s", "live/s.live.flv", "live/s/hls.m3u8", "live/s/hls.fmp4.m3u8", "live/s.live.ts"):
        assert roll.find(Camera("b", f"http://media.example:8080/{path}")) is by_stream
    assert roll.find(Camera("c", "http://elsewhere/live/s")) is None
    assert roll.find(Camera("d", "", push=True)) is None
    assert roll.find(Camera("e", "rtsp://[::1/live/s")) is None


def test_a_stream_that_is_listed_in_several_protocols_counts_once_and_is_on_if_any_is() -> None:
    roll = ClaimedChannels([Channel(("a",), "OFF"), Channel(("a",), "ON"), Channel(("a",), "OFF")])
    assert [channel.status for channel in roll] == ["ON"]
    assert len(roll) == 1


def test_a_name_that_two_channels_share_leads_to_neither() -> None:
    roll = ClaimedChannels([Channel(("live/1", "1"), "ON"), Channel(("record/1", "1"), "OFF")])
    assert roll.find(Camera("1", "rtsp://h/9")) is None
    found = roll.find(Camera("record/1", "rtsp://h/9"))
    assert found is not None
    assert found.status == "OFF"
