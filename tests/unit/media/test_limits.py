"""What would keep a decoder busy for minutes is counted in the headers, before anything is decoded."""

import pytest

from engine.decode.acceptance import check_decodable
from engine.errors import DecodeError
from engine.media import limits, nal
from engine.media.access_unit import inspect_payload
from engine.model.keyframe import Codec
from tests.support.feed.bit_writer import BitWriter, escape
from tests.support.feed.clips import encode, scene, units
from tests.support.feed.hostile_pictures import progressive_jpeg

CODED = {codec: encode(codec, [scene(160, 128)])[0] for codec in Codec}


def join(found: list[bytes]) -> bytes:
    return b"".join(nal.START_CODE + unit for unit in found)


def h264_sps(width: int, height: int, identity: int = 0) -> bytes:
    """A sequence parameter set of baseline profile."""
    bits = BitWriter().write(66, 8).write(0, 8).write(30, 8).write_ue(identity)
    bits.write_ue(0).write_ue(2).write_ue(1).write(0, 1)  # frame numbers, order of output, reference frames, no gaps
    bits.write_ue(width // 16 - 1).write_ue(height // 16 - 1)
    bits.write(1, 1).write(1, 1).write(0, 1).write(0, 1)  # frames only, direct inference, no cropping, no VUI
    return bytes([0x67]) + escape(bits.rbsp())


def refusal(codec: Codec, payload: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        check_decodable(codec, payload, inspect_payload(codec, payload))
    return caught.value.reason


@pytest.mark.parametrize("codec", list(Codec))
def test_what_an_encoder_writes_has_nothing_in_excess(codec: Codec) -> None:
    unit = inspect_payload(codec, CODED[codec])
    assert unit.excess == ""
    check_decodable(codec, CODED[codec], unit)


@pytest.mark.parametrize("large_first", [True, False])
def test_of_two_sizes_the_largest_counts_wherever_it_stands(large_first: bool) -> None:
    small, large = h264_sps(640, 480), h264_sps(16_000, 8000, identity=1)
    picture = [unit for unit in units(CODED[Codec.H264]) if unit[0] & 31 != nal.H264.sps]
    payload = join([large, small, *picture] if large_first else [small, large, *picture])
    unit = inspect_payload(Codec.H264, payload)
    assert (unit.width, unit.height) == (16_000, 8000)
    assert refusal(Codec.H264, payload) == "too_large"


def test_a_jpeg_of_sixty_thousand_scans_is_refused_by_its_headers() -> None:
    jpeg = progressive_jpeg(8192, 60_000)
    assert len(jpeg) < 8 * 1024 * 1024
    assert inspect_payload(Codec.MJPEG, jpeg).excess == "60000 scans; allowed: 64"
    assert refusal(Codec.MJPEG, jpeg) == "too_costly"


def test_as_many_scans_as_an_encoder_may_write_are_allowed() -> None:
    assert inspect_payload(Codec.MJPEG, progressive_jpeg(64, limits.SCANS_MAX)).excess == ""
    assert inspect_payload(Codec.MJPEG, progressive_jpeg(64, limits.SCANS_MAX + 1)).excess != ""


def test_frame_headers_that_repeat_are_refused() -> None:
    jpeg = CODED[Codec.MJPEG]
    place = jpeg.index(b"\xff\xc0")
    header = jpeg[place : place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")]
    payload = jpeg[:place] + header * (limits.SCANS_MAX + 1) + jpeg[place:]
    assert "frame headers" in inspect_payload(Codec.MJPEG, payload).excess
    assert refusal(Codec.MJPEG, payload) == "too_costly"


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize(
    ("what", "most"),
    [("NAL units", limits.UNITS_MAX), ("slices", limits.SLICES_MAX), ("pictures", limits.PICTURES_MAX)],
)
def test_slices_and_units_beyond_their_bounds_are_refused(codec: Codec, what: str, most: int) -> None:
    syntax = nal.SYNTAX[codec]
    found = units(CODED[codec])
    sets = [unit for unit in found if syntax.unit_type(unit[0]) in syntax.parameter_sets]
    picture = next(unit for unit in found if nal.is_intra_slice(codec, unit))
    # The bit that says "first of its picture" is cleared for what is to be one more slice and no more.
    place = syntax.header_bytes
    later = picture[:place] + bytes([picture[place] & 0x7F]) + picture[place + 1 :]
    sei = bytes([syntax.sei]) if codec is Codec.H264 else bytes([syntax.sei << 1, 1])
    repeated = {"NAL units": sei + b"\x05\x01\x00\x80", "slices": later[:60], "pictures": picture}[what]
    payload = join([*sets, picture] + [repeated] * most)
    assert what in inspect_payload(codec, payload).excess
    assert refusal(codec, payload) == "too_costly"


def test_parameter_sets_are_bounded_in_number_and_length() -> None:
    found = units(CODED[Codec.H264])
    many = join([h264_sps(640, 480, n % 32) for n in range(limits.PARAMETER_SETS_MAX)] + found)
    assert "parameter sets" in inspect_payload(Codec.H264, many).excess
    long = join([b"\x68" + b"\x9a" * limits.PARAMETER_SET_BYTES_MAX, *found])
    assert "bytes in a parameter set" in inspect_payload(Codec.H264, long).excess
