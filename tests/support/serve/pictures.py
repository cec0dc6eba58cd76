"""Pictures of the fake hub: camera c1 has one, and the cameras named so are busy or damaged."""

from collections.abc import Sequence

from engine.errors import IntegrityError, NotFoundError, UnavailableError
from engine.model.findings import Finding, LedgerEvent
from engine.model.picture import FindingPicture, RenderedPicture, etag_of, names_etag

VISIT_ID, ARRIVAL_NS = 9, 8


class Pictures:
    """Implements PicturePort. `jpeg_bytes`: size of a thumbnail. `missing`: what is not kept of findings."""

    def __init__(self) -> None:
        self.jpeg_bytes = 2
        self.missing: set[FindingPicture] = set()

    async def picture(
        self,
        camera_id: str,
        visit_id: int,
        side_px_max: int,
        *,
        annotated: bool = False,
        sha256: str = "",
        if_none_match: str = "",
    ) -> RenderedPicture | None:
        if camera_id != "c1":
            return None
        return self._shown(visit_id or VISIT_ID, side_px_max, annotated, if_none_match)

    async def finding_picture(
        self,
        finding: Finding,
        events: Sequence[LedgerEvent],
        event_number: int,
        which: FindingPicture,
        side_px_max: int,
        *,
        annotated: bool = False,
        if_none_match: str = "",
    ) -> RenderedPicture:
        if which in self.missing:
            raise NotFoundError(f"finding {finding.finding_id} has no {which} picture: none was kept; ask for another")
        return self._shown(100 * list(FindingPicture).index(which) + len(events), side_px_max, annotated, if_none_match)

    async def thumbnail(self, camera_id: str, side_px_max: int, if_none_match: str) -> RenderedPicture | None:
        if camera_id == "busy":
            raise UnavailableError("too many wait; ask again in a second")
        if camera_id == "damaged":
            raise IntegrityError("the kept keyframe gives no picture")
        return self._shown(VISIT_ID, side_px_max, False, if_none_match) if camera_id.startswith("c1") else None

    def _shown(self, visit_id: int, side_px_max: int, annotated: bool, if_none_match: str) -> RenderedPicture:
        etag = etag_of(visit_id, ARRIVAL_NS, side_px_max, annotated)
        if names_etag(if_none_match, etag):
            return RenderedPicture(b"", 0, 0, visit_id, ARRIVAL_NS, etag, True)
        jpeg = b"\xff\xd8".ljust(self.jpeg_bytes)
        return RenderedPicture(jpeg, side_px_max or 640, 480, visit_id, ARRIVAL_NS, etag)
