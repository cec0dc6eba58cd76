"""The codes of a JPEG are followed: whole files of every kind of encoder pass, and what no encoder writes is named."""

import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.decode.decoder import Decoder
from engine.decode.jpeg_check import jpeg_damage
from engine.decode.level_drift import has_drift
from engine.errors import DecodeError
from engine.model.keyframe import Codec
from tests.support.feed.clips import encode

START_OF_SCAN = b"\xff\xda"


def kitchen(width: int = 640, height: int = 368) -> np.ndarray:
    """A picture (height, width, 3) without edges on the grid of blocks: shaded walls, slanted edges, noise."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    rng = np.random.default_rng(5)
    picture = np.stack([90 + 60 * np.sin(x / 71 + n) + 40 * np.cos(y / 47 - x / 190) for n in range(3)], axis=-1)
    picture[(x + 3 * y) % 211 < 37] += (35, -20, 10)
    return np.clip(picture + rng.normal(0, 2, (height, width))[..., None], 20, 235).astype(np.uint8)


def coded(picture: np.ndarray | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(kitchen() if picture is None else picture).save(out, "JPEG", **options)
    return out.getvalue()


def damage_of(payload: bytes) -> tuple[str, ...]:
    """What is wrong with a JPEG, whichever way it is told."""
    decoder = Decoder()
    try:
        return decoder.decode(Codec.MJPEG, payload).damage
    except DecodeError as error:
        return (error.reason,)
    finally:
        decoder.close()


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 5}, {"quality": 50}, {"quality": 75, "optimize": True}, {"quality": 95, "subsampling": 0},
        {"quality": 85, "subsampling": 1}, {"quality": 100}, {"quality": 75, "progressive": True},
        {"quality": 60, "restart_marker_rows": 1}, {"quality": 90, "restart_marker_blocks": 7},
        {"quality": 75, "progressive": True, "restart_marker_rows": 2},
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(640, 368), (322, 242), (67, 65)])
def test_whole_files_pass(options: dict[str, Any], size: tuple[int, int]) -> None:
    assert damage_of(coded(kitchen(*size), **options)) == ()
    assert damage_of(coded(kitchen(*size)[..., 0], **options)) == ()


def test_black_white_and_burnt_pictures_pass() -> None:
    for picture in (np.zeros((128, 160, 3)), np.full((128, 160, 3), 255), np.clip(kitchen() * 4.0, 0, 255)):
        assert damage_of(coded(picture.astype(np.uint8), quality=80)) == ()
    assert damage_of(encode(Codec.MJPEG, [kitchen()], gop=1)[0]) == ()


@pytest.mark.parametrize("padding", [b"\xff" * 9, b"\0" * 30])
def test_padding_before_and_bytes_after_the_end_pass(padding: bytes) -> None:
    whole = coded(quality=80)
    assert whole.endswith(b"\xff\xd9")
    assert damage_of(whole[:-2] + padding + b"\xff\xd9") == ()
    assert damage_of(whole + b"camera 7, 12:00") == ()


@pytest.mark.parametrize("options", [{"quality": 75}, {"quality": 75, "optimize": True, "subsampling": 0}])
@pytest.mark.parametrize("seed", range(12))
def test_a_stretch_that_stands_twice_or_is_gone_is_named(options: dict[str, Any], seed: int) -> None:
    whole = coded(**options)
    rng = random.Random(seed)
    begin = rng.randrange(whole.index(START_OF_SCAN) + 20, len(whole) - 600)
    length = rng.randrange(200, 500)
    for payload in (whole[: begin + length] + whole[begin:], whole[:begin] + whole[begin + length :]):
        assert damage_of(payload)


def test_a_restart_marker_out_of_turn_is_named() -> None:
    whole = bytearray(coded(quality=75, restart_marker_rows=1))
    place = whole.index(b"\xff\xd3")
    whole[place + 1] = 0xD4
    assert damage_of(bytes(whole)) == ("restart_marker",)


def test_a_wrong_bit_in_a_mean_shifts_all_that_follows_and_is_named() -> None:
    """Bits that flip one by one: whatever shifts what follows by more than 40 levels is named."""
    whole = coded(quality=75)
    decoder = Decoder()
    before = np.array(decoder.decode(Codec.MJPEG, whole).luma, np.float64)
    rng = random.Random(3)
    shifted = missed = 0
    for _ in range(200):
        broken = bytearray(whole)
        broken[rng.randrange(whole.index(START_OF_SCAN) + 14, len(whole) * 3 // 4)] ^= 1 << rng.randrange(8)
        try:
            picture = decoder.decode(Codec.MJPEG, bytes(broken))
        except DecodeError:
            continue
        if np.median(np.abs(picture.luma[-64:] - before[-64:])) > 40:
            shifted += 1
            missed += not picture.damage
    assert shifted >= 10
    assert missed == 0, f"{missed} of {shifted}"
    decoder.close()


def test_quantisers_that_no_encoder_writes_are_named() -> None:
    whole = bytearray(coded(quality=75))
    place = whole.index(b"\xff\xdb") + 5
    whole[place + 20] ^= 0x80
    assert damage_of(bytes(whole)) == ("headers",)


def test_blocks_laid_out_by_wrong_sampling_factors_are_named() -> None:
    whole = bytearray(coded(quality=75))
    place = whole.index(b"\xff\xc0") + 11
    assert whole[place] == 0x22
    whole[place] = 0x41  # as many blocks a unit, four in a row
    assert damage_of(bytes(whole)) == ("sampling",)


@pytest.mark.parametrize("begin", [5 * 40 + 17, 3 * 40 + 5])
def test_means_that_leap_in_the_middle_of_a_row_drift_and_edges_of_a_scene_do_not(begin: int) -> None:
    rng = np.random.default_rng(2)
    wall = (100 + rng.normal(0, 2, (12, 40))).astype(np.float32)
    leapt = wall.copy().ravel()
    leapt[begin:] += 25
    assert not has_drift(wall)
    assert has_drift(leapt.reshape(wall.shape))
    floor = wall.copy()
    floor[6:] -= 60
    assert not has_drift(floor)
    y, x = np.mgrid[:12, :40]
    for slope in (0.01, 0.03, 0.1):  # a floor's edge, not quite level
        assert not has_drift((wall - 60 * np.clip(y - 5 - slope * x, 0, 1)).astype(np.float32))


def test_hostile_headers_end_soon() -> None:
    decoder = Decoder()
    picture = decoder.decode(Codec.MJPEG, coded())
    for payload in (b"", b"\xff\xd8", b"\xff" * 1_000_000, b"\xff\xd8" + b"\xff\x01" * 100_000, coded()[:300]):
        assert jpeg_damage(payload, picture) == "headers"
    decoder.close()


@pytest.mark.parametrize(("marker", "offset", "value"), [(b"\xff\xdb", 1, 0xDF), (b"\xff\xc0", 4, 9)])
def test_headers_that_name_what_is_not_there_are_named(marker: bytes, offset: int, value: int) -> None:
    """A table of quantisers that is hidden by its marker, and samples of 9 bits: FFmpeg decodes both."""
    whole = bytearray(coded(quality=75))
    whole[whole.index(marker) + offset] = value
    assert damage_of(bytes(whole)) in {("headers",), ("damaged",)}
