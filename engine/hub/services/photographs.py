"""Photographs that come with claims: a worker makes a JPEG of each, and it is kept before the event that cites it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager

from engine.errors import DecodeError, ErrorReason, InvalidArgumentError, StoreError, UnavailableError
from engine.hub.state import HubState
from engine.media.jpeg import read_headers
from engine.model.photograph import PHOTOGRAPH_SIDE_PX_MAX, Photograph, photograph_etag, photograph_name
from engine.model.picture import RenderedPicture, names_etag
from engine.storage.evidence.store import EvidenceStore

CLAIMS_MAX = 16
"""Claims with photographs that may be under way; each holds its files, up to 15 MB, in memory."""
_DECODED_AT_ONCE = 2


class PhotographService:
    """Implements engine.serve.port.PhotographPort; for one event loop."""

    def __init__(self, state: HubState, evidence: EvidenceStore) -> None:
        self._state = state
        self._evidence = evidence
        self._turns = asyncio.Semaphore(_DECODED_AT_ONCE)
        self._under_way = 0

    @asynccontextmanager
    async def kept(self, files: Sequence[bytes]) -> AsyncGenerator[tuple[str, ...], None]:
        """Keep the photographs, pinned while the block runs; give their SHA-256 in order, each once.

        Raises InvalidArgumentError if a file gives no picture, StoreError if one cannot be kept, UnavailableError if no
        worker is ready or CLAIMS_MAX are under way. What is kept and then cited by no event is evicted before evidence
        of open findings.
        """
        if self._under_way >= CLAIMS_MAX:
            raise UnavailableError(
                f"{CLAIMS_MAX} claims with photographs are under way, which is the most; try again in a second",
                reason=ErrorReason.WORKER_UNAVAILABLE,
                metadata={"limit": CLAIMS_MAX},
            )
        self._under_way += 1
        pinned: list[str] = []
        try:
            made = [await self._made(index, content) for index, content in enumerate(files)]
            digests = [await asyncio.to_thread(self._keep, picture, pinned) for picture in made]
            yield tuple(dict.fromkeys(digests))
        finally:
            self._under_way -= 1
            self._evidence.unpin(pinned)

    async def photograph(self, sha256: str, if_none_match: str) -> Photograph | None:
        """Return a photograph; None if it is not kept. Raises IntegrityError if its bits have changed."""
        jpeg = await asyncio.to_thread(self._evidence.get_photograph, sha256)
        if jpeg is None:
            return None
        etag = photograph_etag(sha256)
        if names_etag(if_none_match, etag):
            return Photograph(b"", 0, 0, etag, not_modified=True)
        headers = read_headers(jpeg)
        width, height = (headers.width, headers.height) if headers is not None else (0, 0)
        return Photograph(jpeg, width, height, etag)

    async def _made(self, index: int, content: bytes) -> RenderedPicture:
        """Have a worker make the JPEG; it decodes one picture of a claim at a time."""

        def order() -> Future[RenderedPicture]:
            return self._state.workers.make_photograph(content, PHOTOGRAPH_SIDE_PX_MAX)

        async with self._turns:
            try:
                return await asyncio.wrap_future(await asyncio.wrap_future(self._state.calls.ask(order)))
            except DecodeError as error:
                raise InvalidArgumentError(f"photographs[{index}]", str(error)) from error

    def _keep(self, picture: RenderedPicture, pinned: list[str]) -> str:
        """Store a photograph and pin it; add its name to `pinned`. Raises StoreError."""
        try:
            digest = self._evidence.add_photograph(picture.jpeg)
        except OSError as error:
            raise StoreError(f"the photograph cannot be kept: {error.strerror}; the claim was not recorded") from error
        if not digest:
            raise StoreError(
                "the photograph cannot be kept: evidence of open findings takes all of record.evidence_bytes_max; give "
                "more room, or claim without it"
            )
        self._evidence.pin([photograph_name(digest)])
        pinned.append(photograph_name(digest))
        return digest
