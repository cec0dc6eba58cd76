"""CameraService of patrol.v1: the registry."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from engine.errors import ExistsError, InvalidArgumentError
from engine.model.camera import Camera
from engine.model.registry import CameraCursor, CameraOrder, CameraQuery, CameraStatus, ImportReport, RowProblem
from engine.serve.access import request_fields
from engine.serve.access.gate import Call
from engine.serve.access.request_fields import check_mask
from engine.serve.access.scope import no_camera
from engine.serve.messages.convert import Redact, camera_message, camera_of, state_of, status_message
from engine.serve.messages.encoding import CameraCoder
from engine.serve.messages.paging import Pages, page_size_of
from engine.serve.messages.resource_names import camera_id_of, camera_ids_of
from patrol.v1 import cameras_pb2, cameras_pb2_grpc

IMPORT_ROWS_MAX = 200_000
"""Rows of one import; more than a province has."""
PROBLEMS_MAX = 10_000
"""Bad rows that one reply names."""
_CAMERA = cameras_pb2.Camera.DESCRIPTOR
_SHOWN_CHARS = 80
_VERDICT_FIELD = "latest_verdict"


class CameraService(cameras_pb2_grpc.CameraServiceServicer):
    """Arguments are checked by the gate; what they mean is checked here."""

    def __init__(self, redact: Redact, page_size_max: int) -> None:
        self._redact = redact
        self._coder = CameraCoder(redact)
        self._page_size_max = page_size_max
        self._changing = asyncio.Lock()  # of two who create the same camera the second is told

    async def GetCamera(self, request: cameras_pb2.GetCameraRequest, call: Call) -> cameras_pb2.Camera | bytes:
        """One camera."""
        check_mask(request.read_mask, _CAMERA, "read_mask")
        status = await _known(call, camera_id_of(request.name))
        whole = _whole(request.read_mask)
        return self._coder.camera(status) if whole else self._masked(status, request.read_mask)

    async def ListCameras(
        self, request: cameras_pb2.ListCamerasRequest, call: Call
    ) -> cameras_pb2.ListCamerasResponse | bytes:
        """A page of cameras; a whole one is coded beside the loop, which others wait for."""
        check_mask(request.read_mask, _CAMERA, "read_mask")
        query = self._query(request)
        pages = Pages(
            "cameras", call.port.region, query.region_prefix, query.site_id, query.state, query.order, query.descending
        )
        place = pages.texts(request.page_token, 2)
        page = await call.port.list_cameras(replace(query, after=CameraCursor(*place) if place else None))
        mark = page.next_after
        token = pages.token(None if mark is None else (mark.camera_id, mark.value))
        if _whole(request.read_mask):
            return await asyncio.to_thread(self._coder.page, page.cameras, token, page.total)
        return cameras_pb2.ListCamerasResponse(
            cameras=[self._masked(status, request.read_mask) for status in page.cameras],
            next_page_token=token,
            total_size=page.total,
        )

    async def BatchGetCameras(
        self, request: cameras_pb2.BatchGetCamerasRequest, call: Call
    ) -> cameras_pb2.BatchGetCamerasResponse:
        """Some cameras at once."""
        check_mask(request.read_mask, _CAMERA, "read_mask")
        camera_ids = camera_ids_of(request.names, "names")
        statuses = [await _known(call, camera_id) for camera_id in camera_ids]
        return cameras_pb2.BatchGetCamerasResponse(
            cameras=[self._masked(status, request.read_mask) for status in statuses]
        )

    async def CreateCamera(self, request: cameras_pb2.CreateCameraRequest, call: Call) -> cameras_pb2.Camera:
        """Add a camera."""
        camera = camera_of(request.camera, request.camera_id)
        async with self._changing:
            if await call.port.camera(camera.camera_id) is not None:
                raise ExistsError(f"camera {camera.camera_id!r} is known; UpdateCamera changes it")
            await self._put(camera, call, "camera_id")
        return self._message(await _known(call, camera.camera_id))

    async def UpdateCamera(self, request: cameras_pb2.UpdateCameraRequest, call: Call) -> cameras_pb2.Camera:
        """Change a camera."""
        if not request.camera.name:
            raise InvalidArgumentError("camera.name", "is missing; it must be given")
        camera_id = camera_id_of(request.camera.name, "camera.name")
        paths = [path for path in request.update_mask.paths if path != "*"]
        check_mask(request.update_mask, _CAMERA, "update_mask")
        for index, path in enumerate(request.update_mask.paths):
            if path == "name" or path.startswith(_VERDICT_FIELD):
                raise InvalidArgumentError(f"update_mask.paths[{index}]", f"{path!r} is the engine's to say")
        async with self._changing:
            known = await call.port.camera(camera_id)
            if known is None and not request.allow_missing:
                raise no_camera(camera_id)
            message = request.camera
            if known is not None and paths and len(paths) == len(request.update_mask.paths):
                # The known URL with its password: what the mask leaves out stays as it is.
                message = camera_message(known.camera)
                FieldMask(paths=paths).MergeMessage(request.camera, message)
                for path in paths:  # what is to become empty is not merged
                    if not _is_set(request.camera, path):
                        message.ClearField(path)
            await self._put(camera_of(message, camera_id), call, "camera.name")
        return self._message(await _known(call, camera_id))

    async def DeleteCamera(self, request: cameras_pb2.DeleteCameraRequest, call: Call) -> Empty:
        """Forget a camera."""
        camera_id = camera_id_of(request.name)
        async with self._changing:
            _, unknown = await call.port.remove_cameras([camera_id])
        if unknown and not request.allow_missing:
            raise no_camera(camera_id)
        return Empty()

    async def BatchDeleteCameras(
        self, request: cameras_pb2.BatchDeleteCamerasRequest, call: Call
    ) -> cameras_pb2.BatchDeleteCamerasResponse:
        """Forget some cameras."""
        camera_ids = camera_ids_of(request.names, "names")
        async with self._changing:
            deleted, unknown = await call.port.remove_cameras(camera_ids)
        return cameras_pb2.BatchDeleteCamerasResponse(deleted=deleted, missing=_named(request.names, unknown))

    async def ImportCameras(
        self, requests: AsyncIterator[cameras_pb2.ImportCamerasRequest], call: Call
    ) -> cameras_pb2.ImportCamerasResponse:
        """Add and change cameras."""
        options: cameras_pb2.ImportOptions | None = None
        cameras: list[Camera] = []
        places: list[int] = []  # of these among all rows of the call
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
                    places.append(index)
            number += len(request.cameras)
            if number > IMPORT_ROWS_MAX:
                raise InvalidArgumentError("cameras", f"{number} rows and more; allowed: 1 to {IMPORT_ROWS_MAX}")
        if options is None or not number:
            raise InvalidArgumentError("cameras", f"no rows came; allowed: 1 to {IMPORT_ROWS_MAX}")
        call.about = f"{number} rows" + (f", {cameras[0].camera_id} to {cameras[-1].camera_id}" if cameras else "")
        refused = bool(malformed) and not options.keep_good
        report = ImportReport()
        if cameras:
            async with self._changing:
                report = await call.port.import_cameras(cameras, options.keep_good, options.validate_only or refused)
        problems = [*malformed, *(replace(one, index=places[one.index]) for one in report.problems)]
        problems.sort(key=lambda one: one.index)
        if refused:
            report = ImportReport()
        return cameras_pb2.ImportCamerasResponse(
            added=report.added,
            changed=report.changed,
            unchanged=report.unchanged,
            problems=map(_problem, problems[:PROBLEMS_MAX]),
            problems_total=len(problems),
        )

    async def ResetBaseline(
        self, request: cameras_pb2.ResetBaselineRequest, call: Call
    ) -> cameras_pb2.ResetBaselineResponse:
        """Learn anew what cameras show."""
        reset, unknown = await call.port.reset_baselines(camera_ids_of(request.names, "names"))
        return cameras_pb2.ResetBaselineResponse(reset=reset, missing=_named(request.names, unknown))

    def _query(self, request: cameras_pb2.ListCamerasRequest) -> CameraQuery:
        order, _, descending = request.order_by.partition(" ")
        wanted, paths = request.filter, request.read_mask.paths
        if wanted.HasField("state") and state_of(wanted.state) is None:
            raise InvalidArgumentError("filter.state", f"{wanted.state}; allowed: 1 (ok) to 4 (offline), or absent")
        return CameraQuery(
            region_prefix=wanted.region_prefix,
            site_id=wanted.site_id,
            state=state_of(wanted.state) if wanted.HasField("state") else None,
            page_size=page_size_of(request.page_size, self._page_size_max),
            order=CameraOrder(order) if order else CameraOrder.NAME,
            descending=bool(descending),
            with_verdict=not paths or any(one == "*" or one.startswith(_VERDICT_FIELD) for one in paths),
        )

    async def _put(self, camera: Camera, call: Call, name_field: str) -> None:
        """One row; what is wrong with it is named as a field of the request."""
        report = await call.port.import_cameras([camera], keep_good=False)
        if report.problems:
            named = [
                (name_field if one.column == "camera_id" else f"camera.{_FIELD.get(one.column, one.column)}",
                 f"{one.value!r}: {one.message}")
                for one in report.problems
            ]  # fmt: skip
            raise InvalidArgumentError(*named[0], more=named[1:])

    def _message(self, status: CameraStatus) -> cameras_pb2.Camera:
        return status_message(status, self._redact)

    def _masked(self, status: CameraStatus, mask: FieldMask) -> cameras_pb2.Camera:
        message = self._message(status)
        if _whole(mask):
            return message
        wanted = cameras_pb2.Camera()
        mask.MergeMessage(message, wanted)
        return wanted


_FIELD = {"name": "display_name", "enabled": "disabled"}
"""Columns of the registry that the message calls otherwise."""
_COLUMN = {"name": "camera_id", "display_name": "name"}


def _whole(mask: FieldMask) -> bool:
    return not mask.paths or "*" in mask.paths


async def _known(call: Call, camera_id: str) -> CameraStatus:
    status = await call.port.camera(camera_id)
    if status is None:
        raise no_camera(camera_id)
    return status


def _is_set(message: cameras_pb2.Camera, path: str) -> bool:
    return any(field.name == path for field, _ in message.ListFields())


def _malformed(row: cameras_pb2.Camera, index: int, redact: Redact) -> list[RowProblem]:
    """What the .proto does not allow in a row."""
    found = request_fields.violations(row)
    if not found:
        try:
            camera_id_of(row.name)
        except InvalidArgumentError as error:
            found = list(error.violations)
    return [
        RowProblem(index, _COLUMN.get(field, field), redact(str(getattr(row, field)))[:_SHOWN_CHARS], message)
        for field, message in found
    ]


def _problem(one: RowProblem) -> cameras_pb2.RowProblem:
    field = "name" if one.column == "camera_id" else _FIELD.get(one.column, one.column)
    return cameras_pb2.RowProblem(index=one.index, field=field, value=one.value, message=one.message)


def _named(names: Sequence[str], unknown: Sequence[str]) -> list[str]:
    """The names, as they were sent, of ids that are not known."""
    missing = set(unknown)
    return [name for name in names if camera_id_of(name) in missing]
