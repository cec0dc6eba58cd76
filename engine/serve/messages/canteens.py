"""Converts canteens to messages of patrol.v1 and back. Pure."""

from google.type.latlng_pb2 import LatLng

from engine.model.canteen import Canteen, CanteenDetails
from engine.serve.messages.cameras import count_message, count_of
from engine.serve.messages.convert import site_kind_number, site_kind_of, timestamp, wall_ns_of
from engine.serve.messages.resource_names import canteen_id_of, canteen_name
from patrol.v1 import canteens_pb2


def canteen_message(canteen: Canteen) -> canteens_pb2.Canteen:
    """Return a canteen as a message."""
    details = canteen.details
    message = canteens_pb2.Canteen(
        name=canteen_name(canteen.canteen_id),
        display_name=canteen.display_name,
        site_id=canteen.site_id,
        region=canteen.region,
        site_kind=site_kind_number(canteen.site_kind),
        address=details.address,
        cameras=count_message(canteen.cameras),
        update_time=timestamp(canteen.changed_wall_ns),
    )
    if details.contact_name or details.phone:
        message.contact.name, message.contact.phone = details.contact_name, details.phone
    if details.location is not None:
        message.location.latitude, message.location.longitude = details.location
    return message


def canteen_of(message: canteens_pb2.Canteen) -> Canteen:
    """Return the canteen in a message."""
    return Canteen(
        canteen_id_of(message.name),
        message.site_id,
        message.display_name,
        message.region,
        site_kind_of(message.site_kind),
        details_of(message),
        wall_ns_of(message.update_time),
        count_of(message.cameras),
    )


def details_of(message: canteens_pb2.Canteen) -> CanteenDetails:
    """Return the details in a message."""
    location = (message.location.latitude, message.location.longitude) if message.HasField("location") else None
    return CanteenDetails(message.address, message.contact.name, message.contact.phone, location)


def details_message(canteen_id: str, details: CanteenDetails) -> canteens_pb2.Canteen:
    """Return a message with only the name and the details of a canteen."""
    message = canteens_pb2.Canteen(name=canteen_name(canteen_id), address=details.address)
    message.contact.name, message.contact.phone = details.contact_name, details.phone
    if details.location is not None:
        message.location.CopyFrom(LatLng(latitude=details.location[0], longitude=details.location[1]))
    return message
