"""What FFmpeg calls a keyframe, looked at again: it must stand by itself, with its parameter sets. Pure."""

from engine.media import nal
from engine.model.keyframe import Codec

_START = b"\0\0\1"
_START_CODE = b"\0\0\0\1"


def units(payload: bytes) -> list[bytes]:
    """The NAL units of an Annex-B payload."""
    return [unit.rstrip(b"\0") for unit in payload.split(_START)[1:] if unit.strip(b"\0")]


def carries_keyframe(codec: Codec, payload: bytes, extradata: bytes) -> bytes | None:
    """The payload, with parameter sets of `extradata` (Annex-B) put before it if it has none.

    None if it holds no picture that can be decoded by itself: no IDR, CRA, BLA or recovery point, no parameter sets.
    """
    if codec is Codec.MJPEG:
        return payload if payload[:2] == b"\xff\xd8" else None
    syntax = nal.SYNTAX[codec]
    found = units(payload)
    kinds = {syntax.kind(unit[0]) for unit in found}
    recovers = codec is Codec.H264 and any(
        syntax.kind(unit[0]) in syntax.supplement and nal.has_recovery_point(unit) for unit in found
    )
    slices = [unit for unit in found if syntax.kind(unit[0]) in syntax.slices]
    stands_alone = bool(kinds & syntax.random_access) or (
        recovers or (codec is Codec.H264 and bool(slices) and all(map(nal.is_intra_slice, slices)))
    )
    if not slices or not stands_alone:
        return None
    missing = [kind for kind in syntax.parameter_sets if kind not in kinds]
    if not missing:
        return payload
    known = [unit for unit in units(extradata) if syntax.kind(unit[0]) in missing]
    if {syntax.kind(unit[0]) for unit in known} != set(missing):
        return None
    return b"".join(_START_CODE + unit for unit in known) + payload
