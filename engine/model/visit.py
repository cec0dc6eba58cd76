"""One visit to a camera: the order, how it went, and why it failed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FeedKind(StrEnum):
    """The way a keyframe came in."""

    RTSP = "rtsp"
    DEMUX = "demux"
    GATEWAY = "gateway"


class FailureReason(StrEnum):
    """Why a visit brought no keyframe. The same word stands in the log, the metric, the reply and the proto."""

    REFUSED = "refused"
    DNS = "dns"
    UNREACHABLE = "unreachable"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_KEYFRAME = "timeout_keyframe"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    NO_VIDEO = "no_video"
    UNSUPPORTED_CODEC = "unsupported_codec"
    PROTOCOL_ERROR = "protocol_error"
    DAMAGED = "damaged"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """An order to a feeder: bring one keyframe of this camera. `deadline_ns`: time left, counted from its receipt."""

    visit_id: int
    camera_id: str
    url: str
    deadline_ns: int
    via: FeedKind


@dataclass(frozen=True, slots=True)
class VisitTimings:
    """How a visit went, as measured by the feeder. Durations in nanoseconds; 0 where the step was not reached."""

    connect_ns: int = 0
    keyframe_ns: int = 0
    total_ns: int = 0
    received_bytes: int = 0


@dataclass(frozen=True, slots=True)
class VisitFailure:
    """A visit that ended without a keyframe. `detail` is one sentence, with passwords taken out."""

    camera_id: str
    visit_id: int
    reason: FailureReason
    detail: str
    timings: VisitTimings = VisitTimings()


@dataclass(frozen=True, slots=True)
class CheckNowReport:
    """What became of each camera of a check-now call.

    `accepted`: these jumped the queue; `first_visit_id`: their visits have this id or a later one. `in_flight`: cameras
    that were being visited already, and the visit.
    """

    accepted: tuple[str, ...] = ()
    in_flight: Mapping[str, int] = field(default_factory=dict)
    unknown_ids: tuple[str, ...] = ()
    not_visited_ids: tuple[str, ...] = ()
    paused_ids: tuple[str, ...] = ()
    first_visit_id: int = 0


@dataclass(frozen=True, slots=True)
class CheckNowCounts:
    """The same in figures. `not_visited`: disabled, pushed, paused, or not known."""

    accepted: int = 0
    already_in_flight: int = 0
    not_visited: int = 0
