"""Bytes that no encoder writes into a slice, and slices whose data go on after the picture's last block."""

import random

import numpy as np
import pytest

from engine.decode.decoder import Decoder
from engine.decode.grid_steps import grid_excess
from engine.decode.slice_check import with_tails, without_slice_end, zero_hole
from engine.errors import DecodeError
from engine.model.keyframe import Codec
from tests.support.expect import present
from tests.support.feed.clips import encode, units
from tests.unit.decode.test_jpeg_check import kitchen

CODECS = [Codec.H264, Codec.H265]
OWN_MESSAGE = {Codec.H264: b"\x06\x05", Codec.H265: b"\x4e\x01\x05"}


def coded(codec: Codec) -> bytes:
    return encode(codec, [kitchen()], gop=1)[0]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("length", [3, 40, 2000])
def test_a_hole_of_zeros_in_a_slice_is_damage_whatever_the_decoder_makes_of_it(codec: Codec, length: int) -> None:
    payload = coded(codec)
    begin = len(payload) * 2 // 3
    holed = payload[:begin] + bytes(length) + payload[begin + length :]
    assert zero_hole(codec, holed)
    decoder = Decoder()
    assert "zero_hole" in decoder.decode(codec, holed).damage
    decoder.close()


@pytest.mark.parametrize("codec", CODECS)
def test_zeros_that_are_allowed_are_no_hole(codec: Codec) -> None:
    payload = coded(codec)
    parts = units(payload)
    assert not zero_hole(codec, payload)
    assert not zero_hole(codec, payload + bytes(500))
    assert not zero_hole(codec, b"".join(bytes(20) + b"\0\0\1" + unit for unit in parts))
    assert not zero_hole(codec, b"\0\0\1" + OWN_MESSAGE[codec] + bytes(9) + b"camera" + payload)


@pytest.mark.parametrize("codec", CODECS)
def test_a_hole_to_the_end_is_damage(codec: Codec) -> None:
    payload = coded(codec)
    begin = len(payload) // 2
    decoder = Decoder()
    assert decoder.decode(codec, payload[:begin] + bytes(len(payload) - begin)).damage
    assert decoder.decode(codec, payload + bytes(1000)).damage == ()
    decoder.close()


def test_h265_that_lost_synchronisation_is_damage() -> None:
    """Random bytes in a slice: FFmpeg paints on to the last block, and data are left over. Nearly all are named."""
    payload = coded(Codec.H265)
    decoder = Decoder()
    whole = np.array(decoder.decode(Codec.H265, payload).luma, np.float64)
    shown = missed = 0
    for seed in range(60):
        rng = random.Random(seed)
        begin = rng.randrange(len(payload) // 2, len(payload) * 9 // 10)
        broken = payload[:begin] + rng.randbytes(30) + payload[begin + 30 :]
        try:
            picture = decoder.decode(Codec.H265, broken)
        except DecodeError:
            continue
        if np.mean(np.abs(picture.luma - whole) > 16) > 0.02:
            shown += 1
            missed += not picture.damage
    decoder.close()
    assert shown >= 20
    assert missed <= shown // 20, f"{missed} of {shown}"


def test_a_slice_whose_end_holds_nothing_but_colour_is_whole() -> None:
    """Found on photographs: whole H.265 pictures of 512x384 were called damaged, since only their luma was compared."""
    generator = np.random.default_rng(3)
    squares = generator.integers(60, 200, (48, 64, 1)).repeat(8, 0).repeat(8, 1)  # blocks that do not fit together
    rgb = np.repeat(squares, 3, axis=2)
    rgb[320:, 448:] = 128
    rgb[320:, 448:, 2] += generator.integers(-120, 120, (64, 64))
    payload = encode(Codec.H265, [rgb.astype(np.uint8)], gop=1)[0]
    shortened = without_slice_end(Codec.H265, payload)
    assert shortened is not None
    decoder = Decoder()
    luma = np.array(decoder.decode(Codec.H265, payload).luma)
    assert np.array_equal(decoder.decode(Codec.H265, shortened).luma, luma)
    assert decoder.decode(Codec.H265, payload).damage == ()
    decoder.close()


@pytest.mark.parametrize("codec", CODECS)
def test_the_end_of_the_last_slice_is_what_is_left_off(codec: Codec) -> None:
    payload = coded(codec)
    assert without_slice_end(codec, payload + b"\0\0\1" + OWN_MESSAGE[codec] + b"camera") == payload[:-8]
    assert without_slice_end(codec, b"\0\0\1\x65\x88") is None


def test_the_tail_goes_after_every_slice_in_place_of_padding() -> None:
    slices = [b"\x26\x01" + bytes([n]) * 9 for n in (1, 2)]
    head = b"\0\0\0\1\x42\x01sps"
    payload = head + b"\0\0\0\1" + slices[0] + bytes(50) + b"\0\0\1" + slices[1] + bytes(7)
    wanted = head + b"\0\0\0\1" + slices[0] + b"TAIL\0\0\1" + slices[1] + b"TAIL"
    assert with_tails(Codec.H265, payload, b"TAIL").rstrip(b"\0") == wanted


def test_a_hole_of_h265_that_ends_as_a_start_code_does_is_damage() -> None:
    payload = coded(Codec.H265)
    begin = len(payload) // 2
    holed = payload[:begin] + bytes(len(payload) - begin - 60) + b"\1" + payload[-59:]
    decoder = Decoder()
    assert decoder.decode(Codec.H265, holed).damage
    decoder.close()


def test_a_whole_h265_picture_whose_slice_ends_with_colour_is_no_damage() -> None:
    """The last bytes of a slice hold the colour of the last block: without them, luma alone is the same."""
    random = np.random.default_rng(2)
    levels = np.kron(random.uniform(60, 180, (18, 24)), np.ones((16, 16)))  # steps on the grid of blocks
    picture = np.repeat(levels[..., None], 3, axis=2)
    colour = np.kron(random.normal(0, 40, (16, 16)), np.ones((2, 2)))
    picture[-32:, -32:] = 120 + np.stack((colour, -0.51 * colour, np.zeros_like(colour)), axis=-1)
    options = {"x265-params": "qp=22"}
    payload = encode(Codec.H265, [np.clip(picture, 0, 255).astype(np.uint8)], gop=1, options=options)[0]
    decoder = Decoder()
    whole = decoder.decode(Codec.H265, payload)
    assert grid_excess(whole) > 1.8  # so that the end is looked at
    luma = np.array(whole.luma)
    shortened = with_tails(Codec.H265, present(without_slice_end(Codec.H265, payload)), b"\xff" * 64)
    assert np.array_equal(decoder.decode(Codec.H265, shortened).luma, luma)
    assert whole.damage == ()
    decoder.close()
