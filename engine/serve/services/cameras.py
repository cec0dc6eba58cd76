"""CameraService of patrol.v1: the registry."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from engine.clock import wall_ns
from engine.errors import ErrorReason, ExistsError, InvalidArgumentError, Resource
from engine.model.camera import Camera
from engine.model.registry import CameraCursor, CameraOrder, CameraQuery, CameraStatus, ImportReport, RowProblem
from engine.model.verdict import View
from engine.serve.access import request_fields
from engine.serve.access.interceptor import Call
from engine.serve.access.not_found import no_camera
from engine.serve.access.request_fields import check_mask
from engine.serve.messages.cameras import count_message, level_of, query_of
from engine.serve.messages.convert import Redact, camera_message, camera_of, status_message, view_of
from engine.serve.messages.encoding import CameraEncoder
from engine.serve.messages.paging import PageTokens, page_size_of
from engine.serve.messages.resource_names import camera_id_of, camera_ids_of, camera_name
from patrol.v1 import cameras_pb2, cameras_pb2_grpc

IMPORT_ROWS_MAX = 200_000
"""Rows of one import; a province has fewer cameras."""
COUNTS_MAX = 5_000
"""Rows of CountCameras; the country has fewer than 3,000 counties."""
PROBLEMS_MAX = 10_000
"""Bad rows that one reply reports."""
_CAMERA = cameras_pb2.Camera.DESCRIPTOR
_SHOWN_CHARS = 80
_VERDICT_FIELD = "latest_verdict"


class CameraService(cameras_pb2_grpc.CameraServiceServicer):
    """The registry of cameras. `redact`: hides the password in a URL."""

    def __init__(self, redact: Redact, page_size_max: int) -> None:
        self._redact = redact
        self._encoders = {view: CameraEncoder(redact, view=view) for view in View}
        self._page_size_max = page_size_max
        self._change_lock = asyncio.Lock()  # of two calls that create the same camera, the second gets ALREADY_EXISTS

    async def GetCamera(self, request: cameras_pb2.GetCameraRequest, call: Call) -> cameras_pb2.Camera | bytes:
        """Return a camera."""
        check_mask(request.read_mask, _CAMERA, "read_mask")
        status = await _camera(call, camera_id_of(request.name))
        if _all_fields(request.read_mask):
            return self._encoder(request, View.FULL).camera(status)
        return self._masked(status, request.read_mask)

    async def ListCameras(
        self, request: cameras_pb2.ListCamerasRequest, call: Call
    ) -> cameras_pb2.ListCamerasResponse | bytes:
        """Return a page of cameras. Without a mask it is encoded in a thread, because other calls need the loop, unless
        it is ready."""
        check_mask(request.read_mask, _CAMERA, "read_mask")
        query = self._query(request)
        asked = request.filter.SerializeToString(deterministic=True).hex()
        pages = PageTokens("cameras", call.hub.places, asked, query.order, query.descending)
        place = pages.texts(request.page_token, 2)
        page = await call.hub.list_cameras(replace(query, after=CameraCursor(*place) if place else None))
        mark = page.next_after
        token = pages.token(None if mark is None else (mark.camera_id, mark.value))
        if _all_fields(request.read_mask):
            encoder = self._encoder(request, View.BASIC)
            ready = encoder.ready_page(page.cameras, token, page.total)
            if ready is not None:
                return ready
            return await asyncio.to_thread(encoder.page, page.cameras, token, page.total)
        return cameras_pb2.ListCamerasResponse(
            cameras=[self._masked(status, request.read_mask) for status in page.cameras],
            next_page_token=token,
            total_size=page.total,
        )

    async def CountCameras(
        self, request: cameras_pb2.CountCamerasRequest, call: Call
    ) -> cameras_pb2.CountCamerasResponse:
        """Count cameras by region. Raises InvalidArgumentError if there would be too many rows."""
        level = level_of(request.level)
        rows, total = await call.hub.count_cameras(query_of(request.filter, wall_ns()), level)
        if len(rows) > COUNTS_MAX:
            raise InvalidArgumentError(
                "level", f"{level}: {len(rows)} regions; allowed: at most {COUNTS_MAX}; give filter.region_prefix"
            )
        return cameras_pb2.CountCamerasResponse(regions=map(count_message, rows), total=count_message(total))

    async def BatchGetCameras(
        self, request: cameras_pb2.BatchGetCamerasRequest, call: Call
    ) -> cameras_pb2.BatchGetCamerasResponse | bytes:
        """Return several cameras, encoded as those of ListCameras."""
        check_mask(request.read_mask, _CAMERA, "read_mask")
        camera_ids = camera_ids_of(request.names, "names")
        statuses = [await _camera(call, camera_id) for camera_id in camera_ids]
        if _all_fields(request.read_mask):
            return await asyncio.to_thread(self._encoder(request, View.FULL).batch, statuses)
        return cameras_pb2.BatchGetCamerasResponse(
            cameras=[self._masked(status, request.read_mask) for status in statuses]
        )

    async def CreateCamera(self, request: cameras_pb2.CreateCameraRequest, call: Call) -> cameras_pb2.Camera:
        """Add a camera. Raises ExistsError if its id is taken."""
        camera = camera_of(request.camera, request.camera_id)
        async with self._change_lock:
            if await call.hub.registered([camera.camera_id]):
                name = camera_name(camera.camera_id)
                raise ExistsError(
                    f"camera {camera.camera_id!r} is in the registry already; change it with UpdateCamera",
                    reason=ErrorReason.CAMERA_EXISTS,
                    resource=Resource("Camera", name),
                    metadata={"camera": name},
                )
            await self._upsert(camera, call, "camera_id")
        return self._message(await _camera(call, camera.camera_id))

    async def UpdateCamera(self, request: cameras_pb2.UpdateCameraRequest, call: Call) -> cameras_pb2.Camera:
        """Change a camera. Raises InvalidArgumentError if its name or a path of the mask is wrong."""
        if not request.camera.name:
            raise InvalidArgumentError("camera.name", "is missing; it must be given", reason=ErrorReason.FIELD_MISSING)
        camera_id = camera_id_of(request.camera.name, "camera.name")
        paths = [path for path in request.update_mask.paths if path != "*"]
        check_mask(request.update_mask, _CAMERA, "update_mask")
        for index, path in enumerate(request.update_mask.paths):
            if path == "name" or path.startswith(_VERDICT_FIELD):
                raise InvalidArgumentError(
                    f"update_mask.paths[{index}]", f"{path!r} is set by the engine; leave it out"
                )
        async with self._change_lock:
            present = await call.hub.camera(camera_id)
            if present is None and not request.allow_missing:
                raise no_camera(camera_id)
            message = request.camera
            if present is not None and paths and len(paths) == len(request.update_mask.paths):
                # Fields outside the mask stay as they are; the URL is not redacted here, so it keeps its password.
                message = camera_message(present.camera)
                FieldMask(paths=paths).MergeMessage(request.camera, message)
                for path in paths:  # MergeMessage skips the fields that the request sets to empty
                    if not _is_set(request.camera, path):
                        message.ClearField(path)
            await self._upsert(camera_of(message, camera_id), call, "camera.name")
        return self._message(await _camera(call, camera_id))

    async def DeleteCamera(self, request: cameras_pb2.DeleteCameraRequest, call: Call) -> Empty:
        """Remove a camera from the registry."""
        camera_id = camera_id_of(request.name)
        async with self._change_lock:
            _, unknown = await call.hub.remove_cameras([camera_id])
        if unknown and not request.allow_missing:
            raise no_camera(camera_id)
        return Empty()

    async def BatchDeleteCameras(
        self, request: cameras_pb2.BatchDeleteCamerasRequest, call: Call
    ) -> cameras_pb2.BatchDeleteCamerasResponse:
        """Remove several cameras from the registry."""
        camera_ids = camera_ids_of(request.names, "names")
        async with self._change_lock:
            deleted, unknown = await call.hub.remove_cameras(camera_ids)
        return cameras_pb2.BatchDeleteCamerasResponse(deleted=deleted, missing=_missing(request.names, unknown))

    async def ImportCameras(
        self, requests: AsyncIterator[cameras_pb2.ImportCamerasRequest], call: Call
    ) -> cameras_pb2.ImportCamerasResponse:
        """Add and change cameras. Raises InvalidArgumentError if there are no rows or too many."""
        options: cameras_pb2.ImportOptions | None = None
        cameras: list[Camera] = []
        indexes: list[int] = []  # of `cameras` among all rows of the call
        malformed: list[RowProblem] = []
        number = 0
        async for request in requests:
            if options is None:
                options = request.options
            for index, row in enumerate(request.cameras, number):
                problems = _malformed(row, index, self._redact)
                malformed += problems
                if not problems:
                    cameras.append(camera_of(row, camera_id_of(row.name)))
                    indexes.append(index)
            number += len(request.cameras)
            if number > IMPORT_ROWS_MAX:
                raise InvalidArgumentError("cameras", f"{number} rows and more; allowed: 1 to {IMPORT_ROWS_MAX}")
        if options is None or not number:
            raise InvalidArgumentError("cameras", f"no rows came; allowed: 1 to {IMPORT_ROWS_MAX}")
        call.subject = f"{number} rows" + (f", {cameras[0].camera_id} to {cameras[-1].camera_id}" if cameras else "")
        refused = bool(malformed) and not options.keep_good
        report = ImportReport()
        if cameras:
            async with self._change_lock:
                report = await call.hub.import_cameras(cameras, options.keep_good, options.validate_only or refused)
        problems = [*malformed, *(replace(problem, index=indexes[problem.index]) for problem in report.problems)]
        problems.sort(key=lambda problem: problem.index)
        if refused:
            report = ImportReport()
        return cameras_pb2.ImportCamerasResponse(
            added=report.added,
            changed=report.changed,
            unchanged=report.unchanged,
            problems=map(_problem_message, problems[:PROBLEMS_MAX]),
            problems_total=len(problems),
        )

    async def ResetBaseline(
        self, request: cameras_pb2.ResetBaselineRequest, call: Call
    ) -> cameras_pb2.ResetBaselineResponse:
        """Learn the baselines of cameras anew."""
        reset, unknown = await call.hub.reset_baselines(camera_ids_of(request.names, "names"))
        return cameras_pb2.ResetBaselineResponse(reset=reset, missing=_missing(request.names, unknown))

    def _query(self, request: cameras_pb2.ListCamerasRequest) -> CameraQuery:
        order, _, descending = request.order_by.partition(" ")
        paths = request.read_mask.paths
        return replace(
            query_of(request.filter, wall_ns()),
            page_size=page_size_of(request.page_size, self._page_size_max),
            order=CameraOrder(order) if order else CameraOrder.NAME,
            descending=bool(descending),
            with_verdict=not paths or any(path == "*" or path.startswith(_VERDICT_FIELD) for path in paths),
        )

    async def _upsert(self, camera: Camera, call: Call, name_field: str) -> None:
        """Add or change a camera. Raises InvalidArgumentError with the request's fields that are wrong."""
        report = await call.hub.import_cameras([camera], keep_good=False)
        if report.problems:
            fields = {"camera_id": name_field}
            violations = [
                (fields.get(problem.column) or f"camera.{_FIELD.get(problem.column, problem.column)}", _told(problem))
                for problem in report.problems
            ]
            raise InvalidArgumentError(*violations[0], more=violations[1:], reason=ErrorReason.CAMERA_ROW_INVALID)

    def _encoder(self, request: Any, default: View) -> CameraEncoder:
        return self._encoders[view_of(request.view, default)]

    def _message(self, status: CameraStatus) -> cameras_pb2.Camera:
        return status_message(status, self._redact)

    def _masked(self, status: CameraStatus, mask: FieldMask) -> cameras_pb2.Camera:
        masked = cameras_pb2.Camera()
        mask.MergeMessage(self._message(status), masked)
        return masked


