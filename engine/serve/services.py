"""The services of patrol.v1: arguments checked, the hub asked, answers converted."""

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import grpc

from engine.errors import NotFoundError, PatrolError
from engine.replies import CameraPage, CameraQuery
from engine.serve.auth import stopwatch
from engine.serve.convert import Redact, camera_of, engine_message, state_of, status_message, verdict_message
from engine.serve.fanout import Fanout, Filter
from engine.serve.metrics import Metrics
from engine.serve.port import HubPort
from engine.serve.status import InvalidArgumentError, abort
from patrol.v1 import (
    cameras_pb2,
    cameras_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    verdicts_pb2,
    verdicts_pb2_grpc,
)

PAGE_SIZE = 100
IMPORT_ROWS_MAX = 10_000
IDS_MAX = 10_000
SIDE_PX_MAX = 8192

Context = grpc.aio.ServicerContext[Any, Any]
Request = TypeVar("Request")
Reply = TypeVar("Reply")


def served(method: Callable[[Any, Request], Awaitable[Reply]]) -> Callable[[Any, Request, Context], Awaitable[Reply]]:
    """Measure a unary call, and turn what it raises into a status."""

    async def call(self: Any, request: Request, context: Context) -> Reply:
        elapsed = stopwatch()
        name = f"/{method.__qualname__.replace('.', '/')}"
        try:
            reply = await method(self, request)
        except Exception as error:
            await abort(context, error, lambda code: self.metrics.rpc(name, code.name, elapsed()))
            raise  # abort has raised already; this line tells the type checker
        self.metrics.rpc(name, "OK", elapsed())
        return reply

    return call


class Cameras(cameras_pb2_grpc.CamerasServicer):
    """The registry."""

    def __init__(self, port: HubPort, metrics: Metrics, redact: Redact, page_size_max: int) -> None:
        self._port = port
        self.metrics = metrics
        self._redact = redact
        self._page_size_max = page_size_max

    @served
    async def ImportCameras(self, request: cameras_pb2.ImportCamerasRequest) -> cameras_pb2.ImportCamerasResponse:
        """Add and change cameras."""
        if not 1 <= len(request.cameras) <= IMPORT_ROWS_MAX:
            raise InvalidArgumentError(
                "cameras", f"{len(request.cameras)} rows; allowed: 1 to {IMPORT_ROWS_MAX} a call"
            )
        report = await self._port.import_cameras([camera_of(one) for one in request.cameras], request.keep_good)
        if report.problems and not request.keep_good:
            raise InvalidArgumentError.of_rows(report.problems)
        problem = cameras_pb2.ImportCamerasResponse.Problem
        return cameras_pb2.ImportCamerasResponse(
            added=report.added,
            changed=report.changed,
            unchanged=report.unchanged,
            problems=[
                problem(index=p.index, field=p.column, value=p.value, message=p.message) for p in report.problems
            ],
        )

    @served
    async def GetCamera(self, request: cameras_pb2.GetCameraRequest) -> cameras_pb2.CameraStatus:
        """One camera."""
        status = await self._port.camera(camera_id_of(request.camera_id))
        if status is None:
            raise NotFoundError(f"camera {request.camera_id!r} is not in the registry; import it first")
        return status_message(status, self._redact)

    @served
    async def ListCameras(self, request: cameras_pb2.ListCamerasRequest) -> cameras_pb2.ListCamerasResponse:
        """A page of cameras."""
        if request.page_size > self._page_size_max:
            raise InvalidArgumentError("page_size", f"{request.page_size}; allowed: 0 to {self._page_size_max}")
        if request.HasField("state") and state_of(request.state) is None:
            raise InvalidArgumentError("state", f"{request.state}; allowed: 1 (ok) to 4 (offline), or absent")
        query = CameraQuery(
            region_prefix=region_of(request.region_prefix),
            site_id=request.site_id,
            state=state_of(request.state) if request.HasField("state") else None,
            page_size=request.page_size or min(PAGE_SIZE, self._page_size_max),
        )
        page = await self._port.list_cameras(replace(query, page_token=_read_token(request.page_token, query)))
        return cameras_pb2.ListCamerasResponse(
            cameras=[status_message(status, self._redact) for status in page.cameras],
            next_page_token=_token(page, query),
            total=page.total,
        )

    @served
    async def RemoveCameras(self, request: cameras_pb2.RemoveCamerasRequest) -> cameras_pb2.RemoveCamerasResponse:
        """Forget cameras."""
        removed, unknown = await self._port.remove_cameras(_ids(request.camera_ids))
        return cameras_pb2.RemoveCamerasResponse(removed=removed, unknown_ids=unknown)

    @served
    async def ResetBaseline(self, request: cameras_pb2.ResetBaselineRequest) -> cameras_pb2.ResetBaselineResponse:
        """Learn anew what cameras show."""
        reset, unknown = await self._port.reset_baselines(_ids(request.camera_ids))
        return cameras_pb2.ResetBaselineResponse(reset=reset, unknown_ids=unknown)

    @served
    async def CheckNow(self, request: cameras_pb2.CheckNowRequest) -> cameras_pb2.CheckNowResponse:
        """Visit cameras soon."""
        report = await self._port.check_now(_ids(request.camera_ids))
        return cameras_pb2.CheckNowResponse(
            accepted=report.accepted,
            already_in_flight=report.already_in_flight,
            unknown_ids=report.unknown_ids,
            not_visited_ids=report.not_visited_ids,
        )


