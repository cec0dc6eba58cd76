"""Calls CameraService, PatrolService and SchedulerService through a thin typed client.

with PatrolClient("127.0.0.1:7702") as engine:
    for verdict in engine.watch():
        ...
"""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

from engine.client.access import AccessClient
from engine.client.canteens import CanteenClient
from engine.client.channel import CallError, Channel, ClientCertificate
from engine.client.check_result import CheckResult, check_result_of
from engine.client.engine import EngineCalls
from engine.client.findings import FindingClient
from engine.clock import wall_ns
from engine.model.camera import Camera
from engine.model.config_report import ConfigReport
from engine.model.engine_status import EngineStatus
from engine.model.kpi import KpiQuery, KpiTable, LeagueQuery, LeagueTable
from engine.model.registry import (
    CameraCount,
    CameraOrder,
    CameraQuery,
    CameraStatus,
    ImportReport,
    RegionLevel,
    RowProblem,
)
from engine.model.schedule import CameraPlanReport, PauseScope, PauseStatus, SchedulerStatus
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.stories.story import CameraStory
from engine.model.verdict import Verdict, View
from engine.serve.messages.cameras import count_of, filter_message, level_number
from engine.serve.messages.convert import (
    REGISTRY_COLUMN,
    camera_message,
    engine_of,
    status_of,
    timestamp,
    verdict_of,
    view_number,
)
from engine.serve.messages.kpis import league_of, league_query_message, query_message, table_of
from engine.serve.messages.resource_names import LATEST, camera_id_of, camera_name, numbered_name, verdict_name
from engine.serve.messages.schedule import pause_of, plan_of, report_of, schedule_of, scope_message
from engine.serve.messages.spot_checks import drawn_of, header_of, spot_check_of
from engine.serve.messages.stories import story_of
from patrol.v1 import (
    cameras_pb2,
    cameras_pb2_grpc,
    patrol_pb2,
    scheduler_pb2,
    stories_pb2,
)

_ROWS_A_MESSAGE = 500
_IMPORT_S = 600.0
_RETRY_FIRST_S = 0.2
_RETRY_MAX_S = 2.0
_CONNECTED_S = 5.0
_RESUMED = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
"""Statuses after which `watch` resumes: the engine restarts, or the watcher read too slowly."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of cameras. `next_page_token`: empty on the last page. `total`: cameras on all pages."""

    cameras: tuple[CameraStatus, ...]
    next_page_token: str
    total: int


@dataclass(frozen=True, slots=True)
class WatchBatch:
    """Verdicts that were stored together. `resume_token`: resumes the watch after them.

    `current`: the batch is part of the snapshot that a watch with `with_current` begins with; its token is empty.
    """

    verdicts: tuple[Verdict, ...]
    resume_token: str
    current: bool = False


