"""Finds bytes in coded slices that no encoder writes: three zeros in a row, which emulation prevention forbids.

A recorder or a link that lost packets leaves such holes. CABAC takes zeros for likely symbols and goes on painting,
smoothly and far: FFmpeg reports no error. Sources: ITU-T H.264 (08/2021) 7.4.1; ITU-T H.265 (08/2021) 7.4.2.
"""

from engine.media.nal import SYNTAX, unit_spans
from engine.model.keyframe import Codec

_HOLE = b"\0\0\0"
_END_BYTES = 8


def zero_hole(codec: Codec, payload: bytes) -> bool:
    """Whether a coded slice of an Annex-B payload holds three zeros in a row.

    Zeros before a start code and at the end are padding, which is allowed. Other NAL units are not checked: some
    cameras write messages of their own without emulation prevention.
    """
    syntax = SYNTAX[codec]
    return any(
        syntax.unit_type(payload[begin]) in syntax.slices and payload.find(_HOLE, begin, end) >= 0
        for begin, end in unit_spans(payload)
    )


def without_slice_end(codec: Codec, payload: bytes) -> bytes | None:
    """Return an Annex-B payload up to the last _END_BYTES bytes of its last slice; None if it has no slice so long."""
    syntax = SYNTAX[codec]
    slices = [span for span in unit_spans(payload) if syntax.unit_type(payload[span[0]]) in syntax.slices]
    if not slices or slices[-1][1] - slices[-1][0] <= 2 * _END_BYTES:
        return None
    return payload[: slices[-1][1] - _END_BYTES]
