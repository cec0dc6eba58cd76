"""The decoder on bitstreams of real encoders: formats, ranges, sizes, and damage that must never pass for a picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.decode.decoder import Decoder
from engine.decode.render import decode_rgb, render_jpeg
from engine.errors import DecodeError
from engine.media.access_unit import inspect_payload
from engine.model.keyframe import Codec
from engine.model.picture import Picture
from tests.support.expect import present
from tests.support.feed.clips import encode, scene, units

CODECS = [Codec.H264, Codec.H265, Codec.MJPEG]


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def coded(codec: Codec, width: int = 320, height: int = 240, seed: int = 1, **options: Any) -> bytes:
    return encode(codec, [scene(width, height, seed)], gop=1, **options)[0]


def plane(picture: Picture) -> np.ndarray:
    return np.array(picture.luma, np.float64)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(64, 64), (322, 242), (130, 98), (1920, 1080)])
def test_every_codec_and_size_gives_its_picture(codec: Codec, size: tuple[int, int], decoder: Decoder) -> None:
    picture = decoder.decode(codec, coded(codec, *size))
    assert (picture.width, picture.height, picture.codec) == (*size, codec)
    assert picture.luma.shape == size[::-1]
    assert picture.damage == ()
    wanted = scene(*size)[..., 0].astype(np.float64)
    got = plane(picture) if picture.full_range else (plane(picture) - 16) * 255 / 219
    assert np.abs(got - wanted).mean() < 12


@pytest.mark.parametrize(
    ("codec", "pixel_format", "depth", "chroma"),
    [
        (Codec.H264, "yuv420p", 8, (120, 160)), (Codec.H264, "yuv422p", 8, (240, 160)),
        (Codec.H264, "yuv444p", 8, (240, 320)),
        (Codec.H264, "yuv420p10le", 10, (120, 160)), (Codec.H265, "yuv420p10le", 10, (120, 160)),
        (Codec.H265, "gray", 8, None), (Codec.H265, "yuv420p12le", 12, (120, 160)),
        (Codec.MJPEG, "yuvj422p", 8, (240, 160)), (Codec.MJPEG, "yuvj444p", 8, (240, 320)),
    ],
)  # fmt: skip
def test_planes_come_as_they_are_coded(
    codec: Codec, pixel_format: str, depth: int, chroma: tuple[int, int] | None, decoder: Decoder
) -> None:
    try:
        payload = coded(codec, pixel_format=pixel_format)
    except (ValueError, OSError):
        pytest.skip(f"this FFmpeg's encoder does not make {pixel_format} in {codec}")
    picture = decoder.decode(codec, payload)
    assert picture.bit_depth == depth
    assert picture.luma.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert (picture.chroma is None) == (chroma is None)
    if chroma is not None:
        assert [plane.shape for plane in present(picture.chroma)] == [chroma] * 2
    assert picture.full_range == pixel_format.startswith("yuvj")


def test_the_luma_plane_is_not_a_copy_and_outlives_nothing_it_should_not(decoder: Decoder) -> None:
    picture = decoder.decode(Codec.H264, coded(Codec.H264, 322, 242))
    assert not picture.luma.flags.owndata
    assert picture.luma.strides[0] >= 322
    before = plane(picture)
    np.testing.assert_array_equal(plane(picture), before)


def test_of_an_interlaced_picture_one_field_is_scored(decoder: Decoder) -> None:
    options = {"x264-params": "repeat-headers=1:tff=1:interlaced=1"}
    picture = decoder.decode(Codec.H264, coded(Codec.H264, 320, 256, options=options))
    assert picture.interlaced
    assert picture.luma.shape == (128, 320)
    assert picture.height == 256


def test_full_range_video_is_told_from_limited(decoder: Decoder) -> None:
    full = coded(Codec.H264, pixel_format="yuvj420p")
    assert decoder.decode(Codec.H264, full).full_range
    assert not decoder.decode(Codec.H264, coded(Codec.H264)).full_range


def damage_of(decoder: Decoder, codec: Codec, payload: bytes) -> tuple[str, ...]:
    """What is wrong with a keyframe, whichever way it is told."""
    try:
        return decoder.decode(codec, payload).damage
    except DecodeError as error:
        return (error.reason,)


def visibly_other(picture: Picture, whole: np.ndarray) -> bool:
    """More than 2 % of the samples differ by more than 16 levels."""
    luma = plane(picture)
    return luma.shape != whole.shape or float((np.abs(luma - whole) > 16).mean()) > 0.02


@pytest.mark.parametrize("codec", CODECS)
def test_a_cut_keyframe_is_flagged_and_shows_nothing_of_the_camera_before(codec: Codec, decoder: Decoder) -> None:
    before, payload = coded(codec, seed=9), coded(codec, seed=1)
    whole = plane(decoder.decode(codec, payload))
    missed = []
    for share in np.linspace(0.05, 0.97, 24):
        decoder.decode(codec, before)
        try:
            picture = decoder.decode(codec, payload[: int(len(payload) * share)])
        except DecodeError:
            continue
        if not picture.damage and visibly_other(picture, whole):
            missed.append(round(float(share), 2))
    assert missed == []


def test_a_lost_slice_is_flagged(decoder: Decoder) -> None:
    options = {"x264-params": "repeat-headers=1:slices=4"}
    before, payload = (coded(Codec.H264, 320, 320, seed, options=options) for seed in (9, 1))
    whole = plane(decoder.decode(Codec.H264, payload))
    found = units(payload)
    slices = [n for n, unit in enumerate(found) if unit[0] & 31 == 5]
    assert len(slices) == 4
    for lost in slices:
        decoder.decode(Codec.H264, before)
        rest = b"".join(b"\0\0\0\1" + unit for n, unit in enumerate(found) if n != lost)
        if damage_of(decoder, Codec.H264, rest) == ():
            assert not visibly_other(decoder.decode(Codec.H264, rest), whole), f"slice {lost} was lost unnoticed"


@pytest.mark.parametrize("codec", CODECS)
def test_bits_that_flip_are_noticed_where_they_show(codec: Codec, decoder: Decoder) -> None:
    payload = coded(codec)
    whole = plane(decoder.decode(codec, payload))
    rng = np.random.default_rng(4)
    shown = missed = 0
    for _ in range(60):
        broken = bytearray(payload)
        for place in rng.integers(len(payload) // 3, len(payload), 3):
            broken[place] ^= 1 << int(rng.integers(8))
        try:
            picture = decoder.decode(codec, bytes(broken))
        except DecodeError:
            continue
        if visibly_other(picture, whole):
            shown += 1
            missed += not picture.damage
    # Bits that flip inside arithmetic or Huffman codes may leave a stream that is well formed: H.264's decoder notices
    # nearly all, of H.265 about two in three, JPEG tells only when its code breaks. Feeders drop what lost a packet.
    most = {Codec.H264: 6, Codec.H265: 24, Codec.MJPEG: 40}[codec]
    assert missed <= most, f"{missed} of {shown} passed for whole"


@pytest.mark.parametrize("codec", CODECS)
def test_a_good_picture_follows_a_broken_one_unharmed(codec: Codec, decoder: Decoder) -> None:
    payload = coded(codec)
    whole = plane(decoder.decode(codec, payload))
    for broken in (payload[: len(payload) // 2], payload[:40], bytes(1000), payload[100:], b"\0\0\0\1" * 50):
        try:
            decoder.decode(codec, broken)
        except DecodeError:
            pass
        picture = decoder.decode(codec, payload)
        assert picture.damage == ()
        np.testing.assert_array_equal(plane(picture), whole)


def test_a_picture_never_borrows_the_parameter_sets_of_another_camera(decoder: Decoder) -> None:
    decoder.decode(Codec.H264, coded(Codec.H264))
    bare = b"".join(b"\0\0\0\1" + unit for unit in units(coded(Codec.H264)) if unit[0] & 31 not in (7, 8))
    with pytest.raises(DecodeError, match="without parameter sets"):
        decoder.decode(Codec.H264, bare)


def test_what_is_no_keyframe_is_refused(decoder: Decoder) -> None:
    pictures = [scene(320, 240), np.roll(scene(320, 240), 9, axis=1)]
    first, second = encode(Codec.H264, pictures, gop=10)
    sets = b"".join(b"\0\0\0\1" + unit for unit in units(first) if unit[0] & 31 in (7, 8))
    with pytest.raises(DecodeError) as caught:
        decoder.decode(Codec.H264, sets + second)
    assert caught.value.reason == "no_keyframe"


@pytest.mark.parametrize(
    ("payload", "reason"), [(b"", "empty"), (b"\x00" * 99, "no_keyframe"), (b"x" * 99, "no_keyframe")]
)
def test_nothing_gives_a_reason(payload: bytes, reason: str, decoder: Decoder) -> None:
    with pytest.raises(DecodeError) as caught:
        decoder.decode(Codec.H264, payload)
    assert caught.value.reason == reason


def test_a_picture_out_of_bounds_is_refused_before_it_takes_memory(decoder: Decoder) -> None:
    jpeg = bytearray(coded(Codec.MJPEG))
    place = jpeg.index(b"\xff\xc0")
    jpeg[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(DecodeError, match="65535x65535; allowed: 64 to 8192") as caught:
        decoder.decode(Codec.MJPEG, bytes(jpeg))
    assert caught.value.reason == "too_large"
    with pytest.raises(DecodeError, match="32x32"):
        decoder.decode(Codec.MJPEG, coded(Codec.MJPEG, 32, 32))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(64, 64), (322, 242), (1920, 1080), (704, 576)])
def test_the_size_is_read_without_decoding(codec: Codec, size: tuple[int, int]) -> None:
    unit = inspect_payload(codec, coded(codec, *size))
    blocks = 64 if codec is not Codec.MJPEG else 1
    assert size[0] <= unit.width < size[0] + blocks
    assert size[1] <= unit.height < size[1] + blocks
    assert unit.has_parameters
    assert unit.intra


@pytest.mark.parametrize("codec", CODECS)
def test_pictures_for_people_are_true_to_colour_and_size(codec: Codec) -> None:
    picture = scene(640, 360)
    picture[:, :320, 0] = 200
    picture[:, :320, 1:] = 30
    rgb = decode_rgb(codec, encode(codec, [picture], gop=1)[0])
    assert rgb.shape == (360, 640, 3)
    red = rgb[40:320, 40:280].reshape(-1, 3).mean(axis=0)
    assert np.abs(red - [200, 30, 30]).max() < 14
    small = render_jpeg(codec, encode(codec, [picture], gop=1)[0], side_px_max=100)
    assert (small.width, small.height) == (100, 56)
    assert small.jpeg[:2] == b"\xff\xd8"


def test_good_clips_are_whole_and_broken_ones_are_not(shared_data: Path, decoder: Decoder) -> None:
    from engine.config.feed import FeedSettings
    from engine.feed.camera_url import source_url
    from engine.feed.demuxing.pool import fetch_now
    from engine.model.keyframe import Keyframe

    settings = FeedSettings(schemes=("file",), deadline_s=5)
    for path in sorted((shared_data / "camera").glob("*.mp4")):
        end = fetch_now(source_url(str(path)), settings)
        assert isinstance(end, Keyframe)
        assert decoder.decode(end.codec, end.payload).damage == (), path.name
    for name in ("syn_halfkey.h264", "syn_halfkey.h265", "openh264_Error_I_P.264", "bad_huffman.jpg"):
        end = fetch_now(source_url(str(shared_data / "broken" / name)), settings)
        assert isinstance(end, Keyframe)
        assert damage_of(decoder, end.codec, bytes(end.payload)), name
