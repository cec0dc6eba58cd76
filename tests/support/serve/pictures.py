"""Pictures of the fake hub: camera c1 has one, and the cameras named so are busy or damaged. Photographs in memory."""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from engine.errors import IntegrityError, InvalidArgumentError, NotFoundError, UnavailableError
from engine.model.findings import Finding, LedgerEvent
from engine.model.photograph import Photograph, photograph_etag
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


class Photographs:
    """Implements PhotographPort: keeps files as they come, and refuses those that begin with `bad`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @asynccontextmanager
    async def kept(self, files: Sequence[bytes]) -> AsyncGenerator[tuple[str, ...], None]:
        for index, content in enumerate(files):
            if content.startswith(b"bad"):
                raise InvalidArgumentError(f"photographs[{index}]", "the file is no JPEG and no PNG; send one of these")
        digests = tuple(hashlib.sha256(content).hexdigest() for content in files)
        self.files.update(zip(digests, files, strict=True))
        yield digests

    async def photograph(self, sha256: str, if_none_match: str) -> Photograph | None:
        content, etag = self.files.get(sha256), photograph_etag(sha256)
        if content is None:
            return None
        if names_etag(if_none_match, etag):
            return Photograph(b"", 0, 0, etag, not_modified=True)
        return Photograph(content, 640, 480, etag)
