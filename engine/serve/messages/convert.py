"""Converts cameras, verdicts, pictures and the engine's status to messages of patrol.v1 and back. Pure."""

from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

from engine.clock import NS_PER_S
from engine.model.camera import Camera, CameraStream, KeyPoint, SiteKind
from engine.model.engine_status import EngineStatus, MachineStatus
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.registry import CameraStatus, Region
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict, View
from engine.serve.messages.resource_names import camera_id_of, camera_name, verdict_ids_of, verdict_name
from patrol.v1 import cameras_pb2, feed_pb2, measurement_pb2, patrol_pb2, verdicts_pb2

Redact = Callable[[str], str]

MESSAGE_FIELD = {"camera_id": "name", "name": "display_name", "enabled": "disabled"}
"""The field of the message Camera for a column of the registry, where the two names differ."""
REGISTRY_COLUMN = {field: column for column, field in MESSAGE_FIELD.items()}

_STATE_NUMBER = {state: getattr(verdicts_pb2, f"VERDICT_STATE_{state.name}") for state in State}
_KIND_NUMBER = {kind: getattr(verdicts_pb2, f"FAULT_KIND_{kind.name}") for kind in FaultKind}
_CAUSE_NUMBER = {cause: getattr(verdicts_pb2, f"FAULT_CAUSE_{cause.name}") for cause in Cause}
_SEVERITY_NUMBER = {severity: getattr(verdicts_pb2, f"FAULT_SEVERITY_{severity.name}") for severity in Severity}
_KEY_POINT_NUMBER = {point: getattr(cameras_pb2, f"KEY_POINT_{point.name}") for point in KeyPoint}
_SITE_KIND_NUMBER = {kind: getattr(cameras_pb2, f"SITE_KIND_{kind.name}") for kind in SiteKind}
_STREAM_NUMBER = {stream: getattr(feed_pb2, f"CAMERA_STREAM_{stream.name}") for stream in CameraStream}
_CODEC_NUMBER = {codec: getattr(feed_pb2, f"CODEC_{codec.name}") for codec in Codec}
_VIEW_NUMBER = {view: getattr(verdicts_pb2, f"VIEW_{view.name}") for view in View}
_STATE = {number: state for state, number in _STATE_NUMBER.items()}
_KIND = {number: kind for kind, number in _KIND_NUMBER.items()}
_CAUSE = {number: cause for cause, number in _CAUSE_NUMBER.items()}
_SEVERITY = {number: severity for severity, number in _SEVERITY_NUMBER.items()}
_KEY_POINT = {number: point for point, number in _KEY_POINT_NUMBER.items()}
_SITE_KIND = {number: kind for kind, number in _SITE_KIND_NUMBER.items()}
_CODEC = {number: codec for codec, number in _CODEC_NUMBER.items()}
_VIEW = {number: view for view, number in _VIEW_NUMBER.items()}


