"""A server that sends parameter sets without end fills no memory, and no keyframe."""

from engine.feed.rtsp.assembler import Assembler
from engine.feed.rtsp.rtp import Packet
from engine.media import limits
from engine.media.access_unit import inspect_payload
from engine.model.keyframe import Codec
from tests.support.expect import present
from tests.support.feed.clips import encode, scene, units

FOUND = units(encode(Codec.H264, [scene(160, 128)])[0])
SPS, PPS, SLICE = (next(unit for unit in FOUND if unit[0] & 31 == kind) for kind in (7, 8, 5))
IDENTITIES = [(header, number) for header in (0x08, 0x28, 0x48, 0x68) for number in range(256)]
"""Of picture parameter sets that count as different."""


def after_flood(flood: list[bytes], keyframe: list[bytes]) -> bytes:
    """The keyframe that an assembler makes after a flood of units, each in a picture of its own."""
    assembler = Assembler(Codec.H264, [])
    pictures = [*([unit] for unit in flood), keyframe]
    sequence = 0
    whole = None
    for timestamp, picture in enumerate(pictures):
        for unit in picture:
            whole = assembler.push(Packet(sequence & 0xFFFF, timestamp, unit is SLICE, 96, unit))
            sequence += 1
    return present(whole).payload


def test_of_picture_parameter_sets_as_many_are_kept_as_a_decoder_is_given() -> None:
    flood = [bytes([header, number]) + bytes(4000) for header, number in IDENTITIES]
    payload = after_flood(flood, [SPS, SLICE])
    assert len(payload) < limits.PARAMETER_SETS_MAX * limits.PARAMETER_SET_BYTES_MAX + len(SLICE) + 1000
    assert inspect_payload(Codec.H264, payload).excess == ""


def test_the_newest_are_kept_and_one_that_is_sent_again_is_new() -> None:
    payload = after_flood([*(bytes([header, number, 1]) for header, number in IDENTITIES), PPS], [SPS, SLICE])
    assert PPS in units(payload)


def test_one_that_is_absurdly_long_is_not_kept() -> None:
    long = bytes([PPS[0] ^ 0x20, PPS[1]]) + bytes(limits.PARAMETER_SET_BYTES_MAX)
    assert len(after_flood([long, PPS], [SPS, SLICE])) < 1000 + len(SLICE)
