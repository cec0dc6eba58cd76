"""Finds bytes in coded slices that no encoder writes: three zeros in a row, which emulation prevention forbids.

A recorder or a link that lost packets leaves such holes. CABAC takes zeros for likely symbols and goes on painting,
smoothly and far: FFmpeg reports no error. Sources: ITU-T H.264 (08/2021) 7.4.1; ITU-T H.265 (08/2021) 7.4.2.
"""

import re

from engine.media.nal import SYNTAX, unit_spans
from engine.model.keyframe import Codec

_HOLE = b"\0\0\0"
_START_CODE_PREFIX = b"\0\0\1"
_ZEROS = re.compile(rb"\0+")
_ZERO_RUNS_MAX = 4096
_TAILS_MAX = 64
_END_BYTES = 8


def zero_hole(codec: Codec, payload: bytes) -> bool:
    """Whether a coded slice of an Annex-B payload holds three zeros in a row.

    Zeros before a start code and at the end are padding, which is allowed. Other NAL units are not checked: some
    cameras write messages of their own without emulation prevention.
    """
    syntax = SYNTAX[codec]
    in_slice = False
    behind = 0
    place = payload.find(_HOLE)
    for _ in range(_ZERO_RUNS_MAX):
        zeros = _ZEROS.match(payload, max(place, 0))
        if place < 0 or zeros is None or zeros.end() == len(payload):
            return False
        unit = payload.rfind(_START_CODE_PREFIX, behind, place)
        if unit >= 0:
            in_slice = syntax.unit_type(payload[unit + len(_START_CODE_PREFIX)]) in syntax.slices
        behind = zeros.end() - 2  # a start code may begin with the last two zeros
        if in_slice and payload[zeros.end()] != 1:
            return True
        place = payload.find(_HOLE, zeros.end())
    return False


def with_tails(codec: Codec, payload: bytes, tail: bytes) -> bytes:
    """Return an Annex-B payload with `tail` after the data of every slice, of the first _TAILS_MAX and the last.

    Zeros after a slice are left out: they are padding, or a hole that reaches to a start code.
    """
    syntax = SYNTAX[codec]
    ends = [end for begin, end in unit_spans(payload) if syntax.unit_type(payload[begin]) in syntax.slices]
    parts: list[bytes] = []
    place = 0
    for end in [*ends[:_TAILS_MAX], *ends[_TAILS_MAX:][-1:]]:
        parts += [payload[place:end], tail]
        following = _ZEROS.match(payload, end)
        # the zeros of a start code that follows stay
        place = end if following is None else max(end, following.end() - 2)
    return b"".join([*parts, payload[place:]])


def without_slice_end(codec: Codec, payload: bytes) -> bytes | None:
    """Return an Annex-B payload up to the last _END_BYTES bytes of its last slice; None if it has no slice so long."""
    syntax = SYNTAX[codec]
    slices = [span for span in unit_spans(payload) if syntax.unit_type(payload[span[0]]) in syntax.slices]
    if not slices or slices[-1][1] - slices[-1][0] <= 2 * _END_BYTES:
        return None
    return payload[: slices[-1][1] - _END_BYTES]
