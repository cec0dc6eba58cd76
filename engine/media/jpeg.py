"""Reads the headers of a JPEG. Pure. Source: ITU-T T.81 B.1 and B.2."""

import re
from dataclasses import dataclass

START_OF_IMAGE = b"\xff\xd8"
END_OF_IMAGE = b"\xff\xd9"

_MARKERS_MAX = 4096
_PADDING_BYTES_MAX = 512
_START_OF_SCAN = b"\xff\xda"
_SCANS_AND_FRAMES = re.compile(rb"\xff[\xda\xc0-\xc3]")
"""The starts of scans, and of frames of the kinds that FFmpeg decodes: baseline, extended, progressive, lossless."""


@dataclass(frozen=True, slots=True)
class JpegHeaders:
    """`width` and `height` in pixels, of the first frame header; 0 if there is none. `truncated`: the end marker is
    missing. `scans`, `frames`: markers of scans and frames in the payload, those inside metadata too."""

    width: int
    height: int
    has_frame: bool
    truncated: bool
    scans: int
    frames: int


def read_headers(payload: bytes) -> JpegHeaders | None:
    """Return what the headers say; None if `payload` does not begin as a JPEG. Reads at most _MARKERS_MAX markers."""
    if not payload.startswith(START_OF_IMAGE):
        return None
    truncated = END_OF_IMAGE not in payload[-_PADDING_BYTES_MAX:]  # some cameras pad after the end
    # Coded data cannot hold these bytes. Whatever a decoder takes for a scan or a frame is among them.
    markers = _SCANS_AND_FRAMES.findall(payload)
    scans = markers.count(_START_OF_SCAN)
    counts = scans, len(markers) - scans
    place = len(START_OF_IMAGE)
    for _ in range(_MARKERS_MAX):
        if place + 9 > len(payload) or payload[place] != 0xFF:
            break
        marker = payload[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif 0xD0 <= marker <= 0xD8 or marker == 1:  # a marker without a segment
            place += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            height = int.from_bytes(payload[place + 5 : place + 7], "big")
            width = int.from_bytes(payload[place + 7 : place + 9], "big")
            return JpegHeaders(width, height, True, truncated, *counts)
        else:
            place += 2 + int.from_bytes(payload[place + 2 : place + 4], "big")
    return JpegHeaders(0, 0, False, truncated, *counts)
