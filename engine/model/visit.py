"""One visit to a camera: the order, its timings, and its failure; and the answers to check-now calls. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.camera import CameraStream


class FeedKind(StrEnum):
    """How a keyframe comes in: a feeder (RTSP), a demuxer (other protocols), or a gateway's push."""

    RTSP = "rtsp"
    DEMUX = "demux"
    GATEWAY = "gateway"


class FailureReason(StrEnum):
    """Why a visit brought no keyframe. Logs, metrics, replies and protos use the same word."""

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
    """The engine's own code broke on what this camera sent; its log says where."""
    SOURCE_REFUSED = "source_refused"
    """Not visited: the engine refuses the address in its registry, or cannot parse it."""
    FLOOD = "flood"
    """The server sent more than a visit may take, in bytes, messages or processing time, and no keyframe."""
    REDIRECT_REFUSED = "redirect_refused"
    """The server, or the name in the URL, leads to an address that `feed.allowed_networks` does not allow."""
    LOST = "lost"
    """Not judged: the visit ended with its feeder, or no feeder took the order."""
    EXHAUSTED = "exhausted"
    """Not judged: the engine had no place, descriptor, port or memory for the visit."""


NOT_JUDGED = frozenset({FailureReason.LOST, FailureReason.EXHAUSTED})
"""Reasons that say nothing of the camera: it is visited again, and is not judged by them."""


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """An order to a feeder to fetch one keyframe of a camera.

    `deadline_ns`: time allowed for the visit, counted from the receipt of the order. `via`: the feeder's kind.
    `region`: of the camera, for the log. `stream`: of `url`.
    """

    visit_id: int
    camera_id: str
    url: str
    deadline_ns: int
    via: FeedKind
    region: str = ""
    trace: bool = False
    stream: CameraStream = CameraStream.MAIN


@dataclass(frozen=True, slots=True)
class VisitTimings:
    """Timings of a visit, as measured by the feeder; 0 if the step was not reached.

    `connect_ns`: until the connection was open. `keyframe_ns`: from then until the keyframe was complete. `total_ns`:
    the whole visit. `received_bytes`: bytes received in it.
    """

    connect_ns: int = 0
    keyframe_ns: int = 0
    total_ns: int = 0
    received_bytes: int = 0


@dataclass(frozen=True, slots=True)
class VisitFailure:
    """A visit that ended without a keyframe. `detail`: one sentence, passwords masked."""

    camera_id: str
    visit_id: int
    reason: FailureReason
    detail: str
    timings: VisitTimings = VisitTimings()


@dataclass(frozen=True, slots=True)
class CheckNowReport:
    """What became of each camera of a check-now call, by camera id.

    `accepted`: will be visited before all others; `first_visit_id`: their visits have this id or a greater one.
    `in_flight`: were being visited already, with the id of that visit. `unknown_ids`: not in the registry.
    `not_visited_ids`: disabled, or pushed by a gateway. `paused_ids`: paused.
    """

    accepted: tuple[str, ...] = ()
    in_flight: Mapping[str, int] = field(default_factory=dict)
    unknown_ids: tuple[str, ...] = ()
    not_visited_ids: tuple[str, ...] = ()
    paused_ids: tuple[str, ...] = ()
    first_visit_id: int = 0


@dataclass(frozen=True, slots=True)
class CheckNowCounts:
    """The numbers of a CheckNowReport. `not_visited`: disabled, pushed, paused, or not in the registry."""

    accepted: int = 0
    already_in_flight: int = 0
    not_visited: int = 0
