"""A keyframe on its way to a worker, and why one may be dropped. Pure."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from engine.model.visit import FeedKind, VisitTimings

PAYLOAD_BYTES_MAX = 8 * 1024 * 1024
"""The largest keyframe that any stage carries; a 100 MB "keyframe" stops at the door."""


class Codec(StrEnum):
    """What a payload is coded with."""

    H264 = "h264"
    H265 = "h265"
    MJPEG = "mjpeg"


class DropReason(StrEnum):
    """Why a message or a frame ended without a measurement. Every drop is counted under one of these."""

    SUPERSEDED = "superseded"
    QUEUE_FULL = "queue_full"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNKNOWN_CAMERA = "unknown_camera"
    UNKNOWN_VISIT = "unknown_visit"
    STALE = "stale"
    QUARANTINED = "quarantined"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One access unit (H.264/H.265 Annex-B with its parameter sets) or one JPEG: all a decoder needs.

    `stream_time_ns`: the stream's own timestamp, counted from an origin of the session's choosing; None if it has none.
    """

    camera_id: str
    visit_id: int
    codec: Codec
    payload: bytes | memoryview
    arrival_wall_ns: int
    stream_time_ns: int | None
    source: FeedKind
    timings: VisitTimings = VisitTimings()


class EvidenceKeyframe:
    """A keyframe that is kept as evidence. Ledger and evidence store cite it by the same digest, computed once."""

    def __init__(self, keyframe: Keyframe) -> None:
        self.keyframe = keyframe

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the payload, in hexadecimal digits."""
        return hashlib.sha256(self.keyframe.payload).hexdigest()
