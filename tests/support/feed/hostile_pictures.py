"""Builds pictures that are small and cost much: progressive JPEGs of many scans."""

import struct

from engine.media.limits import SCANS_MAX
from tests.support.feed.bit_writer import BitWriter

_RUN_BLOCKS = 32_767
"""Blocks of the longest run of empty ones that a scan can code, in 15 bits."""


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def _scan(components: int, first: int, spectrum: tuple[int, int], coded: bytes) -> bytes:
    named = b"".join(bytes([first + n, 0x00]) for n in range(components))
    return _segment(0xDA, bytes([components]) + named + bytes([*spectrum, 0x00])) + coded


def progressive_jpeg(side_px: int, scans: int, components: int = 1) -> bytes:
    """A whole progressive JPEG of `side_px` a side, one grey, with `scans` scans.

    The first has the levels of the blocks. The others have runs of empty blocks: each is some ten bytes, and a decoder
    goes through the whole picture for it.
    """
    blocks = (-(-side_px // 8)) ** 2
    planes = b"".join(bytes([1 + n, 0x11, 0]) for n in range(components))
    frame = struct.pack(">BHHB", 8, side_px, side_px, components) + planes
    one_code = bytes([1]) + bytes(15)
    runs = BitWriter()
    for _ in range(-(-blocks // _RUN_BLOCKS)):
        runs.write(_RUN_BLOCKS - (1 << 14), 15)  # the code is one bit 0, then 14 bits of the run
    coded = runs.rbsp().replace(b"\xff", b"\xff\0")
    empty = [_scan(1, 1 + n, (1, 63), coded) for n in range(components)]
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xDB, bytes([0]) + bytes([1]) * 64),
            _segment(0xC2, frame),
            _segment(0xC4, bytes([0x00]) + one_code + bytes([0x00])),  # DC: no difference to the block before
            _segment(0xC4, bytes([0x10]) + one_code + bytes([0xE0])),  # AC: a run of empty blocks
            _scan(components, 1, (0, 0), bytes(-(-blocks * components // 8))),
            *[empty[n % components] for n in range(scans - 1)],
            b"\xff\xd9",
        ]
    )


def bomb() -> bytes:
    """A JPEG of 60,000 scans that takes minutes to decode; its headers give it away."""
    return progressive_jpeg(8192, 60_000)


def costly_jpeg() -> bytes:
    """A JPEG whose headers are as allowed, and that takes some half second to decode."""
    return progressive_jpeg(8192, SCANS_MAX, components=3)