def timestamp(wall_ns: int) -> Timestamp | None:
    """Return a moment as a message; None for 0, which stands for no moment."""
    return Timestamp(seconds=wall_ns // NS_PER_S, nanos=wall_ns % NS_PER_S) if wall_ns else None


def wall_ns_of(moment: Timestamp) -> int:
    """Return the moment in a message; 0 if the message is unset."""
    return moment.seconds * NS_PER_S + moment.nanos


def state_of(number: int) -> State | None:
    """Return the state of an enum number; None for UNSPECIFIED and unknown numbers."""
    return _STATE.get(number)


def state_number(state: State) -> verdicts_pb2.VerdictState:
    """Return the enum number of a state."""
    number: verdicts_pb2.VerdictState = _STATE_NUMBER[state]
    return number


def site_kind_of(number: int) -> SiteKind:
    """Return the kind of school of an enum number; OTHER for UNSPECIFIED and unknown numbers."""
    return _SITE_KIND.get(number, SiteKind.OTHER)


def site_kind_number(kind: SiteKind) -> cameras_pb2.SiteKind:
    """Return the enum number of a kind of school."""
    number: cameras_pb2.SiteKind = _SITE_KIND_NUMBER[kind]
    return number


def kind_of(number: int) -> FaultKind | None:
    """Return the kind of fault of an enum number; None for UNSPECIFIED and unknown numbers."""
    return _KIND.get(number)


def kind_number(kind: FaultKind) -> verdicts_pb2.FaultKind:
    """Return the enum number of a kind of fault."""
    number: verdicts_pb2.FaultKind = _KIND_NUMBER[kind]
    return number


def key_point_of(number: int) -> KeyPoint:
    """Return the key point of an enum number; OTHER for UNSPECIFIED and unknown numbers."""
    return _KEY_POINT.get(number, KeyPoint.OTHER)


def key_point_number(point: KeyPoint) -> cameras_pb2.KeyPoint:
    """Return the enum number of a key point."""
    number: cameras_pb2.KeyPoint = _KEY_POINT_NUMBER[point]
    return number


def severity_of(number: int) -> Severity | None:
    """Return the severity of an enum number; None for UNSPECIFIED and unknown numbers."""
    return _SEVERITY.get(number)


def severity_number(severity: Severity) -> verdicts_pb2.FaultSeverity:
    """Return the enum number of a severity."""
    number: verdicts_pb2.FaultSeverity = _SEVERITY_NUMBER[severity]
    return number


def view_of(number: int, default: View) -> View:
    """Return the view of an enum number; `default` for UNSPECIFIED and unknown numbers."""
    return _VIEW.get(number, default)


def view_number(view: View) -> verdicts_pb2.View:
    """Return the enum number of a view."""
    number: verdicts_pb2.View = _VIEW_NUMBER[view]
    return number


def camera_message(camera: Camera, redact: Redact = lambda url: url) -> cameras_pb2.Camera:
    """Return a camera as a message, its URLs passed through `redact`."""
    return cameras_pb2.Camera(
        name=camera_name(camera.camera_id),
        display_name=camera.name,
        url=redact(camera.url),
        site_id=camera.site_id,
        site_name=camera.site_name,
        site_kind=site_kind_number(camera.site_kind),
        region=camera.region,
        key_point=_KEY_POINT_NUMBER[camera.key_point],
        required=camera.required,
        uplink=camera.uplink,
        hours=camera.hours,
        platform_status=camera.platform_status,
        push=camera.push,
        disabled=not camera.enabled,
        sub_url=redact(camera.sub_url),
    )


def camera_of(message: cameras_pb2.Camera, camera_id: str) -> Camera:
    """Return the camera in a message; its fields are checked elsewhere."""
    return Camera(
        camera_id=camera_id,
        url=message.url,
        name=message.display_name,
        site_id=message.site_id,
        site_name=message.site_name,
        region=message.region,
        key_point=key_point_of(message.key_point),
        required=message.required,
        uplink=message.uplink,
        hours=message.hours,
        platform_status=message.platform_status,
        push=message.push,
        enabled=not message.disabled,
        site_kind=site_kind_of(message.site_kind),
        sub_url=message.sub_url,
    )


def verdict_message(verdict: Verdict, view: View = View.FULL, *, with_numbers: bool = True) -> verdicts_pb2.Verdict:
    """Return a verdict as a message. `with_numbers`: with its figures and thresholds, if the view has them."""
    full = view is View.FULL
    with_numbers = with_numbers and full
    # In one call: setting the fields one by one takes a fifth longer, and every stored verdict comes through here.
    message = verdicts_pb2.Verdict(
        name=verdict_name(verdict.camera_id, verdict.visit_id),
        visit_time=timestamp(verdict.at_wall_ns),
        state=_STATE_NUMBER[verdict.state],
        kinds=[_KIND_NUMBER[kind] for kind in verdict.kinds],
        reason=verdict.reason,
        detail=verdict.detail if full else "",
        announced=_STATE_NUMBER[verdict.announced],
        announced_kinds=[_KIND_NUMBER[kind] for kind in verdict.announced_kinds],
        since_time=timestamp(verdict.since_wall_ns),
        scores=scores_message(verdict.scores),
        figures=verdict.figures if with_numbers else None,
        thresholds=verdict.thresholds if with_numbers else None,
        rules_version=verdict.rules_version if full else "",
        width=verdict.width if full else 0,
        height=verdict.height if full else 0,
        confidence=verdict.confidence if full else 0.0,
        tiles=verdict.tiles if full else None,
        stream=_STREAM_NUMBER[verdict.stream] if full else None,
    )
    if verdict.codec is not None and full:
        message.codec = _CODEC_NUMBER[verdict.codec]
    if verdict.cause is not None:
        message.cause = _CAUSE_NUMBER[verdict.cause]
    if verdict.announced_cause is not None:
        message.announced_cause = _CAUSE_NUMBER[verdict.announced_cause]
    if verdict.severity is not None:
        message.severity = _SEVERITY_NUMBER[verdict.severity]
    return message


def verdict_of(message: verdicts_pb2.Verdict) -> Verdict:
    """Return the verdict in a message."""
    scores = message.scores
    camera_id, visit_id = verdict_ids_of(message.name)
    return Verdict(
        camera_id=camera_id,
        visit_id=visit_id,
        at_wall_ns=wall_ns_of(message.visit_time),
        state=_STATE.get(message.state, State.UNKNOWN),
        kinds=tuple(_KIND[number] for number in message.kinds if number in _KIND),
        reason=message.reason,
        detail=message.detail,
        announced=_STATE.get(message.announced, State.UNKNOWN),
        announced_kinds=tuple(_KIND[number] for number in message.announced_kinds if number in _KIND),
        since_wall_ns=wall_ns_of(message.since_time),
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
        stream=CameraStream.SUB if message.stream == feed_pb2.CAMERA_STREAM_SUB else CameraStream.MAIN,
    )


def status_message(status: CameraStatus, redact: Redact, view: View = View.FULL) -> cameras_pb2.Camera:
    """Return a camera with its latest verdict as a message."""
    message = camera_message(status.camera, redact)
    if status.latest is not None:
        message.latest_verdict.CopyFrom(verdict_message(status.latest, view))
    return message


def status_of(message: cameras_pb2.Camera) -> CameraStatus:
    """Return the camera with its latest verdict in a message."""
    latest = verdict_of(message.latest_verdict) if message.HasField("latest_verdict") else None
    return CameraStatus(camera_of(message, camera_id_of(message.name)), latest)


def engine_message(status: EngineStatus) -> patrol_pb2.PatrolStatus:
    """Return the engine's status as a message."""
    message = patrol_pb2.PatrolStatus(
        version=status.version,
        rules_version=status.rules_version,
        start_time=timestamp(status.started_wall_ns),
        cameras=status.cameras,
        cameras_enabled=status.cameras_enabled,
        cameras_by_state=status.cameras_by_state,
        time_zone=status.time_zone,
        now=timestamp(status.now_wall_ns),
    )
    if status.machine is not None:
        figures = {name: getattr(status.machine, name) for name in MachineStatus.__slots__}
        message.machine.CopyFrom(patrol_pb2.MachineStatus(**figures))
    return message


def engine_of(message: patrol_pb2.PatrolStatus) -> EngineStatus:
    """Return the engine's status in a message."""
    machine = None
    if message.HasField("machine"):
        machine = MachineStatus(**{name: getattr(message.machine, name) for name in MachineStatus.__slots__})
    return EngineStatus(
        version=message.version,
        rules_version=message.rules_version,
        started_wall_ns=wall_ns_of(message.start_time),
        cameras=message.cameras,
        cameras_enabled=message.cameras_enabled,
        cameras_by_state=dict(message.cameras_by_state),
        machine=machine,
        time_zone=message.time_zone,
        now_wall_ns=wall_ns_of(message.now),
    )


def region_message(region: Region) -> patrol_pb2.Region:
    """Return a region as a message."""
    return patrol_pb2.Region(code=region.code, display_name=region.name)


def region_of(message: patrol_pb2.Region) -> Region:
    """Return the region in a message."""
    return Region(message.code, message.display_name)


def scores_message(scores: Scores) -> measurement_pb2.Scores:
    """Return scores as a message."""
    return measurement_pb2.Scores(sharpness=scores.sharpness, exposure=scores.exposure, occlusion=scores.occlusion)
