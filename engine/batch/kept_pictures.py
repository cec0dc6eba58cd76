"""Renders pictures of cameras and findings on the engine's machine, from the files it has kept, without its workers."""

from pathlib import Path

from engine.batch.picture_order import PictureOrder, Which
from engine.config.schema import RecordSettings
from engine.decode.decoder import Decoder
from engine.decode.render import render_jpeg
from engine.errors import NotFoundError
from engine.hub.keyframes.render_jobs import with_visit
from engine.model.keyframe import Keyframe
from engine.model.picture import RenderedPicture
from engine.storage.evidence.archive_files import open_archive_files
from engine.storage.evidence.kept_pictures import KeptPictures
from engine.storage.evidence.keyframe_file import Facts, verdict_of
from engine.worker.process import render_annotated

_BESIDE = {Which.BASELINE: "baseline", Which.LAST_GOOD: "good"}
"""What an exhibit calls the good pictures that its fault was compared with."""


class PictureFiles:
    """The keyframes under `record.evidence_dir`, and exhibits in the archive, rendered in this process."""

    def __init__(self, record: RecordSettings) -> None:
        self._folder = Path(record.evidence_dir)
        self._kept = KeptPictures(self._folder, open_archive_files(record))

    def of_camera(self, camera_id: str, order: PictureOrder) -> RenderedPicture:
        """Return a picture of a camera; its fault is the last that was not ok. Raises PatrolError if none is kept."""
        find = {
            Which.LATEST: self._kept.latest,
            Which.FAULT: self._kept.doubtful,
            Which.BASELINE: self._kept.baseline,
            Which.LAST_GOOD: self._kept.last_good,
        }[order.which]
        return self._rendered(find(camera_id), camera_id, order)

    def of_exhibit(self, sha256: str, camera_id: str, order: PictureOrder) -> RenderedPicture:
        """Return the picture that an exhibit shows, or a good one that it was compared with, as `order` says.

        Raises PatrolError if it is not kept.
        """
        exhibit = self._kept.exhibit(sha256, camera_id)
        if exhibit is not None and order.which in _BESIDE:
            exhibit = self._kept.exhibit(exhibit.beside.get(_BESIDE[order.which], ""), camera_id)
        kept = None if exhibit is None else (exhibit.keyframe, exhibit.facts)
        return self._rendered(kept, camera_id, order)

    def _rendered(self, kept: tuple[Keyframe, Facts] | None, camera_id: str, order: PictureOrder) -> RenderedPicture:
        if kept is None:
            raise NotFoundError(
                f"no picture ({order.which}) of camera {camera_id!r} is kept in {self._folder}; record.evidence says "
                "of which cameras pictures are kept"
            )
        keyframe, facts = kept
        if not order.annotated:
            picture = render_jpeg(keyframe.codec, bytes(keyframe.payload), side_px_max=order.side_px_max)
            return with_visit(picture, keyframe)
        decoder = Decoder()
        try:
            verdict = verdict_of(facts, keyframe.camera_id, keyframe.visit_id)
            return with_visit(render_annotated(decoder, keyframe, verdict, order.side_px_max), keyframe)
        finally:
            decoder.close()
