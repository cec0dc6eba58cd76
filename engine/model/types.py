"""Shared nouns. Every stage speaks these; none of them reads a clock, opens a file or knows a socket.

Units: names end in their unit. Times inside are integer nanoseconds; `*_wall_ns` is since 1970 UTC, other `*_ns`
are durations or monotonic. Grey levels are 8-bit full range (0 black, 255 white) after normalisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

UInt8Plane = npt.NDArray[np.uint8]
LumaPlane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

PAYLOAD_BYTES_MAX = 8 * 1024 * 1024
"""The largest keyframe that any stage carries; a 100 MB "keyframe" stops at the door."""

SPOT_CHECK_SITES_MAX = 20_000
"""Canteens that one spot check draws at most; more than a province has."""

PICTURE_SIDE_PX_MIN = 64
PICTURE_SIDE_PX_MAX = 8192


class Codec(StrEnum):
    """What a payload is coded with."""

    H264 = "h264"
    H265 = "h265"
    MJPEG = "mjpeg"


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


class State(StrEnum):
    """What a verdict says. `unknown` never counts as compliant."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "unknown"
    OFFLINE = "offline"


class FaultKind(StrEnum):
    """What is wrong with a picture. One verdict can carry several."""

    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LOW_CONTRAST = "low_contrast"
    COVERED = "covered"
    PARTLY_COVERED = "partly_covered"
    FROZEN = "frozen"
    SIGNAL_LOSS = "signal_loss"
    MOVED = "moved"
    STEAM = "steam"
    GREASE = "grease"
    COLOUR_CAST = "colour_cast"
    NOISY = "noisy"
    SNOW = "snow"
    STRIPES = "stripes"


class Cause(StrEnum):
    """Why a picture is as it is, where the kind of fault leaves it open."""

    DEFOCUS = "defocus"
    MOTION = "motion"
    GREASE = "grease"
    STEAM = "steam"
    LIGHTS_OFF = "lights_off"
    OVEREXPOSURE = "overexposure"
    BACKLIGHT = "backlight"
    PICTURE_STILL = "picture_still"
    CLOCK_STILL = "clock_still"
    LOW_LIGHT = "low_light"


class Severity(StrEnum):
    """How much a fault takes from whoever watches the kitchen."""

    BLIND = "blind"
    """Nothing can be seen: covered, dark, no signal, frozen, turned away."""
    IMPAIRED = "impaired"
    """Part of it, or all of it badly."""
    COSMETIC = "cosmetic"
    """It can be seen, and should be mended."""


class UnknownReason(StrEnum):
    """Why a picture was not judged."""

    DAMAGED = "damaged"
    TOO_DARK_TO_JUDGE = "too_dark_to_judge"
    FEATURELESS = "featureless"
    DOUBTFUL = "doubtful"
    NO_PICTURE = "no_picture"
    QUARANTINED = "quarantined"


class KeyPoint(StrEnum):
    """Where in the canteen a camera looks."""

    ROUGH_PROCESSING = "rough_processing"
    CUTTING = "cutting"
    COOKING = "cooking"
    SPECIAL_ROOM = "special_room"
    SERVING = "serving"
    DISH_WASHING = "dish_washing"
    SAMPLE_RETENTION = "sample_retention"
    STORAGE = "storage"
    DINING_SCREEN = "dining_screen"
    ENTRANCE = "entrance"
    OTHER = "other"


class SiteKind(StrEnum):
    """The kind of school a canteen belongs to, the highest level it teaches; docs/registry.md has the Chinese words."""

    KINDERGARTEN = "kindergarten"
    PRIMARY = "primary"
    MIDDLE = "middle"
    HIGH = "high"
    VOCATIONAL = "vocational"
    UNIVERSITY = "university"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Camera:
    """One row of the registry.

    `camera_id`: GB/T 28181 20-digit code, or any printable id of 1 to 64 characters. `region`: GB/T 2260 code of 2, 4
    or 6 digits; a region contains what its code prefixes. `uplink`: the recorder or platform the camera hangs on;
    empty means host and port of the URL. `push`: keyframes come from a gateway, the camera is not visited. `site_kind`
    is the canteen's, so its cameras should agree on it.
    """

    camera_id: str
    url: str
    name: str = ""
    site_id: str = ""
    site_name: str = ""
    region: str = ""
    key_point: KeyPoint = KeyPoint.OTHER
    required: bool = False
    uplink: str = ""
    hours: str = ""
    platform_status: str = ""
    push: bool = False
    enabled: bool = True
    site_kind: SiteKind = SiteKind.OTHER


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


