"""Proto messages <-> the engine's nouns. Pure."""

from collections.abc import Callable
from typing import TypeVar

from engine.replies import CameraStatus, EngineStatus
from engine.types import Camera, Cause, Codec, FaultKind, KeyPoint, Scores, Severity, SiteKind, State, Verdict
from patrol.v1 import cameras_pb2, engine_pb2, feed_pb2, measurement_pb2, verdicts_pb2

Redact = Callable[[str], str]
Value = TypeVar("Value")

_STATE_NUMBER = {state: getattr(verdicts_pb2, f"VERDICT_STATE_{state.name}") for state in State}
_KIND_NUMBER = {kind: getattr(verdicts_pb2, f"FAULT_KIND_{kind.name}") for kind in FaultKind}
_CAUSE_NUMBER = {cause: getattr(verdicts_pb2, f"FAULT_CAUSE_{cause.name}") for cause in Cause}
_SEVERITY_NUMBER = {one: getattr(verdicts_pb2, f"FAULT_SEVERITY_{one.name}") for one in Severity}
_KEY_POINT_NUMBER = {point: getattr(cameras_pb2, f"KEY_POINT_{point.name}") for point in KeyPoint}
_SITE_KIND_NUMBER = {kind: getattr(cameras_pb2, f"SITE_KIND_{kind.name}") for kind in SiteKind}
_CODEC_NUMBER = {codec: getattr(feed_pb2, f"CODEC_{codec.name}") for codec in Codec}
_STATE = {number: state for state, number in _STATE_NUMBER.items()}
_KIND = {number: kind for kind, number in _KIND_NUMBER.items()}
_CAUSE = {number: cause for cause, number in _CAUSE_NUMBER.items()}
_SEVERITY = {number: one for one, number in _SEVERITY_NUMBER.items()}
_KEY_POINT = {number: point for point, number in _KEY_POINT_NUMBER.items()}
_SITE_KIND = {number: kind for kind, number in _SITE_KIND_NUMBER.items()}
_CODEC = {number: codec for codec, number in _CODEC_NUMBER.items()}


def state_of(number: int) -> State | None:
    """The state a number stands for; None for UNSPECIFIED and numbers unknown."""
    return _STATE.get(number)


def state_number(state: State) -> verdicts_pb2.VerdictState:
    """The number of a state."""
    number: verdicts_pb2.VerdictState = _STATE_NUMBER[state]
    return number


def site_kind_of(number: int) -> SiteKind:
    """The kind of school a number stands for; other for UNSPECIFIED and numbers unknown."""
    return _SITE_KIND.get(number, SiteKind.OTHER)


def site_kind_number(kind: SiteKind) -> cameras_pb2.SiteKind:
    """The number of a kind of school."""
    number: cameras_pb2.SiteKind = _SITE_KIND_NUMBER[kind]
    return number


def camera_message(camera: Camera, redact: Redact = lambda url: url) -> cameras_pb2.Camera:
    """A camera as callers see it, its URL passed through `redact`."""
    return cameras_pb2.Camera(
        camera_id=camera.camera_id,
        url=redact(camera.url),
        name=camera.name,
        site_id=camera.site_id,
        site_name=camera.site_name,
        region=camera.region,
        key_point=_KEY_POINT_NUMBER[camera.key_point],
        required=camera.required,
        uplink=camera.uplink,
        hours=camera.hours,
        platform_status=camera.platform_status,
        push=camera.push,
        enabled=camera.enabled,
        site_kind=site_kind_number(camera.site_kind),
    )


def camera_of(message: cameras_pb2.Camera) -> Camera:
    """The camera in a message; what it holds is checked elsewhere."""
    return Camera(
        camera_id=message.camera_id,
        url=message.url,
        name=message.name,
        site_id=message.site_id,
        site_name=message.site_name,
        region=message.region,
        key_point=_KEY_POINT.get(message.key_point, KeyPoint.OTHER),
        required=message.required,
        uplink=message.uplink,
        hours=message.hours,
        platform_status=message.platform_status,
        push=message.push,
        enabled=message.enabled,
        site_kind=site_kind_of(message.site_kind),
    )


