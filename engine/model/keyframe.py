"""A keyframe on its way to a worker, and the reasons for which it may be dropped. Pure."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from engine.model.camera import CameraStream
from engine.model.visit import FeedKind, VisitTimings

PAYLOAD_BYTES_MAX = 8 * 1024 * 1024
"""The largest keyframe that any stage carries; a larger one (100 MB, say) is refused at the intake."""


class Codec(StrEnum):
    """The coding of a payload."""

    H264 = "h264"
    H265 = "h265"
    MJPEG = "mjpeg"


class DropReason(StrEnum):
    """Why a message or keyframe ended without a measurement. Every drop is counted under one of these."""

    SUPERSEDED = "superseded"
    QUEUE_FULL = "queue_full"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNKNOWN_CAMERA = "unknown_camera"
    UNKNOWN_VISIT = "unknown_visit"
    UNKNOWN_KEY = "unknown_key"
    OUT_OF_SCOPE = "out_of_scope"
    NOT_PUSHED = "not_pushed"
    BAD_TIME = "bad_time"
    NOT_NEWER = "not_newer"
    NO_SHARD = "no_shard"
    STALE = "stale"
    QUARANTINED = "quarantined"
    TOO_COSTLY = "too_costly"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One access unit (H.264/H.265 Annex-B with its parameter sets) or one JPEG: all that a decoder needs.

    `visit_id`: the visit that fetched it, or the id given to a push. `arrival_wall_ns`: when the engine received it.
    `stream_time_ns`: the stream's own timestamp, counted from an arbitrary origin of the session; None if the stream
    has none. `source`: how it came in. `timings`: of the visit; zeros for a push. `stream`: the one that was
    visited; MAIN for a push.
    """

    camera_id: str
    visit_id: int
    codec: Codec
    payload: bytes | memoryview
    arrival_wall_ns: int
    stream_time_ns: int | None
    source: FeedKind
    timings: VisitTimings = VisitTimings()
    stream: CameraStream = CameraStream.MAIN


@dataclass(frozen=True, slots=True)
class Push:
    """A keyframe that a gateway pushed. `gateway`: its name; empty without CURVE, when nobody knows who pushes."""

    gateway: str
    keyframe: Keyframe


class EvidenceKeyframe:
    """A keyframe that is kept as evidence. Ledger and evidence store cite it by the same digest, computed once."""

    def __init__(self, keyframe: Keyframe) -> None:
        self.keyframe = keyframe

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the payload, in hexadecimal digits."""
        return hashlib.sha256(self.keyframe.payload).hexdigest()
