"""Checks whether the coded data of a JPEG are what an encoder wrote: damage that FFmpeg decodes without a word.

Checked: JPEGs of 8 bits with Huffman codes, sequential or progressive. Of progressive ones, the scans that refine
coefficients are not followed. Other codings count as whole; no camera sends them.
"""

import re
from typing import Final

from engine.decode import jpeg_scan
from engine.decode.jpeg_tables import ScanReader, TablesError

_WORDS: Final = {
    jpeg_scan.CODE_BROKEN: "broken_code",
    jpeg_scan.DATA_SHORT: "truncated",
    jpeg_scan.DATA_LONG: "scan_length",
    jpeg_scan.RESTART_WRONG: "restart_marker",
}
_SCANS_MAX = 64
_PADDING_BYTES_MAX = 4096
_MARKER = b"\xff"
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def jpeg_damage(payload: bytes) -> str | None:
    """Return what is wrong with a JPEG: broken_code, truncated, scan_length, restart_marker, level_range, headers.

    None if nothing is found. scan_length: the data go on after the last block; level_range: means of blocks lie beyond
    black or white.
    """
    reader = ScanReader(payload)
    place = 0
    try:
        for _ in range(_SCANS_MAX):
            scan = reader.next_scan(place)
            if scan is None:
                return None
            if scan.refines and scan.first > 0:  # what its bits mean depends on all earlier scans
                place = _next_marker(payload, scan.begin)
                continue
            result, place, beyond = jpeg_scan.follow_scan(payload, scan)
            if result != jpeg_scan.WHOLE:
                return _WORDS[result]
            if beyond:
                return "level_range"
            place = _skip_padding(payload, place)
    except TablesError:
        return "headers"
    return "headers"


def _skip_padding(payload: bytes, place: int) -> int:
    """Return the offset of the next marker if only bytes of one value stand before it, as some encoders pad; else
    `place`."""
    marker = payload.find(_MARKER, place, place + _PADDING_BYTES_MAX)
    padding = payload[place : max(place, marker)]
    return place + len(padding) if len(set(padding)) <= 1 else place


def _next_marker(payload: bytes, place: int) -> int:
    """Return the offset of the next marker that ends a scan; the end of the payload if there is none."""
    ends = _SCAN_END.search(payload, place)
    return len(payload) if ends is None else ends.start()
