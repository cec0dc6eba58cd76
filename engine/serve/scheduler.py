"""The Scheduler service of patrol.v1, and its nouns as messages."""

from typing import Any

from engine.errors import ConfigError, NotFoundError
from engine.replies import CameraPlanReport, ClassStatus, ConfigChange, ConfigReport, HostStatus, SchedulerStatus
from engine.serve.metrics import Metrics
from engine.serve.port import HubPort
from engine.serve.services import camera_id_of, served
from engine.serve.spotcheck import drawn_message, header_message, order_of, spot_check_message
from engine.serve.status import InvalidArgumentError
from patrol.v1 import scheduler_pb2, scheduler_pb2_grpc

TOML_CHARS_MAX = 1_000_000
DRAW_ID_MAX = 2**63 - 1


class Scheduler(scheduler_pb2_grpc.SchedulerServicer):
    """Who is visited when."""

    def __init__(self, port: HubPort, metrics: Metrics) -> None:
        self._port = port
        self.metrics = metrics

    @served
    async def GetSchedulerStatus(
        self, request: scheduler_pb2.GetSchedulerStatusRequest
    ) -> scheduler_pb2.SchedulerStatus:
        """How the periods are kept."""
        del request
        return schedule_message(await self._port.schedule())

    @served
    async def GetCameraPlan(self, request: scheduler_pb2.GetCameraPlanRequest) -> scheduler_pb2.CameraPlan:
        """Why a camera is due when it is."""
        return plan_message(await self._port.plan(camera_id_of(request.camera_id)))

    @served
    async def ApplyConfig(self, request: scheduler_pb2.ApplyConfigRequest) -> scheduler_pb2.ConfigReport:
        """Take a configuration, or say what it would change."""
        if len(request.toml) > TOML_CHARS_MAX:
            raise InvalidArgumentError("toml", f"{len(request.toml)} characters; allowed: at most {TOML_CHARS_MAX}")
        try:
            report = await self._port.apply_config(request.toml, request.expected_revision, request.dry_run)
        except ConfigError as error:
            first, *more = str(error).splitlines()
            raise InvalidArgumentError("toml", first, [("toml", line) for line in more]) from error
        return report_message(report)

    @served
    async def DrawSpotCheck(self, request: scheduler_pb2.DrawSpotCheckRequest) -> scheduler_pb2.DrawSpotCheckResponse:
        """Draw canteens for people to look at."""
        return drawn_message(await self._port.draw_spot_check(order_of(request)))

    @served
    async def GetSpotCheck(self, request: scheduler_pb2.GetSpotCheckRequest) -> scheduler_pb2.SpotCheck:
        """An earlier draw."""
        if request.draw_id > DRAW_ID_MAX:
            raise InvalidArgumentError("draw_id", f"{request.draw_id}; allowed: 0 (the latest) to {DRAW_ID_MAX}")
        check = await self._port.spot_check(request.draw_id)
        if check is None:
            which = f"draw {request.draw_id} is not kept" if request.draw_id else "nothing was drawn yet"
            raise NotFoundError(f"{which}; ListSpotChecks names those that are")
        return spot_check_message(check)

    @served
    async def ListSpotChecks(
        self, request: scheduler_pb2.ListSpotChecksRequest
    ) -> scheduler_pb2.ListSpotChecksResponse:
        """The draws that are kept."""
        del request
        return scheduler_pb2.ListSpotChecksResponse(spot_checks=map(header_message, await self._port.spot_checks()))


def schedule_message(status: SchedulerStatus) -> scheduler_pb2.SchedulerStatus:
    """Noun to message; the two share their names."""
    fields = _fields(status, SchedulerStatus)
    fields["classes"] = [scheduler_pb2.ClassStatus(**_fields(one, ClassStatus)) for one in status.classes]
    fields["busy_hosts"] = [scheduler_pb2.HostStatus(**_fields(one, HostStatus)) for one in status.busy_hosts]
    return scheduler_pb2.SchedulerStatus(**fields)


def schedule_of(message: scheduler_pb2.SchedulerStatus) -> SchedulerStatus:
    """The same the other way."""
    fields = _fields(message, SchedulerStatus)
    fields |= {name: dict(fields[name]) for name in ("county_lags", "shed", "failing")}
    fields["outages"] = tuple(message.outages)
    fields["classes"] = tuple(ClassStatus(**_fields(one, ClassStatus)) for one in message.classes)
    fields["busy_hosts"] = tuple(HostStatus(**_fields(one, HostStatus)) for one in message.busy_hosts)
    return SchedulerStatus(**fields)


def plan_message(plan: CameraPlanReport) -> scheduler_pb2.CameraPlan:
    """Noun to message; the two share their names."""
    return scheduler_pb2.CameraPlan(**_fields(plan, CameraPlanReport))


def plan_of(message: scheduler_pb2.CameraPlan) -> CameraPlanReport:
    """The same the other way."""
    fields = _fields(message, CameraPlanReport)
    for name in ("last_visit_ago_s", "last_keyframe_ago_s"):
        fields[name] = fields[name] if message.HasField(name) else None
    return CameraPlanReport(**(fields | {"because": tuple(message.because)}))


def report_message(report: ConfigReport) -> scheduler_pb2.ConfigReport:
    """Noun to message."""
    changes = [
        scheduler_pb2.ConfigChange(key=one.key, old_value=one.old, new_value=one.new, hot=one.hot)
        for one in report.changes
    ]
    return scheduler_pb2.ConfigReport(
        revision=report.revision, changes=changes, warnings=report.warnings, applied=report.applied
    )


def report_of(message: scheduler_pb2.ConfigReport) -> ConfigReport:
    """The same the other way."""
    changes = tuple(ConfigChange(one.key, one.old_value, one.new_value, one.hot) for one in message.changes)
    return ConfigReport(message.revision, changes, tuple(message.warnings), message.applied)


def _fields(source: Any, noun: Any) -> dict[str, Any]:
    """Noun and message call their fields the same."""
    return {name: getattr(source, name) for name in noun.__slots__}