_FIELD = {"name": "display_name", "enabled": "disabled"}
"""The message's field for a column of the registry, where the two names differ."""
_COLUMN = {"name": "camera_id", "display_name": "name"}
"""The registry's column for a field of the message, where the two names differ."""


def _all_fields(mask: FieldMask) -> bool:
    return not mask.paths or "*" in mask.paths


async def _camera(call: Call, camera_id: str) -> CameraStatus:
    status = await call.hub.camera(camera_id)
    if status is None:
        raise no_camera(camera_id)
    return status


def _is_set(message: cameras_pb2.Camera, path: str) -> bool:
    return any(field.name == path for field, _ in message.ListFields())


def _malformed(row: cameras_pb2.Camera, index: int, redact: Redact) -> list[RowProblem]:
    """Return what the .proto does not allow in a row."""
    violations = request_fields.violations(row)
    if not violations:
        try:
            camera_id_of(row.name)
        except InvalidArgumentError as error:
            violations = list(error.violations)
    return [
        RowProblem(index, _COLUMN.get(field, field), redact(str(getattr(row, field)))[:_SHOWN_CHARS], message)
        for field, message in violations
    ]


def _told(problem: RowProblem) -> str:
    """Return value and message; a message that begins with the value says it once."""
    value = repr(problem.value)
    return problem.message if problem.message.startswith(value) else f"{value}: {problem.message}"


def _problem_message(problem: RowProblem) -> cameras_pb2.RowProblem:
    field = "name" if problem.column == "camera_id" else _FIELD.get(problem.column, problem.column)
    return cameras_pb2.RowProblem(index=problem.index, field=field, value=problem.value, message=problem.message)


def _missing(names: Sequence[str], unknown: Sequence[str]) -> list[str]:
    """The names, as they were sent, of the ids that are not known."""
    missing = set(unknown)
    return [name for name in names if camera_id_of(name) in missing]
