"""Converts the scheduler's status, plans, pauses and configuration reports to messages of patrol.v1 and back. Pure."""

from typing import Any

from engine.errors import InvalidArgumentError
from engine.model.config_report import ConfigChange, ConfigReport
from engine.model.schedule import (
    CameraPlanReport,
    ClassStatus,
    HostStatus,
    Pause,
    PauseKind,
    PauseScope,
    PauseStatus,
    SchedulerStatus,
)
from engine.serve.messages.convert import timestamp, wall_ns_of
from engine.serve.messages.resource_names import camera_id_of, camera_name
from patrol.v1 import scheduler_pb2

_SCOPE_FIELD = {
    PauseKind.REGION: "region_prefix",
    PauseKind.UPLINK: "uplink",
    PauseKind.HOST: "host",
    PauseKind.CAMERA: "camera",
}
_PAUSE_KIND = {field: kind for kind, field in _SCOPE_FIELD.items()}
_PLAN_FIELDS = tuple(
    name for name in CameraPlanReport.__slots__ if name not in ("camera_id", "because", "window_opens_wall_ns")
)


def schedule_message(status: SchedulerStatus) -> scheduler_pb2.SchedulerStatus:
    """Return the scheduler's status as a message; the fields have the same names in both."""
    fields = _fields(status, SchedulerStatus)
    fields["classes"] = [scheduler_pb2.ClassStatus(**_fields(row, ClassStatus)) for row in status.classes]
    fields["busy_hosts"] = [scheduler_pb2.HostStatus(**_fields(host, HostStatus)) for host in status.busy_hosts]
    fields["pauses"] = map(pause_message, status.pauses)
    return scheduler_pb2.SchedulerStatus(**fields)


def schedule_of(message: scheduler_pb2.SchedulerStatus) -> SchedulerStatus:
    """Return the scheduler's status in a message."""
    fields = _fields(message, SchedulerStatus)
    fields |= {name: dict(fields[name]) for name in ("county_lags", "shed", "failing")}
    fields["outages"] = tuple(message.outages)
    fields["classes"] = tuple(ClassStatus(**_fields(row, ClassStatus)) for row in message.classes)
    fields["busy_hosts"] = tuple(HostStatus(**_fields(host, HostStatus)) for host in message.busy_hosts)
    fields["pauses"] = tuple(map(pause_of, message.pauses))
    return SchedulerStatus(**fields)


def scope_message(scope: PauseScope) -> scheduler_pb2.PauseScope:
    """Return the scope of a pause as a message."""
    value = camera_name(scope.value) if scope.kind is PauseKind.CAMERA else scope.value
    return scheduler_pb2.PauseScope(**{_SCOPE_FIELD[scope.kind]: value})


def scope_of(message: scheduler_pb2.PauseScope) -> PauseScope:
    """Return the scope of a pause in a message. Raises InvalidArgumentError if no field is set, or it is empty."""
    chosen = message.WhichOneof("scope")
    if chosen is None:
        raise InvalidArgumentError("scope", f"names nothing; give one of {', '.join(_PAUSE_KIND)}")
    kind, value = _PAUSE_KIND[chosen], getattr(message, chosen)
    if not value and kind is not PauseKind.REGION:
        raise InvalidArgumentError(f"scope.{chosen}", "is empty; name one, or give region_prefix for all cameras")
    return PauseScope(kind, camera_id_of(value, f"scope.{chosen}") if kind is PauseKind.CAMERA else value)


def pause_message(status: PauseStatus) -> scheduler_pb2.Pause:
    """Return a pause as a message."""
    pause = status.pause
    return scheduler_pb2.Pause(
        scope=scope_message(pause.scope),
        reason=pause.reason,
        who=pause.who,
        start_time=timestamp(pause.since_wall_ns),
        end_time=timestamp(pause.until_wall_ns),
        cameras=status.cameras,
    )


def pause_of(message: scheduler_pb2.Pause) -> PauseStatus:
    """Return the pause in a message."""
    since_ns, until_ns = wall_ns_of(message.start_time), wall_ns_of(message.end_time)
    pause = Pause(scope_of(message.scope), message.reason, message.who, since_ns, until_ns)
    return PauseStatus(pause, message.cameras)


def plan_message(plan: CameraPlanReport) -> scheduler_pb2.CameraPlan:
    """Return a camera's plan as a message; most fields have the same names in both."""
    return scheduler_pb2.CameraPlan(
        camera=camera_name(plan.camera_id),
        because=plan.because,
        window_open_time=timestamp(plan.window_opens_wall_ns),
        **{name: getattr(plan, name) for name in _PLAN_FIELDS},
    )


def plan_of(message: scheduler_pb2.CameraPlan) -> CameraPlanReport:
    """Return the camera's plan in a message."""
    fields = {name: getattr(message, name) for name in _PLAN_FIELDS}
    for name in ("last_visit_ago_s", "last_keyframe_ago_s"):
        fields[name] = fields[name] if message.HasField(name) else None
    return CameraPlanReport(
        camera_id=camera_id_of(message.camera),
        because=tuple(message.because),
        window_opens_wall_ns=wall_ns_of(message.window_open_time),
        **fields,
    )


def report_message(report: ConfigReport) -> scheduler_pb2.ConfigReport:
    """Return the report on a configuration as a message."""
    changes = map(change_message, report.changes)
    return scheduler_pb2.ConfigReport(
        revision=report.revision, changes=changes, warnings=report.warnings, applied=report.applied
    )


def change_message(change: ConfigChange) -> scheduler_pb2.ConfigChange:
    """Return the change of one key as a message."""
    return scheduler_pb2.ConfigChange(key=change.key, old_value=change.old, new_value=change.new, hot=change.hot)


def report_of(message: scheduler_pb2.ConfigReport) -> ConfigReport:
    """Return the report on a configuration in a message."""
    changes = tuple(
        ConfigChange(change.key, change.old_value, change.new_value, change.hot) for change in message.changes
    )
    return ConfigReport(message.revision, changes, tuple(message.warnings), message.applied)


def _fields(source: Any, kind: Any) -> dict[str, Any]:
    """The fields of the class `kind` in a model object or a message, which have the same names in both."""
    return {name: getattr(source, name) for name in kind.__slots__}