class Verdicts(verdicts_pb2_grpc.VerdictsServicer):
    """What the engine says of cameras."""

    def __init__(self, port: HubPort, fanout: Fanout, metrics: Metrics) -> None:
        self._port = port
        self._fanout = fanout
        self.metrics = metrics

    @served
    async def GetVerdict(self, request: verdicts_pb2.GetVerdictRequest) -> verdicts_pb2.Verdict:
        """The latest verdict."""
        status = await self._port.camera(camera_id_of(request.camera_id))
        if status is None:
            raise NotFoundError(f"camera {request.camera_id!r} is not in the registry; import it first")
        if status.latest is None:
            raise NotFoundError(f"camera {request.camera_id!r} was not visited yet; ask CheckNow, or wait")
        return verdict_message(status.latest)

    @served
    async def GetPicture(self, request: verdicts_pb2.GetPictureRequest) -> verdicts_pb2.GetPictureResponse:
        """The picture behind a verdict."""
        if request.side_px_max > SIDE_PX_MAX:
            raise InvalidArgumentError("side_px_max", f"{request.side_px_max}; allowed: 0 to {SIDE_PX_MAX}")
        picture = await self._port.picture(camera_id_of(request.camera_id), request.visit_id, request.side_px_max)
        if picture is None:
            raise NotFoundError(
                f"no picture of camera {request.camera_id!r} and visit {request.visit_id} is kept; visit 0 asks for "
                "the latest, and record.evidence says whose are kept"
            )
        return verdicts_pb2.GetPictureResponse(
            jpeg=picture.jpeg,
            visit_id=picture.visit_id,
            arrival_wall_ns=picture.arrival_wall_ns,
            width=picture.width,
            height=picture.height,
        )

    async def WatchVerdicts(
        self, request: verdicts_pb2.WatchVerdictsRequest, context: Context
    ) -> AsyncIterator[verdicts_pb2.Verdict]:
        """Verdicts as they are stored."""
        elapsed = stopwatch()
        watcher = None
        try:
            wanted = Filter(
                region_of(request.region_prefix), request.site_id, frozenset(request.camera_ids), request.changes_only
            )
            watcher = self._fanout.open(wanted)
            if request.with_current:
                async for verdict in self._current(wanted):
                    yield verdict
            async with aclosing(watcher.verdicts()) as verdicts:  # type: ignore[type-var]
                async for one in verdicts:
                    yield verdict_message(one)
        except PatrolError as error:
            await abort(context, error, lambda code: self.metrics.rpc("/Verdicts/WatchVerdicts", code.name, elapsed()))
        finally:
            if watcher is not None:
                self._fanout.close(watcher)

    async def _current(self, wanted: Filter) -> AsyncIterator[verdicts_pb2.Verdict]:
        query = CameraQuery(wanted.region_prefix, wanted.site_id, page_size=500)
        while True:
            page = await self._port.list_cameras(query)
            for status in page.cameras:
                if status.latest is not None and wanted.wants(status.camera, True):
                    yield verdict_message(status.latest)
            if not page.next_page_token:
                return
            query = replace(query, page_token=page.next_page_token)


class Engine(engine_pb2_grpc.EngineServicer):
    """The engine itself."""

    def __init__(self, port: HubPort, metrics: Metrics) -> None:
        self._port = port
        self.metrics = metrics

    @served
    async def GetStatus(self, request: engine_pb2.GetStatusRequest) -> engine_pb2.GetStatusResponse:
        """How the patrol goes."""
        del request
        return engine_message(await self._port.status())


def camera_id_of(camera_id: str) -> str:
    """The id of a request; raises InvalidArgumentError if it cannot be one."""
    if not 1 <= len(camera_id) <= 64:
        raise InvalidArgumentError("camera_id", f"{len(camera_id)} characters; allowed: 1 to 64")
    return camera_id


def _ids(camera_ids: Any) -> list[str]:
    if not 1 <= len(camera_ids) <= IDS_MAX:
        raise InvalidArgumentError("camera_ids", f"{len(camera_ids)} ids; allowed: 1 to {IDS_MAX}")
    return list(camera_ids)


def region_of(prefix: str) -> str:
    """The region prefix of a request; raises InvalidArgumentError if it cannot be one."""
    if len(prefix) > 6 or (prefix and not prefix.isdecimal()):
        raise InvalidArgumentError("region_prefix", f"{prefix[:20]!r}; allowed: up to 6 digits of a GB/T 2260 code")
    return prefix


def _token(page: CameraPage, query: CameraQuery) -> str:
    """Opaque to callers: where the next page begins, bound to the filter."""
    if not page.next_page_token:
        return ""
    return base64.urlsafe_b64encode(_mark(query) + page.next_page_token.encode()).decode()


def _read_token(token: str, query: CameraQuery) -> str:
    if not token:
        return ""
    try:
        raw = base64.urlsafe_b64decode(token.encode())
        if raw[:8] == _mark(query):
            return raw[8:].decode()
    except ValueError:
        pass
    raise InvalidArgumentError("page_token", "not one of ours for this filter; send the last reply's, filter unchanged")


def _mark(query: CameraQuery) -> bytes:
    text = "\0".join([query.region_prefix, query.site_id, str(query.state)])
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
