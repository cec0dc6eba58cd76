"""What a payload holds, and whether it is a keyframe: real bitstreams, cut and random bytes."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.media import nal
from engine.media.access_unit import AccessUnit, inspect_payload
from engine.media.jpeg import read_headers
from engine.media.keyframe_check import complete_keyframe
from engine.media.parameter_sets import coded_size
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec
from tests.support.feed.bit_writer import BitWriter, escape
from tests.support.feed.clips import encode, scene, units

CODECS = [Codec.H264, Codec.H265]
ALL_CODECS = [*CODECS, Codec.MJPEG]
PICTURES = [scene(160, 128, seed) for seed in range(1, 5)]
CODED = {codec: encode(codec, PICTURES, gop=3) for codec in ALL_CODECS}


def join(parts: list[bytes]) -> bytes:
    return b"".join(nal.START_CODE + part for part in parts)


def split_sets(codec: Codec, payload: bytes) -> tuple[bytes, bytes]:
    """Parameter sets and everything else, each as a payload."""
    syntax = nal.SYNTAX[codec]
    is_set = [(unit, syntax.unit_type(unit[0]) in syntax.parameter_sets) for unit in units(payload)]
    return join([unit for unit, yes in is_set if yes]), join([unit for unit, yes in is_set if not yes])


def read_everything(payload: bytes) -> None:
    for codec in ALL_CODECS:
        inspect_payload(codec, payload)
        complete_keyframe(codec, payload, payload)
    for codec in CODECS:
        coded_size(codec, payload)
        nal.is_first_slice(codec, payload)
        nal.is_intra_slice(codec, payload)
        nal.has_recovery_point(codec, payload)
    read_headers(payload)


@pytest.mark.parametrize("codec", CODECS)
def test_a_keyframe_is_told_from_the_pictures_between(codec: Codec) -> None:
    key, between = (inspect_payload(codec, CODED[codec][n]) for n in (0, 1))
    assert (key.intra, key.has_parameters, between.intra, between.has_parameters) == (True, True, False, False)
    assert key.slices >= 1
    assert between.slices >= 1
    assert (between.width, between.height) == (0, 0)
    assert [key.parameters] == [b"".join(units(split_sets(codec, CODED[codec][0])[0]))]


def test_one_predicted_slice_makes_a_picture_not_intra() -> None:
    slices = [[u for u in units(CODED[Codec.H264][n]) if u[0] & 31 in (1, 5)] for n in (0, 1)]
    assert inspect_payload(Codec.H264, join(slices[0])).intra
    assert not inspect_payload(Codec.H264, join(slices[0] + slices[1])).intra


def test_a_size_is_read_behind_emulation_prevention() -> None:
    sps = next(unit for unit in units(CODED[Codec.H265][0]) if unit[0] >> 1 & 63 == 33)
    assert b"\0\0\3" in sps[:20], "the size of a real H.265 parameter set lies behind such bytes"
    assert coded_size(Codec.H265, sps) == (160, 128)
    fields = BitWriter().write(66, 8).write(0, 16).write_ue(63).write_ue(0).write_ue(2).write_ue(1).write(0, 1)
    fields.write_ue(9).write_ue(7).write(1, 1)
    unit = b"\x67" + escape(fields.rbsp())
    assert b"\0\0\3" in unit
    assert coded_size(Codec.H264, unit) == (160, 128)


@pytest.mark.parametrize("codec", ALL_CODECS)
def test_a_keyframe_with_its_parameter_sets_is_returned_as_it_is(codec: Codec) -> None:
    payload = CODED[codec][0]
    assert complete_keyframe(codec, payload, b"") is payload


@pytest.mark.parametrize("codec", CODECS)
def test_missing_parameter_sets_are_taken_from_the_extradata(codec: Codec) -> None:
    sets, bare = split_sets(codec, CODED[codec][0])
    assert complete_keyframe(codec, bare, b"") is None
    assert complete_keyframe(codec, bare, join(units(sets)[:-1])) is None
    assert complete_keyframe(codec, bare, sets) == sets + bare
    pps = join(units(sets)[-1:])
    assert complete_keyframe(codec, pps + bare, sets) == join(units(sets)[:-1]) + pps + bare


@pytest.mark.parametrize("codec", CODECS)
def test_a_predicted_picture_is_no_keyframe(codec: Codec) -> None:
    sets, _ = split_sets(codec, CODED[codec][0])
    assert complete_keyframe(codec, sets + CODED[codec][1], b"") is None
    assert complete_keyframe(codec, sets, b"") is None


def test_an_intra_picture_that_is_no_idr_is_a_keyframe() -> None:
    options = {"x264-params": "repeat-headers=1:scenecut=0:open-gop=1:bframes=1:b-adapt=0:keyint=4:min-keyint=1"}
    coded = encode(Codec.H264, [scene(160, 128, seed) for seed in range(1, 12)], gop=4, options=options)
    sets, _ = split_sets(Codec.H264, coded[0])
    pictures = [split_sets(Codec.H264, payload)[1] for payload in coded]
    types = [{unit[0] & 31 for unit in units(picture)} for picture in pictures]
    recovery_points = [picture for picture, kinds in zip(pictures, types, strict=True) if kinds == {1, 6}]
    assert recovery_points
    for picture in recovery_points:
        slices = join([unit for unit in units(picture) if unit[0] & 31 == 1])
        for payload in (picture, slices):
            assert inspect_payload(Codec.H264, payload).intra
            assert complete_keyframe(Codec.H264, sets + payload, b"") == sets + payload


def test_a_recovery_point_behind_user_data_full_of_zeros_makes_a_keyframe() -> None:
    sets, _ = split_sets(Codec.H264, CODED[Codec.H264][0])
    supplement = b"\x06" + escape(b"\x05\x1e" + bytes(30) + b"\x06\x01\x84\x80")
    predicted = CODED[Codec.H264][1]
    assert complete_keyframe(Codec.H264, sets + predicted, b"") is None
    whole = sets + join([supplement]) + predicted
    assert complete_keyframe(Codec.H264, whole, b"") == whole


def test_jpegs_are_read_by_their_headers() -> None:
    jpeg = CODED[Codec.MJPEG][0]
    assert inspect_payload(Codec.MJPEG, jpeg) == AccessUnit(160, 128, True, 1, True)
    assert inspect_payload(Codec.MJPEG, jpeg + bytes(500)) == AccessUnit(160, 128, True, 1, True)
    assert inspect_payload(Codec.MJPEG, jpeg[:-2]).truncated
    assert inspect_payload(Codec.MJPEG, jpeg[2:]) == AccessUnit(0, 0, False, 0, False)
    assert inspect_payload(Codec.MJPEG, jpeg[:20]).slices == 0
    filled = jpeg[:2] + b"\xff" * 9 + jpeg[2:]
    assert inspect_payload(Codec.MJPEG, filled).width == 160
    assert complete_keyframe(Codec.MJPEG, jpeg[2:], b"") is None


@pytest.mark.parametrize("codec", ALL_CODECS)
def test_payloads_cut_anywhere_raise_nothing(codec: Codec) -> None:
    payload = CODED[codec][0]
    for size in range(min(900, len(payload))):
        read_everything(payload[:size])
    for unit in units(payload):
        for size in range(min(60, len(unit))):
            read_everything(unit[:size])


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_nothing(payload: bytes) -> None:
    read_everything(payload)
    for start in (b"\0\0\1\x67", b"\0\0\1\x65", b"\0\0\1\x06", b"\0\0\1\x42\1", b"\0\0\1\x26\1", b"\xff\xd8\xff"):
        read_everything(start + payload)


@given(st.sampled_from(ALL_CODECS), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_changed_bytes_raise_nothing(codec: Codec, changes: list[tuple[int, int]]) -> None:
    payload = bytearray(CODED[codec][0])
    for place, value in changes:
        payload[place % len(payload)] = value
    read_everything(bytes(payload))


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        (b"", b"\0"),
        (b"", b"\0\0\1"),
        (b"", b"\0\0\1\x67\x64\0\0\0"),
        (b"", b"\0\0\1\x42\1\0\0\0"),
        (b"\0\0\1\x67\x64\0\x1f\xff", b"\0\0\3"),
        (b"\0\0\1\x06", b"\xff"),
        (b"\0\0\1\x06", b"\x05\0"),
        (b"", b"\0\0\1\x06" + b"\x05\0" * 1000),
        (b"\xff\xd8", b"\xff"),
        (b"\xff\xd8", b"\xff\xd0"),
        (b"\xff\xd8", b"\xff\xe0\0\0"),
    ],
)
def test_the_largest_payload_is_read_in_bounded_time(start: bytes, repeated: bytes) -> None:
    payload = start + repeated * ((PAYLOAD_BYTES_MAX - len(start)) // len(repeated))
    began_s = time.process_time()
    read_everything(payload)
    assert time.process_time() - began_s < 5
