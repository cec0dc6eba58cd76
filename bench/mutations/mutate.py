"""Damages a payload in the ways that links, recorders and attackers do; the same seed gives the same bytes. Pure.

flips     single bits, one to thirty of them
hole      one to three stretches of zeros, as a recorder writes for packets that it never received
noise     a stretch of random bytes
cut       the end is missing, or bytes in the middle are
repeat    a stretch stands twice
splice    begins as one keyframe and goes on as another of the same camera
header    bits and bytes of parameter sets, slice headers or JPEG segments
bomb      sizes that the headers name, or how often a parameter set or a segment stands there
"""

import random
import struct
from collections.abc import Callable
from typing import NamedTuple

from engine.media.nal import SYNTAX, unit_spans
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec

_HEAD_BYTES = 48
_FLIPS_MAX = 30
_START_OF_SCAN = b"\xff\xda"
_FRAME_HEADERS = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")
_COPIES_MAX = 2_000


class Mutant(NamedTuple):
    """A damaged payload and the kind of its damage."""

    kind: str
    payload: bytes


def mutate(codec: Codec, payload: bytes, other: bytes, rng: random.Random) -> Mutant:
    """Return `payload` damaged in one way of KINDS. `other`: another keyframe of the camera, to splice with."""
    kind = rng.choice(list(KINDS))
    mutant = KINDS[kind](codec, payload, other, rng)
    return Mutant(kind, mutant[:PAYLOAD_BYTES_MAX])


def _flips(_codec: Codec, payload: bytes, _other: bytes, rng: random.Random) -> bytes:
    data = bytearray(payload)
    for _ in range(rng.randint(1, _FLIPS_MAX) if rng.random() < 0.7 else 1):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _hole(_codec: Codec, payload: bytes, _other: bytes, rng: random.Random) -> bytes:
    data = bytearray(payload)
    for _ in range(rng.randint(1, 3)):
        begin, end = _stretch(payload, rng)
        data[begin:end] = bytes(end - begin)
    return bytes(data)


def _noise(_codec: Codec, payload: bytes, _other: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(payload, rng)
    return payload[:begin] + rng.randbytes(end - begin) + payload[end:]


def _cut(_codec: Codec, payload: bytes, _other: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(payload, rng)
    return payload[:begin] if rng.random() < 0.5 else payload[:begin] + payload[end:]


def _repeat(_codec: Codec, payload: bytes, _other: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(payload, rng)
    return payload[:end] + payload[begin:]


def _splice(_codec: Codec, payload: bytes, other: bytes, rng: random.Random) -> bytes:
    cut = rng.randrange(len(payload))
    again = rng.randrange(len(other)) if rng.random() < 0.5 else int(cut * len(other) / len(payload))
    return payload[:cut] + other[again:]


def _header(codec: Codec, payload: bytes, _other: bytes, rng: random.Random) -> bytes:
    data = bytearray(payload)
    places = _header_places(codec, payload)
    for _ in range(rng.randint(1, 4)):
        place = rng.choice(places)
        data[place] = data[place] ^ 1 << rng.randrange(8) if rng.random() < 0.7 else rng.randrange(256)
    return bytes(data)


def _bomb(codec: Codec, payload: bytes, _other: bytes, rng: random.Random) -> bytes:
    if codec is Codec.MJPEG:
        return _jpeg_bomb(payload, rng)
    syntax = SYNTAX[codec]
    sets = [span for span in unit_spans(payload) if syntax.unit_type(payload[span[0]]) in syntax.parameter_sets]
    if not sets:
        return payload
    begin, end = rng.choice(sets)
    if rng.random() < 0.5:  # the same set many times, before everything
        return (b"\0\0\0\1" + payload[begin:end]) * rng.randint(2, _COPIES_MAX) + payload
    data = bytearray(payload)  # Exp-Golomb codes that begin with zeros are large numbers
    begin = rng.randrange(begin + syntax.header_bytes, end)
    data[begin : min(end, begin + rng.randint(1, 4))] = b"\0\0\1\0"[: max(0, min(end, begin + 4) - begin)]
    return bytes(data)


def _jpeg_bomb(payload: bytes, rng: random.Random) -> bytes:
    data = bytearray(payload)
    place = next((place for mark in _FRAME_HEADERS if (place := payload.find(mark)) >= 0), -1)
    scan = payload.find(_START_OF_SCAN)
    if place < 0 or scan < 0:
        return payload
    way = rng.randrange(3)
    if way == 0:  # another height or width
        struct.pack_into(">H", data, place + rng.choice((5, 7)), rng.choice((0, 1, 63, 64, 4000, 8192, 8193, 65535)))
    elif way == 1:  # other sampling factors
        data[place + 11 + 3 * rng.randrange(3)] = rng.choice((0x11, 0x12, 0x21, 0x22, 0x41, 0x44, 0xFF))
    else:  # many scans
        data += bytes(payload[scan:]) * rng.randint(2, 8)
    return bytes(data)


def _stretch(payload: bytes, rng: random.Random) -> tuple[int, int]:
    """Return where a stretch begins and ends: short ones as likely as long ones, at most half of the payload."""
    length = min(len(payload) // 2, int(2 ** rng.uniform(0, 17)))
    begin = rng.randrange(len(payload) - length)
    return begin, begin + length


def _header_places(codec: Codec, payload: bytes) -> list[int]:
    """Return the offsets of bytes that are no coded samples."""
    if codec is Codec.MJPEG:
        scan = payload.find(_START_OF_SCAN)
        return list(range(2, (scan if scan > 0 else len(payload)) + 14))[: len(payload) - 2]
    syntax = SYNTAX[codec]
    places: list[int] = []
    for begin, end in unit_spans(payload):
        head = _HEAD_BYTES if syntax.unit_type(payload[begin]) in syntax.slices else end - begin
        places += range(begin, min(end, begin + head))
    return places or [0]


KINDS: dict[str, Callable[[Codec, bytes, bytes, random.Random], bytes]] = {
    "flips": _flips,
    "hole": _hole,
    "noise": _noise,
    "cut": _cut,
    "repeat": _repeat,
    "splice": _splice,
    "header": _header,
    "bomb": _bomb,
}
