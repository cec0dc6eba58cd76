"""Checks that what FFmpeg calls a keyframe decodes by itself, and adds missing parameter sets. Pure."""

from engine.media import nal
from engine.media.jpeg import START_OF_IMAGE
from engine.model.keyframe import Codec


def complete_keyframe(codec: Codec, payload: bytes, extradata: bytes) -> bytes | None:
    """Return `payload`, preceded by those parameter sets of `extradata` (Annex-B) that it lacks.

    Returns None if it does not decode by itself: no random access type, no recovery point, not all slices intra (of
    H.264), or parameter sets that neither has. Of a JPEG only the start marker is checked.
    """
    if codec is Codec.MJPEG:
        return payload if payload.startswith(START_OF_IMAGE) else None
    syntax = nal.SYNTAX[codec]
    spans = [(syntax.unit_type(payload[begin]), begin, end) for begin, end in nal.unit_spans(payload)]
    types = {unit_type for unit_type, _, _ in spans}
    slices = [begin for unit_type, begin, _ in spans if unit_type in syntax.slices]
    if not slices or not (
        types & syntax.random_access
        or any(
            unit_type == syntax.sei and nal.has_recovery_point(codec, payload[begin:end])
            for unit_type, begin, end in spans
        )
        or all(nal.is_intra_slice(codec, payload[begin : begin + nal.SLICE_HEAD_BYTES]) for begin in slices)
    ):
        return None
    missing = [unit_type for unit_type in syntax.parameter_sets if unit_type not in types]
    if not missing:
        return payload
    added = [
        (unit_type, extradata[begin:end])
        for begin, end in nal.unit_spans(extradata)
        if (unit_type := syntax.unit_type(extradata[begin])) in missing
    ]
    if {unit_type for unit_type, _ in added} != set(missing):
        return None
    return b"".join(nal.START_CODE + unit for _, unit in added) + payload
