"""Checks whether the coded data of a JPEG are what an encoder wrote: damage that FFmpeg decodes without a word.

Checked: JPEGs of 8 bits with Huffman codes, sequential or progressive. Of progressive ones, the scans that refine
coefficients are not followed. Other codings count as whole; no camera sends them.
"""

import re
from typing import Final

from engine.decode import jpeg_results
from engine.decode.grid_steps import grid_excess
from engine.decode.jpeg_scan import follow_scan
from engine.decode.jpeg_tables import ScanReader, TablesError
from engine.decode.level_drift import has_drift
from engine.model.picture import Picture

_WORDS: Final = {
    jpeg_results.CODE_BROKEN: "broken_code",
    jpeg_results.DATA_SHORT: "truncated",
    jpeg_results.DATA_LONG: "scan_length",
    jpeg_results.RESTART_WRONG: "restart_marker",
}
_GRID_EXCESS_MAX: Final = 30.0
"""engine/decode/grid_steps.py: 100 and more where every unit of blocks is laid out wrongly."""
_SCANS_MAX = 64
_PADDING_BYTES_MAX = 4096
_MARKER = b"\xff"
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def jpeg_damage(payload: bytes, picture: Picture) -> str | None:
    """Return what is wrong with a JPEG whose picture is `picture`; None if nothing is found.

    broken_code, truncated, headers, restart_marker: as they say. scan_length: the data go on after the last block.
    level_range: means of blocks lie beyond black or white. level_drift: they leap in the middle of a row. sampling:
    rare sampling factors, with which the blocks do not fit together.
    """
    reader = ScanReader(payload)
    place = 0
    try:
        for _ in range(_SCANS_MAX):
            scan = reader.next_scan(place)
            if scan is None:
                misfit = not reader.usual_sampling and grid_excess(picture) > _GRID_EXCESS_MAX
                return "sampling" if misfit else None
            if scan.refines and scan.first > 0:  # what its bits mean depends on all earlier scans
                place = _next_marker(payload, scan.begin)
                continue
            followed = follow_scan(payload, scan)
            place = _skip_padding(payload, followed.end)
            padded = followed.result == jpeg_results.DATA_LONG and payload[place : place + 1] == _MARKER
            if followed.result != jpeg_results.WHOLE and not padded:
                return _WORDS[followed.result]
            if followed.beyond:
                return "level_range"
            if any(has_drift(plane.reshape(-1, scan.columns)) for plane in followed.levels):
                return "level_drift"
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
