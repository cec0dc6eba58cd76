"""Calls the methods of PatrolService that return pictures; PatrolClient has them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.client.channel import Channel
from engine.model.picture import RenderedPicture
from engine.serve.messages.pictures import picture_of
from engine.serve.messages.resource_names import LATEST, camera_id_of, camera_name, verdict_name
from patrol.v1 import patrol_pb2, patrol_pb2_grpc, pictures_pb2

_BATCH_MAX = 100


@dataclass(frozen=True, slots=True)
class ThumbnailResult:
    """The outcome for one camera of `thumbnails`: found, not_modified, missing, busy, damaged or left_out."""

    camera_id: str
    outcome: str
    picture: RenderedPicture | None = None


class PictureCalls:
    """Pictures. `etag`: of a picture that the caller has; if it is still the same, the reply is `not_modified`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._patrol: Any = patrol_pb2_grpc.PatrolServiceStub(channel.grpc_channel)

    def picture(
        self,
        camera_id: str,
        *,
        visit_id: int = 0,
        side_px_max: int = 0,
        annotated: bool = False,
        sha256: str = "",
        etag: str = "",
    ) -> RenderedPicture:
        """Return the picture behind a verdict, or an exhibit by its SHA-256. NOT_FOUND: it is not kept."""
        name = verdict_name(camera_id, visit_id) if visit_id else f"{camera_name(camera_id)}/verdicts/{LATEST}"
        request = patrol_pb2.GetPictureRequest(
            verdict=name, side_px_max=side_px_max, annotated=annotated, sha256=sha256, if_none_match=etag
        )
        return picture_of(self._channel.call(self._patrol.GetPicture, request))

    def thumbnail(self, camera_id: str, *, side_px_max: int = 0, etag: str = "") -> RenderedPicture:
        """Return a small JPEG of the latest picture, 160 to 640 pixels (0: 320). NOT_FOUND: none is kept."""
        return picture_of(self._channel.call(self._patrol.GetThumbnail, _request(camera_id, side_px_max, etag)))

    def thumbnails(
        self, camera_ids: Sequence[str], *, side_px_max: int = 0, etags: Mapping[str, str] | None = None
    ) -> Iterator[ThumbnailResult]:
        """Yield the outcome for each camera, in order, a hundred cameras a call. `etags`: by camera id."""
        known = etags or {}
        for begin in range(0, len(camera_ids), _BATCH_MAX):
            chunk = camera_ids[begin : begin + _BATCH_MAX]
            requests = [_request(camera_id, side_px_max, known.get(camera_id, "")) for camera_id in chunk]
            request = pictures_pb2.BatchGetThumbnailsRequest(requests=requests)
            for result in self._channel.call(self._patrol.BatchGetThumbnails, request).results:
                outcome = pictures_pb2.ThumbnailOutcome.Name(result.outcome).removeprefix("THUMBNAIL_OUTCOME_").lower()
                picture = picture_of(result.thumbnail) if result.HasField("thumbnail") else None
                yield ThumbnailResult(camera_id_of(result.camera), outcome, picture)


def _request(camera_id: str, side_px_max: int, etag: str) -> pictures_pb2.GetThumbnailRequest:
    return pictures_pb2.GetThumbnailRequest(camera=camera_name(camera_id), side_px_max=side_px_max, if_none_match=etag)