@dataclass(frozen=True, slots=True)
class VisitFailure:
    """A visit that ended without a keyframe. `detail` is one sentence, with passwords taken out."""

    camera_id: str
    visit_id: int
    reason: FailureReason
    detail: str
    timings: VisitTimings = VisitTimings()


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded planes, as the decoder laid them out; kernels normalise.

    `luma`: (rows, columns), uint8, or uint16 holding `bit_depth` significant low bits; the row stride may exceed the
    width. Of an interlaced picture it is one field (every other row): rows are half of `height`. `chroma`: (u, v) of
    the same dtype in their subsampled size, or None for grey. `full_range`: 0..255 is black to white; otherwise
    16..235. Planes borrow the decoder's memory: use them before the next decode.
    """

    luma: LumaPlane
    chroma: tuple[LumaPlane, LumaPlane] | None
    width: int
    height: int
    codec: Codec
    pixel_format: str
    bit_depth: int
    full_range: bool
    interlaced: bool
    damage: tuple[str, ...] = ()
    """Empty, or what was seen: corrupt_flag, several_pictures, truncated, slice_groups, missing_area."""


class TileMap(NamedTuple):
    """Per-tile figures, `rows` x `columns`, row-major from the top left.

    All float32, shape (rows, columns). `luma`: mean grey level. `structure`: noise-corrected gradient energy at the
    analysis scale, grey levels squared, 0 where there is nothing to see. `acutance`, shape (2, rows, columns): share of
    an edge's height that its steepest step takes, of edges that x and y cross; nan where a tile has too few. `u`, `v`:
    mean colour around neutral, 8-bit levels, 0 for grey.
    """

    luma: npt.NDArray[np.float32]
    structure: npt.NDArray[np.float32]
    acutance: npt.NDArray[np.float32]
    u: npt.NDArray[np.float32]
    v: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """0..100 each; None where the picture does not allow a number (too dark, featureless).

    `sharpness`, `exposure`: 100 is best. `occlusion`: the share of the picture hidden, 0 is best.
    """

    sharpness: float | None
    exposure: float | None
    occlusion: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Raw figures of one picture; no verdict in it, so that a verdict can be recomputed and audited.

    `figures`: name to value, names and units as documented in engine/kernels/registry.py. `signature`: a small
    thumbnail for freeze and move checks, layout in engine/kernels/signature.py. `decode_ns`, `kernels_ns`: time that
    passed; `decode_cpu_ns`, `kernels_cpu_ns`: processor time in it, 0 where it was not measured.
    """

    camera_id: str
    visit_id: int
    arrival_wall_ns: int
    stream_time_ns: int | None
    source: FeedKind
    codec: Codec
    width: int
    height: int
    pixel_format: str
    full_range: bool
    interlaced: bool
    damage: tuple[str, ...]
    figures: Mapping[str, float]
    scores: Scores
    tiles: TileMap | None
    signature: bytes
    decode_ns: int = 0
    kernels_ns: int = 0
    decode_cpu_ns: int = 0
    kernels_cpu_ns: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one visit says of one camera, with what it takes to audit it.

    `state` is this visit's own answer. `announced` is what the engine stands by after N of M; `since_wall_ns` is when
    the announced state began. `reason` is a FailureReason or UnknownReason value, or empty. `cause`, `announced_cause`:
    why, where the kinds leave it open. `severity`: of the announced fault. `confidence`: 0..1, how far this visit's
    figures lie from the thresholds that decided; 0.5 is on the threshold. `tiles`: those where the fault shows, indices
    row-major from the top left; empty where it is everywhere. `thresholds` are those that were compared with
    `figures`; `rules_version` names the rules.
    """

    camera_id: str
    visit_id: int
    at_wall_ns: int
    state: State
    kinds: tuple[FaultKind, ...] = ()
    reason: str = ""
    detail: str = ""
    announced: State = State.UNKNOWN
    announced_kinds: tuple[FaultKind, ...] = ()
    since_wall_ns: int = 0
    scores: Scores = Scores(None, None, None)
    figures: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rules_version: str = ""
    width: int = 0
    height: int = 0
    codec: Codec | None = None
    cause: Cause | None = None
    announced_cause: Cause | None = None
    severity: Severity | None = None
    confidence: float = 0.0
    tiles: tuple[int, ...] = ()