class PatrolClient(EngineCalls):
    """A client on a channel of its own. Every method raises CallError.

    `token`: the secret that `patrol token create` printed. `ca`: PEM of the CA that signed the engine's certificate;
    empty: no TLS. `certificate`: of the caller, if the engine wants one (mTLS). `findings`: the ledger. `canteens`:
    addresses and contacts. `access`: tokens and the audit log.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str = "",
        ca: bytes = b"",
        timeout_s: float = 30.0,
        certificate: ClientCertificate | None = None,
    ) -> None:
        super().__init__(Channel(address, token, ca, timeout_s, certificate))
        self._cameras = cameras_pb2_grpc.CameraServiceStub(self._channel.grpc_channel)
        self.findings = FindingClient(self._channel)
        self.canteens = CanteenClient(self._channel)
        self.access = AccessClient(self._channel)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        self.close()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def status(self, region_prefix: str = "") -> EngineStatus:
        """Return the state of the engine; cameras are counted within the region."""
        request = patrol_pb2.GetStatusRequest(region_prefix=region_prefix)
        return engine_of(self._channel.call(self._patrol.GetStatus, request))

    def schedule(self) -> SchedulerStatus:
        """Return the state of the scheduler."""
        request = scheduler_pb2.GetSchedulerStatusRequest()
        return schedule_of(self._channel.call(self._scheduler.GetSchedulerStatus, request))

    def plan(self, camera_id: str) -> CameraPlanReport:
        """Return when a camera is due, and why."""
        request = scheduler_pb2.GetCameraPlanRequest(camera=camera_name(camera_id))
        return plan_of(self._channel.call(self._scheduler.GetCameraPlan, request))

    def pause(self, scope: PauseScope, reason: str, until_wall_ns: int = 0) -> PauseStatus:
        """Stop visiting the cameras of a scope until then; 0: until `resume`."""
        request = scheduler_pb2.PausePatrolRequest(
            scope=scope_message(scope), reason=reason, end_time=timestamp(until_wall_ns)
        )
        return pause_of(self._channel.call(self._scheduler.PausePatrol, request))

    def resume(self, scope: PauseScope) -> PauseStatus:
        """Visit the cameras of a scope again."""
        request = scheduler_pb2.ResumePatrolRequest(scope=scope_message(scope))
        return pause_of(self._channel.call(self._scheduler.ResumePatrol, request))

    def validate_config(self, toml: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the problems of a TOML configuration, which make it unusable, and its warnings."""
        reply = self._channel.call(self._scheduler.ValidateConfig, scheduler_pb2.ValidateConfigRequest(toml=toml))
        return tuple(reply.problems), tuple(reply.warnings)

    def diff_config(self, toml: str) -> ConfigReport:
        """Return what a TOML configuration would change."""
        return report_of(self._channel.call(self._scheduler.DiffConfig, scheduler_pb2.DiffConfigRequest(toml=toml)))

    def apply_config(self, toml: str, *, expected_revision: str = "") -> ConfigReport:
        """Apply a TOML configuration. INVALID_ARGUMENT: it is not usable; ABORTED: the revision is another."""
        request = scheduler_pb2.ApplyConfigRequest(toml=toml, expected_revision=expected_revision)
        return report_of(self._channel.call(self._scheduler.ApplyConfig, request))

    def draw_spot_check(self, order: SpotCheckOrder, request_id: str = "") -> SpotCheckReport:
        """Draw canteens. NOT_FOUND: there are none; ABORTED: another draw is under way."""
        request = scheduler_pb2.DrawSpotCheckRequest(
            size=order.size,
            seed=order.seed,
            region_prefix=order.region_prefix,
            validate_only=order.dry_run,
            check_now=order.check_now,
            request_id=request_id,
        )
        return drawn_of(self._channel.call(self._scheduler.DrawSpotCheck, request))

    def spot_check(self, draw_id: int = 0) -> SpotCheck:
        """Return an earlier draw, or with 0 the latest."""
        name = numbered_name("spotChecks", draw_id) if draw_id else f"spotChecks/{LATEST}"
        request = scheduler_pb2.GetSpotCheckRequest(name=name)
        return spot_check_of(self._channel.call(self._scheduler.GetSpotCheck, request))

    def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """Return the draws that are kept, newest first."""
        reply = self._channel.call(self._scheduler.ListSpotChecks, scheduler_pb2.ListSpotChecksRequest())
        return tuple(map(header_of, reply.spot_checks))

    def camera(self, camera_id: str) -> CameraStatus:
        """Return a camera with its latest verdict."""
        request = cameras_pb2.GetCameraRequest(name=camera_name(camera_id))
        return status_of(self._channel.call(self._cameras.GetCamera, request))

    def page(self, query: CameraQuery, page_token: str = "", view: View = View.FULL) -> Page:
        """Return one page of cameras. `page_token`: from the page before; `query.after` is ignored.

        View.BASIC leaves out what only an audit of the verdicts needs, and is a tenth of the bytes.
        """
        order = f"{query.order} desc" if query.descending else query.order.value
        request = cameras_pb2.ListCamerasRequest(
            filter=filter_message(query, wall_ns()),
            page_size=query.page_size,
            page_token=page_token,
            view=view_number(view),
            order_by="" if (query.order, query.descending) == (CameraOrder.NAME, False) else order,
        )
        if not query.with_verdict:
            names = (field.name for field in cameras_pb2.Camera.DESCRIPTOR.fields)
            request.read_mask.paths.extend(name for name in names if name != "latest_verdict")
        reply = self._channel.call(self._cameras.ListCameras, request)
        return Page(tuple(map(status_of, reply.cameras)), reply.next_page_token, reply.total_size)

    def cameras(self, query: CameraQuery | None = None, view: View = View.FULL) -> Iterator[CameraStatus]:
        """Yield all cameras of a filter, page by page."""
        query, page_token = query or CameraQuery(), ""
        while True:
            page = self.page(query, page_token, view)
            yield from page.cameras
            page_token = page.next_page_token
            if not page_token:
                return

    def count_cameras(
        self, query: CameraQuery | None = None, level: RegionLevel = RegionLevel.COUNTY
    ) -> tuple[tuple[CameraCount, ...], CameraCount]:
        """Return the numbers of cameras by region, and of all regions together; the query's page does not matter."""
        request = cameras_pb2.CountCamerasRequest(
            filter=filter_message(query or CameraQuery(), wall_ns()), level=level_number(level)
        )
        reply = self._channel.call(self._cameras.CountCameras, request)
        return tuple(map(count_of, reply.regions)), count_of(reply.total)

    def create_camera(self, camera: Camera, request_id: str = "") -> CameraStatus:
        """Add a camera. ALREADY_EXISTS: its id is in the registry."""
        request = cameras_pb2.CreateCameraRequest(
            camera_id=camera.camera_id, camera=camera_message(camera), request_id=request_id
        )
        return status_of(self._channel.call(self._cameras.CreateCamera, request))

    def update_camera(self, camera: Camera, fields: Sequence[str] = ()) -> CameraStatus:
        """Change these fields of a camera, as the message names them, or all."""
        request = cameras_pb2.UpdateCameraRequest(camera=camera_message(camera))
        request.update_mask.paths.extend(fields)
        return status_of(self._channel.call(self._cameras.UpdateCamera, request))

    def import_cameras(
        self, cameras: Iterable[Camera], *, keep_good: bool = False, validate_only: bool = False
    ) -> ImportReport:
        """Add and change cameras, and report bad rows; if there are any, nothing changes, unless `keep_good`."""
        options = cameras_pb2.ImportOptions(keep_good=keep_good, validate_only=validate_only)

        def requests() -> Iterator[cameras_pb2.ImportCamerasRequest]:
            remaining = iter(cameras)
            while rows := [camera_message(camera) for camera in islice(remaining, _ROWS_A_MESSAGE)]:
                yield cameras_pb2.ImportCamerasRequest(options=options, cameras=rows)

        reply = self._channel.call(self._cameras.ImportCameras, requests(), _IMPORT_S)
        problems = tuple(
            RowProblem(p.index, REGISTRY_COLUMN.get(p.field, p.field), p.value, p.message) for p in reply.problems
        )
        return ImportReport(reply.added, reply.changed, reply.unchanged, problems)

    def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove cameras from the registry; return how many were removed, and the unknown ids."""
        request = cameras_pb2.BatchDeleteCamerasRequest(names=map(camera_name, camera_ids))
        reply = self._channel.call(self._cameras.BatchDeleteCameras, request)
        return reply.deleted, tuple(map(camera_id_of, reply.missing))

    def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Learn baselines anew, after a move or a cleaning; return how many were reset, and the unknown ids."""
        request = cameras_pb2.ResetBaselineRequest(names=map(camera_name, camera_ids))
        reply = self._channel.call(self._cameras.ResetBaseline, request)
        return reply.reset, tuple(map(camera_id_of, reply.missing))

    def check_now(
        self, camera_ids: Sequence[str], timeout_s: float | None = None, *, trace: bool = False
    ) -> Generator[CheckResult, None, None]:
        """Visit cameras as soon as the caps allow; yield each outcome as soon as its verdict is stored.

        When `timeout_s` is nearly over, the cameras without a verdict are reported as pending. `trace`: with the
        dialogue of each visit.
        """
        request = patrol_pb2.CheckNowRequest(cameras=map(camera_name, camera_ids), trace=trace)
        for reply in self._channel.stream(self._patrol.CheckNow, request, timeout_s):
            yield check_result_of(reply)

    def verdict(self, camera_id: str, visit_id: int = 0) -> Verdict:
        """Return the verdict of a visit, or with 0 the latest."""
        name = verdict_name(camera_id, visit_id) if visit_id else f"{camera_name(camera_id)}/verdicts/{LATEST}"
        return verdict_of(self._channel.call(self._patrol.GetVerdict, patrol_pb2.GetVerdictRequest(name=name)))

    def story(self, camera_id: str) -> CameraStory:
        """Return what happened to a camera lately; without events while it is quietly ok."""
        request = stories_pb2.GetCameraStoryRequest(camera=camera_name(camera_id))
        return story_of(self._channel.call(self._patrol.GetCameraStory, request))

    def verdicts(self, camera_id: str, page_size: int = 0, view: View = View.FULL) -> Iterator[Verdict]:
        """Yield the verdicts on a camera that are kept, newest first, page by page."""
        request = patrol_pb2.ListVerdictsRequest(
            parent=camera_name(camera_id), page_size=page_size, view=view_number(view)
        )
        while True:
            reply = self._channel.call(self._patrol.ListVerdicts, request)
            yield from map(verdict_of, reply.verdicts)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return

    def watch_batches(
        self,
        *,
        region_prefix: str = "",
        site_id: str = "",
        camera_ids: Sequence[str] = (),
        changes_only: bool = False,
        with_current: bool = False,
        resume_token: str = "",
        view: View = View.FULL,
    ) -> Generator[WatchBatch, None, None]:
        """Yield verdicts as they are stored, with resume tokens; close the iterator to end the watch."""
        request = patrol_pb2.WatchVerdictsRequest(
            filter=patrol_pb2.VerdictFilter(
                region_prefix=region_prefix,
                site_id=site_id,
                cameras=map(camera_name, camera_ids),
                changes_only=changes_only,
            ),
            with_current=with_current,
            resume_token=resume_token,
            view=view_number(view),
        )
        for reply in self._channel.stream(self._patrol.WatchVerdicts, request):
            yield WatchBatch(tuple(map(verdict_of, reply.verdicts)), reply.resume_token, reply.current)

    def watch(
        self,
        *,
        region_prefix: str = "",
        site_id: str = "",
        camera_ids: Sequence[str] = (),
        changes_only: bool = False,
        with_current: bool = False,
        resume_token: str = "",
        give_up_s: float = 60.0,
        view: View = View.FULL,
    ) -> Generator[Verdict, None, None]:
        """Yield verdicts as they are stored, without end, none twice and none left out; close the iterator to end.

        If the engine goes away, or cuts the watcher for reading too slowly, the watch resumes from its place. It raises
        CallError if nothing was received for `give_up_s`.
        """
        received_s, wait_s = time.monotonic(), _RETRY_FIRST_S
        while True:
            try:
                for batch in self.watch_batches(
                    region_prefix=region_prefix,
                    site_id=site_id,
                    camera_ids=camera_ids,
                    changes_only=changes_only,
                    with_current=with_current and not resume_token,
                    resume_token=resume_token,
                    view=view,
                ):
                    yield from batch.verdicts
                    resume_token = batch.resume_token or resume_token
                    received_s, wait_s = time.monotonic(), _RETRY_FIRST_S
                return
            except CallError as error:
                retry = error.status in _RESUMED and time.monotonic() - received_s < give_up_s
                if not resume_token or not retry:
                    raise
            time.sleep(wait_s)
            self._channel.wait_connected(_CONNECTED_S)  # reconnect at once: the engine may be up only for a short while
            wait_s = min(_RETRY_MAX_S, 2 * wait_s)

    def kpis(self, query: KpiQuery) -> KpiTable:
        """Return a page of KPIs."""
        return table_of(self._channel.call(self._patrol.QueryKpis, query_message(query)), query.by)

    def league(self, query: LeagueQuery) -> LeagueTable:
        """Return regions ordered by a KPI."""
        return league_of(self._channel.call(self._patrol.QueryLeague, league_query_message(query)), query.kpi)
