"""SchedulerService of patrol.v1: the scheduler's state, pauses, the configuration, spot checks."""

from engine.clock import wall_ns
from engine.errors import ConfigError, ErrorReason, InvalidArgumentError, NotFoundError, Resource
from engine.model.schedule import Pause
from engine.serve.access.interceptor import Call
from engine.serve.messages.configuration import config_message
from engine.serve.messages.convert import wall_ns_of
from engine.serve.messages.paging import PageTokens, page_size_of
from engine.serve.messages.resource_names import camera_id_of, number_of
from engine.serve.messages.schedule import (
    pause_message,
    plan_message,
    report_message,
    schedule_message,
    scope_of,
)
from engine.serve.messages.spot_checks import drawn_message, header_message, order_of, spot_check_message
from patrol.v1 import configuration_pb2, scheduler_pb2, scheduler_pb2_grpc


class SchedulerService(scheduler_pb2_grpc.SchedulerServiceServicer):
    """The scheduler's state, pauses, the configuration, spot checks."""

    def __init__(self, page_size_max: int) -> None:
        self._page_size_max = page_size_max

    async def GetSchedulerStatus(
        self, request: scheduler_pb2.GetSchedulerStatusRequest, call: Call
    ) -> scheduler_pb2.SchedulerStatus:
        """Return the state of the scheduler."""
        del request
        return schedule_message(await call.hub.schedule())

    async def GetCameraPlan(self, request: scheduler_pb2.GetCameraPlanRequest, call: Call) -> scheduler_pb2.CameraPlan:
        """Return when a camera is due, and why."""
        return plan_message(await call.hub.plan(camera_id_of(request.camera, "camera")))

    async def PausePatrol(self, request: scheduler_pb2.PausePatrolRequest, call: Call) -> scheduler_pb2.Pause:
        """Stop visiting the cameras of a scope. Raises InvalidArgumentError if the end is in the past."""
        now_ns, until_ns = wall_ns(), wall_ns_of(request.end_time)
        if request.HasField("end_time") and until_ns <= now_ns:
            raise InvalidArgumentError("end_time", "is in the past; give a future time, or leave it out")
        pause = Pause(scope_of(request.scope), request.reason, call.actor.name, now_ns, until_ns)
        return pause_message(await call.hub.pause(pause))

    async def ResumePatrol(self, request: scheduler_pb2.ResumePatrolRequest, call: Call) -> scheduler_pb2.Pause:
        """Visit the cameras of a scope again."""
        return pause_message(await call.hub.resume(scope_of(request.scope)))

    async def GetConfig(
        self, request: configuration_pb2.GetConfigRequest, call: Call
    ) -> configuration_pb2.EngineConfig:
        """Return the configuration in force."""
        del request
        return config_message(await call.hub.config())

    async def ValidateConfig(
        self, request: scheduler_pb2.ValidateConfigRequest, call: Call
    ) -> scheduler_pb2.ValidateConfigResponse:
        """Return the problems and warnings of a configuration."""
        problems, warnings = await call.hub.validate_config(request.toml)
        return scheduler_pb2.ValidateConfigResponse(problems=problems, warnings=warnings)

    async def DiffConfig(self, request: scheduler_pb2.DiffConfigRequest, call: Call) -> scheduler_pb2.ConfigReport:
        """Return what a configuration would change."""
        return await _apply(request.toml, "", True, call)

    async def ApplyConfig(self, request: scheduler_pb2.ApplyConfigRequest, call: Call) -> scheduler_pb2.ConfigReport:
        """Apply a configuration."""
        return await _apply(request.toml, request.expected_revision, False, call)

    async def DrawSpotCheck(
        self, request: scheduler_pb2.DrawSpotCheckRequest, call: Call
    ) -> scheduler_pb2.DrawSpotCheckResponse:
        """Draw canteens for people to inspect."""
        return drawn_message(await call.hub.draw_spot_check(order_of(request)))

    async def GetSpotCheck(self, request: scheduler_pb2.GetSpotCheckRequest, call: Call) -> scheduler_pb2.SpotCheck:
        """Return an earlier draw. Raises NotFoundError if it is not kept."""
        draw_id = number_of(request.name)
        check = await call.hub.spot_check(draw_id)
        if check is None:
            which = f"draw {draw_id} is not kept" if draw_id else "nothing was drawn yet"
            raise NotFoundError(
                f"{which}; ListSpotChecks lists those that are",
                reason=ErrorReason.SPOT_CHECK_NOT_FOUND,
                resource=Resource("SpotCheck", request.name),
            )
        return spot_check_message(check)

    async def ListSpotChecks(
        self, request: scheduler_pb2.ListSpotChecksRequest, call: Call
    ) -> scheduler_pb2.ListSpotChecksResponse:
        """Return a page of the draws that are kept."""
        size = page_size_of(request.page_size, self._page_size_max)
        pages = PageTokens("spot checks", call.hub.places)
        before = pages.number(request.page_token)
        headers = [header for header in await call.hub.spot_checks() if not before or header.draw_id < before]
        return scheduler_pb2.ListSpotChecksResponse(
            spot_checks=map(header_message, headers[:size]),
            next_page_token=pages.token(headers[size - 1].draw_id if len(headers) > size else None),
        )


async def _apply(toml: str, expected_revision: str, dry_run: bool, call: Call) -> scheduler_pb2.ConfigReport:
    try:
        return report_message(await call.hub.apply_config(toml, expected_revision, dry_run))
    except ConfigError as error:
        first, *more = str(error).splitlines()
        raise InvalidArgumentError(
            "toml", first, [("toml", line) for line in more], reason=ErrorReason.CONFIG_INVALID
        ) from error
