"""Packs a keyframe, with the facts of its verdict, into the bytes of one file. Pure.

Layout: "PKE2", the length of the header in four bytes (big-endian), the header (JSON), the payload as it came, the
visit id in eight bytes. Files are overwritten in place; the visit id at the end tells a reader that the file is
complete.
"""

import json
from collections.abc import Mapping
from typing import Any

from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Scores
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict
from engine.model.visit import FeedKind

_MAGIC = b"PKE2"
_LENGTH_BYTES = 4
_MARK_BYTES = 8
HEADER_BYTES_MAX = 64 * 1024

Facts = Mapping[str, Any]
"""What a verdict said, as JSON: strings, numbers, and lists of them; `figures` are the raw figures."""


def facts_of(verdict: Verdict) -> Facts:
    """Return the facts of a verdict, without its thresholds: `rules_version` and the verdict's row in the log have
    them."""
    scores = verdict.scores
    return {
        "at_wall_ns": verdict.at_wall_ns,
        "state": verdict.state,
        "kinds": verdict.kinds,
        "reason": verdict.reason,
        "detail": verdict.detail,
        "cause": verdict.cause,
        "confidence": verdict.confidence,
        "announced": verdict.announced,
        "announced_kinds": verdict.announced_kinds,
        "announced_cause": verdict.announced_cause,
        "severity": verdict.severity,
        "scores": [scores.sharpness, scores.exposure, scores.occlusion],
        "figures": dict(verdict.figures),
        "tiles": verdict.tiles,
        "rules_version": verdict.rules_version,
        "width": verdict.width,
        "height": verdict.height,
    }


def verdict_of(facts: Facts, camera_id: str, visit_id: int) -> Verdict:
    """Build the verdict of these facts, without its thresholds. Raises KeyError, TypeError or ValueError."""
    return Verdict(
        camera_id=camera_id,
        visit_id=visit_id,
        at_wall_ns=facts["at_wall_ns"],
        state=State(facts["state"]),
        kinds=tuple(FaultKind(kind) for kind in facts["kinds"]),
        reason=facts["reason"],
        detail=facts["detail"],
        announced=State(facts["announced"]),
        announced_kinds=tuple(FaultKind(kind) for kind in facts["announced_kinds"]),
        scores=Scores(*facts["scores"]),
        figures=facts["figures"],
        rules_version=facts["rules_version"],
        width=facts["width"],
        height=facts["height"],
        cause=Cause(facts["cause"]) if facts["cause"] else None,
        announced_cause=Cause(facts["announced_cause"]) if facts["announced_cause"] else None,
        severity=Severity(facts["severity"]) if facts["severity"] else None,
        confidence=facts["confidence"],
        tiles=tuple(facts["tiles"]),
    )


def origin_of(keyframe: Keyframe) -> dict[str, Any]:
    """Return where and when a keyframe came from, as JSON."""
    return {
        "camera_id": keyframe.camera_id,
        "visit_id": keyframe.visit_id,
        "codec": keyframe.codec,
        "arrival_wall_ns": keyframe.arrival_wall_ns,
        "stream_time_ns": keyframe.stream_time_ns,
        "source": keyframe.source,
    }


def keyframe_of(origin: Facts, payload: bytes) -> Keyframe:
    """Build a keyframe from its origin and payload. Raises KeyError or ValueError."""
    return Keyframe(
        camera_id=origin["camera_id"],
        visit_id=origin["visit_id"],
        codec=Codec(origin["codec"]),
        payload=payload,
        arrival_wall_ns=origin["arrival_wall_ns"],
        stream_time_ns=origin["stream_time_ns"],
        source=FeedKind(origin["source"]),
    )


def pack(keyframe: Keyframe, facts: Facts) -> list[bytes | memoryview]:
    """Return the parts of the file in order; the payload is not copied."""
    header = json.dumps({**origin_of(keyframe), "verdict": facts}, ensure_ascii=False, separators=(",", ":")).encode()
    mark = keyframe.visit_id.to_bytes(_MARK_BYTES, "big")
    return [_MAGIC + len(header).to_bytes(_LENGTH_BYTES, "big") + header, keyframe.payload, mark]


def unpack_origin(begin: bytes) -> Facts | None:
    """Return where and when a keyframe came from, of the first HEADER_BYTES_MAX bytes of its file; None if the file is
    incomplete, or is no such file."""
    header = begin[len(_MAGIC) + _LENGTH_BYTES :]
    length = int.from_bytes(begin[len(_MAGIC) : len(_MAGIC) + _LENGTH_BYTES], "big")
    if begin[: len(_MAGIC)] != _MAGIC or length > len(header):
        return None
    try:
        origin: Facts = json.loads(header[:length])
    except ValueError:
        return None
    return origin


def unpack(raw: bytes) -> tuple[Keyframe, Facts] | None:
    """Return the keyframe and the facts of its verdict; None if the file is incomplete, or is no such file."""
    begin = len(_MAGIC) + _LENGTH_BYTES
    length = int.from_bytes(raw[len(_MAGIC) : begin], "big")
    if raw[: len(_MAGIC)] != _MAGIC or length > HEADER_BYTES_MAX:
        return None
    try:
        header = json.loads(raw[begin : begin + length])
        if int.from_bytes(raw[-_MARK_BYTES:], "big") != header["visit_id"]:
            return None
        return keyframe_of(header, raw[begin + length : -_MARK_BYTES]), header["verdict"]
    except (ValueError, KeyError, TypeError):
        return None
