"""NAL units: splitting, first slices, intra slices, recovery points."""

import pytest

from engine.media import nal
from engine.model.keyframe import Codec
from tests.support.feed.bit_writer import BitWriter, escape
from tests.support.feed.clips import encode, scene, units

CODECS = [Codec.H264, Codec.H265]
RECOVERY_POINT = b"\x06\x01\x84"
USER_DATA_TYPE = 5


def split(payload: bytes) -> list[bytes]:
    return [payload[begin:end] for begin, end in nal.unit_spans(payload)]


def h264_slice(first_mb: int, slice_type: int, unit_type: int = 1) -> bytes:
    header = BitWriter().write_ue(first_mb).write_ue(slice_type).write_ue(0)
    return bytes([0x60 | unit_type]) + escape(header.rbsp() + b"\x55" * 20)


def sei(*messages: bytes) -> bytes:
    return b"\x06" + escape(b"".join(messages) + b"\x80")


def user_data(content: bytes) -> bytes:
    return bytes([USER_DATA_TYPE]) + b"\xff" * (len(content) // 255) + bytes([len(content) % 255]) + content


@pytest.mark.parametrize("codec", CODECS)
def test_a_real_payload_is_split_into_its_units(codec: Codec) -> None:
    payload = encode(codec, [scene(160, 128)], gop=1)[0]
    assert split(payload) == units(payload)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"", []),
        (b"\0\0", []),
        (b"no start code", []),
        (b"junk\0\0\1a", [b"a"]),
        (b"\0\0\1", []),
        (b"\0\0\1\0\0\1a", [b"a"]),
        (b"\0\0\0\1a\0\0\0\0\1b\0\0", [b"a", b"b"]),
        (b"\0\0\1a\0\0\3\1b\0\0\1c", [b"a\0\0\3\1b", b"c"]),
    ],
)
def test_units_end_before_the_next_start_code_and_trailing_zeros(payload: bytes, found: list[bytes]) -> None:
    assert split(payload) == found


def test_splitting_stops_after_4096_start_codes() -> None:
    assert len(split(b"\0\0\1a" * 10_000)) == 4096


@pytest.mark.parametrize("slice_type", range(12))
@pytest.mark.parametrize("first_mb", [0, 1, 8159, 2**22 - 1, 2**24 - 1, 2**31 - 1])
def test_the_slice_type_is_read_behind_emulation_prevention(first_mb: int, slice_type: int) -> None:
    unit = h264_slice(first_mb, slice_type)
    assert (b"\0\0\3" in unit) == (first_mb >= 2**22 - 1)
    assert nal.is_intra_slice(Codec.H264, unit) == (slice_type in (2, 4, 7, 9))
    assert nal.is_intra_slice(Codec.H264, unit[: nal.SLICE_HEAD_BYTES]) == (slice_type in (2, 4, 7, 9))
    assert nal.is_first_slice(Codec.H264, unit) == (first_mb == 0)


@pytest.mark.parametrize("unit_type", [2, 3, 4, 6, 7, 9, 20])
def test_data_partitions_and_other_units_are_no_intra_slices(unit_type: int) -> None:
    assert not nal.is_intra_slice(Codec.H264, h264_slice(0, 7, unit_type))


@pytest.mark.parametrize("codec", CODECS)
def test_real_slices_are_told_apart(codec: Codec) -> None:
    syntax = nal.SYNTAX[codec]
    coded = encode(codec, [scene(160, 128, seed) for seed in range(1, 4)], gop=3)
    for number, payload in enumerate(coded):
        slices = [unit for unit in split(payload) if syntax.unit_type(unit[0]) in syntax.slices]
        assert slices
        assert nal.is_first_slice(codec, slices[0])
        assert {nal.is_intra_slice(codec, unit) for unit in slices} == {number == 0}


@pytest.mark.parametrize("unit_type", range(64))
def test_only_random_access_types_of_h265_are_intra(unit_type: int) -> None:
    unit = bytes([unit_type << 1, 1, 0xAF, 0x55])
    assert nal.is_intra_slice(Codec.H265, unit) == (16 <= unit_type <= 21)


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        (sei(RECOVERY_POINT), True),
        (sei(user_data(b"x" * 700), RECOVERY_POINT), True),
        (sei(user_data(bytes(40)), RECOVERY_POINT), True),
        (sei(user_data(b"\0\0\1" * 200), user_data(bytes(3)), RECOVERY_POINT), True),
        (sei(user_data(bytes(40))), False),
        (sei(user_data(b"\0\0\0\0" + RECOVERY_POINT * 9)), False),
        (sei(), False),
        (b"\x06", False),
        (b"", False),
        (b"\x06\xff\xff", False),
        (b"\x06\x05\xff", False),
        (b"\x06\x05\xff\x10abc", False),
    ],
)
def test_recovery_points_are_found_behind_other_messages(unit: bytes, found: bool) -> None:
    assert nal.has_recovery_point(Codec.H264, unit) == found
    assert not nal.has_recovery_point(Codec.H265, unit)


def test_sizes_of_sei_messages_count_no_emulation_prevention_bytes() -> None:
    """Skipped by its size in escaped bytes, the message would end 10 bytes early, before what looks like another."""
    decoy = user_data(bytes(22) + RECOVERY_POINT[:2] * 20)
    assert sei(decoy).count(b"\0\0\3") == 10
    assert not nal.has_recovery_point(Codec.H264, sei(decoy))
    assert nal.has_recovery_point(Codec.H264, sei(decoy, RECOVERY_POINT))
