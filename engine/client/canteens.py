"""Calls CanteenService: canteens with address, contact, location, and their cameras by state."""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.client.channel import Channel
from engine.model.camera import SiteKind
from engine.model.canteen import Canteen, CanteenDetails, CanteenOrder, CanteenQuery
from engine.serve.messages.canteens import canteen_of, details_message
from engine.serve.messages.convert import site_kind_number
from engine.serve.messages.resource_names import canteen_name
from patrol.v1 import canteens_pb2, canteens_pb2_grpc


class CanteenClient:
    """Canteens, by id: the site_id of their cameras, or without one region/site_name. Every method raises CallError."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub: Any = canteens_pb2_grpc.CanteenServiceStub(channel.grpc_channel)

    def get(self, canteen_id: str) -> Canteen:
        """Return a canteen."""
        request = canteens_pb2.GetCanteenRequest(name=canteen_name(canteen_id))
        return canteen_of(self._channel.call(self._stub.GetCanteen, request))

    def list(self, query: CanteenQuery | None = None) -> Iterator[Canteen]:
        """Yield all canteens of a query, page by page; its `after` is ignored."""
        query = query or CanteenQuery()
        order = f"{query.order} desc" if query.descending else query.order.value
        request = canteens_pb2.ListCanteensRequest(
            filter=canteens_pb2.CanteenFilter(region_prefix=query.region_prefix, query=query.text),
            order_by="" if (query.order, query.descending) == (CanteenOrder.NAME, False) else order,
            page_size=query.page_size,
        )
        while True:
            reply = self._channel.call(self._stub.ListCanteens, request)
            yield from map(canteen_of, reply.canteens)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return

    def update(self, canteen_id: str, details: CanteenDetails, fields: Sequence[str] = ()) -> Canteen:
        """Change these of the fields address, contact, contact.name, contact.phone and location, or all."""
        request = canteens_pb2.UpdateCanteenRequest(canteen=details_message(canteen_id, details))
        request.update_mask.paths.extend(fields or ("address", "contact", "location"))
        return canteen_of(self._channel.call(self._stub.UpdateCanteen, request))

    def create(
        self,
        canteen_id: str,
        details: CanteenDetails,
        region: str,
        display_name: str = "",
        site_kind: SiteKind = SiteKind.OTHER,
    ) -> Canteen:
        """Store a canteen that has no cameras yet, or change all details of one that exists."""
        canteen = details_message(canteen_id, details)
        canteen.region, canteen.display_name = region, display_name
        canteen.site_kind = site_kind_number(site_kind)
        request = canteens_pb2.UpdateCanteenRequest(canteen=canteen, allow_missing=True)
        return canteen_of(self._channel.call(self._stub.UpdateCanteen, request))
