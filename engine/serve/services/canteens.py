"""CanteenService of patrol.v1: canteens with address, contact, location, and their cameras by state."""

import asyncio
from dataclasses import replace

from google.protobuf.field_mask_pb2 import FieldMask

from engine.clock import wall_ns
from engine.errors import InvalidArgumentError
from engine.model.canteen import CanteenOrder, CanteenQuery, StoredCanteen
from engine.serve.access.interceptor import Call
from engine.serve.access.not_found import no_canteen
from engine.serve.access.request_fields import check_mask
from engine.serve.messages.canteens import canteen_message, details_of
from engine.serve.messages.convert import site_kind_of
from engine.serve.messages.paging import PageTokens, page_size_of
from engine.serve.messages.resource_names import canteen_id_of
from patrol.v1 import canteens_pb2, canteens_pb2_grpc

_CANTEEN = canteens_pb2.Canteen.DESCRIPTOR
_DETAILS = ("address", "contact", "location")
_OF_CAMERAS = ("display_name", "region", "site_kind")
"""Fields that the cameras of a canteen have; of one without cameras they are stored."""


class CanteenService(canteens_pb2_grpc.CanteenServiceServicer):
    """Canteens."""

    def __init__(self, page_size_max: int) -> None:
        self._page_size_max = page_size_max
        self._change_lock = asyncio.Lock()  # a change with a mask reads what it does not change

    async def GetCanteen(self, request: canteens_pb2.GetCanteenRequest, call: Call) -> canteens_pb2.Canteen:
        """Return a canteen. Raises NotFoundError if the caller sees none of this name."""
        canteen_id = canteen_id_of(request.name)
        canteen = await call.hub.canteen(canteen_id)
        if canteen is None:
            raise no_canteen(canteen_id)
        return canteen_message(canteen)

    async def ListCanteens(
        self, request: canteens_pb2.ListCanteensRequest, call: Call
    ) -> canteens_pb2.ListCanteensResponse:
        """Return a page of canteens."""
        order, _, descending = request.order_by.partition(" ")
        query = CanteenQuery(
            request.filter.region_prefix,
            request.filter.query.strip(),
            CanteenOrder(order) if order else CanteenOrder.NAME,
            bool(descending),
            page_size_of(request.page_size, self._page_size_max),
        )
        pages = PageTokens("canteens", call.hub.places, query.region_prefix, query.text, query.order, query.descending)
        place = pages.texts(request.page_token, 2)
        page = await call.hub.canteens(replace(query, after=(place[0], place[1]) if place else None))
        return canteens_pb2.ListCanteensResponse(
            canteens=map(canteen_message, page.canteens),
            next_page_token=pages.token(page.next_after),
            total_size=page.total,
        )

    async def UpdateCanteen(self, request: canteens_pb2.UpdateCanteenRequest, call: Call) -> canteens_pb2.Canteen:
        """Change a canteen. Raises InvalidArgumentError for a wrong name, path or region."""
        if not request.canteen.name:
            raise InvalidArgumentError("canteen.name", "is missing; it must be given")
        canteen_id = canteen_id_of(request.canteen.name, "canteen.name")
        check_mask(request.update_mask, _CANTEEN, "update_mask")
        async with self._change_lock:
            present = await call.hub.canteen(canteen_id)
            if present is None and not request.allow_missing:
                raise no_canteen(canteen_id)
            has_cameras = present is not None and present.cameras.cameras > 0
            paths = _paths(request.update_mask, has_cameras)
            message = canteens_pb2.Canteen() if present is None else canteen_message(present)
            for path in paths:  # MergeMessage skips the fields that the request sets to empty
                _clear(message, path)
            FieldMask(paths=paths).MergeMessage(request.canteen, message)
            if not message.region and not has_cameras:
                raise InvalidArgumentError("canteen.region", "is missing; a canteen without cameras needs one")
            await call.hub.store_canteen(
                StoredCanteen(
                    canteen_id,
                    message.display_name,
                    message.region,
                    site_kind_of(message.site_kind),
                    details_of(message),
                    wall_ns(),
                )
            )
            changed = await call.hub.canteen(canteen_id)
        return canteens_pb2.Canteen(name=request.canteen.name) if changed is None else canteen_message(changed)


def _clear(message: canteens_pb2.Canteen, path: str) -> None:
    name, _, rest = path.partition(".")
    if rest:
        getattr(message, name).ClearField(rest)
    else:
        message.ClearField(name)


def _paths(mask: FieldMask, has_cameras: bool) -> list[str]:
    """Return the fields to change. Raises InvalidArgumentError for one that is set by the engine or by the cameras."""
    paths = list(mask.paths)
    if not paths or "*" in paths:
        return [*_DETAILS, *(() if has_cameras else _OF_CAMERAS)]
    for index, path in enumerate(paths):
        field = path.partition(".")[0]
        if field in _OF_CAMERAS and has_cameras:
            raise InvalidArgumentError(
                f"update_mask.paths[{index}]", f"{path!r} is that of the canteen's cameras; change them in the registry"
            )
        if field not in (*_DETAILS, *_OF_CAMERAS):
            raise InvalidArgumentError(f"update_mask.paths[{index}]", f"{path!r} is set by the engine; leave it out")
    return paths