def verdict_message(verdict: Verdict) -> verdicts_pb2.Verdict:
    """A verdict as callers see it."""
    message = verdicts_pb2.Verdict(
        camera_id=verdict.camera_id,
        visit_id=verdict.visit_id,
        at_wall_ns=verdict.at_wall_ns,
        state=_STATE_NUMBER[verdict.state],
        kinds=[_KIND_NUMBER[kind] for kind in verdict.kinds],
        reason=verdict.reason,
        detail=verdict.detail,
        announced=_STATE_NUMBER[verdict.announced],
        announced_kinds=[_KIND_NUMBER[kind] for kind in verdict.announced_kinds],
        since_wall_ns=verdict.since_wall_ns,
        scores=_scores_message(verdict.scores),
        figures=verdict.figures,
        thresholds=verdict.thresholds,
        rules_version=verdict.rules_version,
        width=verdict.width,
        height=verdict.height,
        confidence=verdict.confidence,
        tiles=verdict.tiles,
    )
    if verdict.codec is not None:
        message.codec = _CODEC_NUMBER[verdict.codec]
    if verdict.cause is not None:
        message.cause = _CAUSE_NUMBER[verdict.cause]
    if verdict.announced_cause is not None:
        message.announced_cause = _CAUSE_NUMBER[verdict.announced_cause]
    if verdict.severity is not None:
        message.severity = _SEVERITY_NUMBER[verdict.severity]
    return message


def verdict_of(message: verdicts_pb2.Verdict) -> Verdict:
    """The verdict in a message."""
    scores = message.scores
    return Verdict(
        camera_id=message.camera_id,
        visit_id=message.visit_id,
        at_wall_ns=message.at_wall_ns,
        state=_STATE.get(message.state, State.UNKNOWN),
        kinds=tuple(_KIND[number] for number in message.kinds if number in _KIND),
        reason=message.reason,
        detail=message.detail,
        announced=_STATE.get(message.announced, State.UNKNOWN),
        announced_kinds=tuple(_KIND[number] for number in message.announced_kinds if number in _KIND),
        since_wall_ns=message.since_wall_ns,
        scores=Scores(
            scores.sharpness if scores.HasField("sharpness") else None,
            scores.exposure if scores.HasField("exposure") else None,
            scores.occlusion if scores.HasField("occlusion") else None,
        ),
        figures=dict(message.figures),
        thresholds=dict(message.thresholds),
        rules_version=message.rules_version,
        width=message.width,
        height=message.height,
        codec=_CODEC.get(message.codec),
        cause=_CAUSE.get(message.cause),
        announced_cause=_CAUSE.get(message.announced_cause),
        severity=_SEVERITY.get(message.severity),
        confidence=message.confidence,
        tiles=tuple(message.tiles),
    )


def status_message(status: CameraStatus, redact: Redact) -> cameras_pb2.CameraStatus:
    """A camera with its latest verdict."""
    message = cameras_pb2.CameraStatus(camera=camera_message(status.camera, redact))
    if status.latest is not None:
        message.latest.CopyFrom(verdict_message(status.latest))
    return message


def status_of(message: cameras_pb2.CameraStatus) -> CameraStatus:
    """The same the other way."""
    latest = verdict_of(message.latest) if message.HasField("latest") else None
    return CameraStatus(camera_of(message.camera), latest)


def engine_message(status: EngineStatus) -> engine_pb2.GetStatusResponse:
    """How the patrol goes; the two share their names."""
    fields = {name: getattr(status, name) for name in EngineStatus.__slots__}
    return engine_pb2.GetStatusResponse(**fields)


def engine_of(message: engine_pb2.GetStatusResponse) -> EngineStatus:
    """The same the other way."""
    fields = {name: getattr(message, name) for name in EngineStatus.__slots__}
    return EngineStatus(**(fields | {"cameras_by_state": dict(message.cameras_by_state)}))


def _scores_message(scores: Scores) -> measurement_pb2.Scores:
    return measurement_pb2.Scores(sharpness=scores.sharpness, exposure=scores.exposure, occlusion=scores.occlusion)
