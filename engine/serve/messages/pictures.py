"""Converts pictures and thumbnails to messages of patrol.v1 and back. Pure."""

from engine.model.photograph import Photograph
from engine.model.picture import FindingPicture, RenderedPicture
from engine.serve.messages.convert import timestamp, wall_ns_of
from engine.serve.messages.resource_names import camera_name, verdict_ids_of, verdict_name
from patrol.v1 import findings_pb2, patrol_pb2, pictures_pb2

_FINDING_PICTURE_NUMBER = {which: getattr(findings_pb2, f"FINDING_PICTURE_{which.name}") for which in FindingPicture}
_FINDING_PICTURE = {number: which for which, number in _FINDING_PICTURE_NUMBER.items()}


def picture_message(picture: RenderedPicture, camera_id: str) -> patrol_pb2.Picture:
    """Return a picture as a message."""
    return patrol_pb2.Picture(
        verdict=verdict_name(camera_id, picture.visit_id),
        jpeg=picture.jpeg,
        width=picture.width,
        height=picture.height,
        arrival_time=timestamp(picture.arrival_wall_ns),
        etag=picture.etag,
        not_modified=picture.not_modified,
    )


def thumbnail_message(picture: RenderedPicture, camera_id: str) -> pictures_pb2.Thumbnail:
    """Return a thumbnail as a message."""
    return pictures_pb2.Thumbnail(
        camera=camera_name(camera_id),
        verdict=verdict_name(camera_id, picture.visit_id),
        jpeg=picture.jpeg,
        width=picture.width,
        height=picture.height,
        arrival_time=timestamp(picture.arrival_wall_ns),
        etag=picture.etag,
        not_modified=picture.not_modified,
    )


def picture_of(message: patrol_pb2.Picture | pictures_pb2.Thumbnail) -> RenderedPicture:
    """Return the picture in a message."""
    _, visit_id = verdict_ids_of(message.verdict)
    arrival_wall_ns = wall_ns_of(message.arrival_time)
    return RenderedPicture(
        message.jpeg, message.width, message.height, visit_id, arrival_wall_ns, message.etag, message.not_modified
    )


def photograph_message(photograph: Photograph) -> findings_pb2.Photograph:
    """Return a photograph as a message."""
    return findings_pb2.Photograph(
        jpeg=photograph.jpeg,
        width=photograph.width,
        height=photograph.height,
        etag=photograph.etag,
        not_modified=photograph.not_modified,
    )


def photograph_of(message: findings_pb2.Photograph) -> Photograph:
    """Return the photograph in a message."""
    return Photograph(message.jpeg, message.width, message.height, message.etag, message.not_modified)


def finding_picture_of(number: int) -> FindingPicture:
    """Return which picture an enum number means; EVIDENCE for UNSPECIFIED and unknown numbers."""
    return _FINDING_PICTURE.get(number, FindingPicture.EVIDENCE)


def finding_picture_number(which: FindingPicture) -> findings_pb2.FindingPicture:
    """Return the enum number of a picture of a finding."""
    number: findings_pb2.FindingPicture = _FINDING_PICTURE_NUMBER[which]
    return number
