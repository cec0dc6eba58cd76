"""A thin typed client of the engine's API, for the command line, the demo, tests and programs in Python.

with PatrolClient("127.0.0.1:7702") as engine:
    for verdict in engine.watch():
        ...
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from engine.errors import PatrolError
from engine.replies import (
    CameraPage,
    CameraPlanReport,
    CameraQuery,
    CameraStatus,
    CheckNowReport,
    ConfigReport,
    EngineStatus,
    ImportReport,
    RenderedPicture,
    RowProblem,
    SchedulerStatus,
    SpotCheck,
    SpotCheckHeader,
    SpotCheckOrder,
    SpotCheckReport,
)
from engine.serve.convert import camera_message, engine_of, state_number, status_of, verdict_of
from engine.serve.scheduler import plan_of, report_of, schedule_of
from engine.serve.spotcheck import drawn_of, header_of, spot_check_of
from engine.types import Camera, Verdict
from patrol.v1 import (
    cameras_pb2,
    cameras_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    scheduler_pb2,
    scheduler_pb2_grpc,
    verdicts_pb2,
    verdicts_pb2_grpc,
)

_IMPORT_ROWS = 1000
_MESSAGE_BYTES_MAX = 64 * 1024 * 1024
Reply = TypeVar("Reply")


class CallError(PatrolError):
    """A call ended with another status than OK; `status` is its name (UNAVAILABLE, NOT_FOUND, ...).

    `violations`: field and what is wrong with it, for each thing that an INVALID_ARGUMENT names.
    """

    code = "call"

    def __init__(self, status: str, message: str, violations: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.violations = tuple(violations)


class PatrolClient:
    """One channel. `token`: a line of the tokens file. `ca`: PEM of who signed the certificate; empty: no TLS."""

    def __init__(self, address: str, *, token: str = "", ca: bytes = b"", timeout_s: float = 30.0) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = (("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),)
        if ca:
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca), options=options)
        else:
            self._channel = grpc.insecure_channel(address, options=options)
        self._cameras = cameras_pb2_grpc.CamerasStub(self._channel)
        self._verdicts = verdicts_pb2_grpc.VerdictsStub(self._channel)
        self._scheduler = scheduler_pb2_grpc.SchedulerStub(self._channel)
        self._engine = engine_pb2_grpc.EngineStub(self._channel)

    def __enter__(self) -> Self:
        """The client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def status(self) -> EngineStatus:
        """How the patrol goes."""
        return engine_of(self._call(self._engine.GetStatus, engine_pb2.GetStatusRequest()))

    def schedule(self) -> SchedulerStatus:
        """How the patrol keeps its periods."""
        return schedule_of(self._call(self._scheduler.GetSchedulerStatus, scheduler_pb2.GetSchedulerStatusRequest()))

    def plan(self, camera_id: str) -> CameraPlanReport:
        """Why a camera is due when it is; CallError NOT_FOUND."""
        request = scheduler_pb2.GetCameraPlanRequest(camera_id=camera_id)
        return plan_of(self._call(self._scheduler.GetCameraPlan, request))

    def apply_config(self, toml: str, *, dry_run: bool = False, expected_revision: str = "") -> ConfigReport:
        """Take a configuration; CallError INVALID_ARGUMENT says what is wrong with it, ABORTED that another came."""
        request = scheduler_pb2.ApplyConfigRequest(toml=toml, dry_run=dry_run, expected_revision=expected_revision)
        return report_of(self._call(self._scheduler.ApplyConfig, request))

    def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw canteens; CallError NOT_FOUND if there are none, ABORTED while another draw is under way."""
        request = scheduler_pb2.DrawSpotCheckRequest(
            size=order.size,
            seed=order.seed,
            region_prefix=order.region_prefix,
            dry_run=order.dry_run,
            check_now=order.check_now,
        )
        return drawn_of(self._call(self._scheduler.DrawSpotCheck, request))

    def spot_check(self, draw_id: int = 0) -> SpotCheck:
        """An earlier draw, 0 the latest; CallError NOT_FOUND."""
        request = scheduler_pb2.GetSpotCheckRequest(draw_id=draw_id)
        return spot_check_of(self._call(self._scheduler.GetSpotCheck, request))

    def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """The draws that are kept, newest first."""
        reply = self._call(self._scheduler.ListSpotChecks, scheduler_pb2.ListSpotChecksRequest())
        return tuple(map(header_of, reply.spot_checks))

    def camera(self, camera_id: str) -> CameraStatus:
        """One camera with its latest verdict; CallError NOT_FOUND."""
        return status_of(self._call(self._cameras.GetCamera, cameras_pb2.GetCameraRequest(camera_id=camera_id)))

    def page(self, query: CameraQuery) -> CameraPage:
        """One page; `page_token` as the last page gave it."""
        request = cameras_pb2.ListCamerasRequest(
            region_prefix=query.region_prefix,
            site_id=query.site_id,
            page_size=query.page_size,
            page_token=query.page_token,
        )
        if query.state is not None:
            request.state = state_number(query.state)
        reply = self._call(self._cameras.ListCameras, request)
        return CameraPage(tuple(map(status_of, reply.cameras)), reply.next_page_token, reply.total)

    def cameras(self, query: CameraQuery | None = None) -> Iterator[CameraStatus]:
        """All cameras of a filter, page by page."""
        query = query or CameraQuery()
        while True:
            page = self.page(query)
            yield from page.cameras
            if not page.next_page_token:
                return
            query = replace(query, page_token=page.next_page_token)

    def import_cameras(self, cameras: Sequence[Camera], *, keep_good: bool = False) -> ImportReport:
        """Add and change cameras, in calls of some rows; CallError INVALID_ARGUMENT names bad rows."""
        added = changed = unchanged = 0
        problems: list[RowProblem] = []
        for begin in range(0, len(cameras), _IMPORT_ROWS):
            chunk = [camera_message(camera) for camera in cameras[begin : begin + _IMPORT_ROWS]]
            request = cameras_pb2.ImportCamerasRequest(cameras=chunk, keep_good=keep_good)
            reply = self._call(self._cameras.ImportCameras, request)
            added, changed, unchanged = added + reply.added, changed + reply.changed, unchanged + reply.unchanged
            problems += [RowProblem(begin + p.index, p.field, p.value, p.message) for p in reply.problems]
        return ImportReport(added, changed, unchanged, tuple(problems))

    def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget cameras; how many there were, and the ids not known."""
        request = cameras_pb2.RemoveCamerasRequest(camera_ids=camera_ids)
        reply = self._call(self._cameras.RemoveCameras, request)
        return reply.removed, tuple(reply.unknown_ids)

    def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Learn anew what cameras show, after a move or a cleaning; how many there were, and the ids not known."""
        request = cameras_pb2.ResetBaselineRequest(camera_ids=camera_ids)
        reply = self._call(self._cameras.ResetBaseline, request)
        return reply.reset, tuple(reply.unknown_ids)

    def check_now(self, camera_ids: Sequence[str]) -> CheckNowReport:
        """Visit cameras as soon as the caps allow."""
        reply = self._call(self._cameras.CheckNow, cameras_pb2.CheckNowRequest(camera_ids=camera_ids))
        return CheckNowReport(
            reply.accepted, reply.already_in_flight, tuple(reply.unknown_ids), tuple(reply.not_visited_ids)
        )

    def verdict(self, camera_id: str) -> Verdict:
        """The latest verdict; CallError NOT_FOUND."""
        return verdict_of(self._call(self._verdicts.GetVerdict, verdicts_pb2.GetVerdictRequest(camera_id=camera_id)))

    def watch(
        self,
        *,
        region_prefix: str = "",
        site_id: str = "",
        camera_ids: Sequence[str] = (),
        changes_only: bool = False,
        with_current: bool = False,
    ) -> Iterator[Verdict]:
        """Verdicts as they are stored, for ever; close the iterator to end."""
        request = verdicts_pb2.WatchVerdictsRequest(
            region_prefix=region_prefix,
            site_id=site_id,
            camera_ids=camera_ids,
            changes_only=changes_only,
            with_current=with_current,
        )
        stream = self._verdicts.WatchVerdicts(request, metadata=self._metadata)
        try:
            for message in stream:
                yield verdict_of(message)
        except grpc.RpcError as error:
            raise self._error(error) from error
        finally:
            stream.cancel()

    def picture(self, camera_id: str, *, visit_id: int = 0, side_px_max: int = 0) -> RenderedPicture:
        """The picture behind a verdict; CallError NOT_FOUND."""
        request = verdicts_pb2.GetPictureRequest(camera_id=camera_id, visit_id=visit_id, side_px_max=side_px_max)
        reply = self._call(self._verdicts.GetPicture, request)
        return RenderedPicture(reply.jpeg, reply.width, reply.height, reply.visit_id, reply.arrival_wall_ns)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._error(error) from error

    def _error(self, error: Any) -> CallError:
        status = error.code().name
        if status == "UNAVAILABLE" and "failed to connect" in (error.details() or ""):
            return CallError(
                status, f"no engine answers at {self._address}; start `patrol run`, or give its address with --server"
            )
        return CallError(status, error.details() or status, list(_violations(error)))


def _violations(error: Any) -> Iterator[tuple[str, str]]:
    """Of google.rpc.BadRequest in the status of a call."""
    status = rpc_status.from_call(error)
    for detail in () if status is None else status.details:
        request = error_details_pb2.BadRequest()
        if detail.Unpack(request):
            yield from ((one.field, one.description) for one in request.field_violations)
