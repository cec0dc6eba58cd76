"""Thumbnails of cameras: renders each once, and keeps those that were asked for last."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from engine.errors import IntegrityError, UnavailableError
from engine.hub.services.render_gate import RenderGate
from engine.metrics import Metrics
from engine.model.keyframe import Keyframe
from engine.model.picture import RenderedPicture, etag_of, names_etag
from engine.storage.evidence.store import EvidenceStore

BYTES_MAX = 32 * 1024 * 1024
"""Bytes of JPEG that are kept; some 1,500 thumbnails of 320 pixels."""

Render = Callable[[Keyframe, int], Awaitable[RenderedPicture]]
"""Renders a keyframe with this longest side."""


class ThumbnailCache:
    """Thumbnails by camera and size, within a budget of bytes; those asked for longest ago leave first. Pure."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[tuple[str, int], RenderedPicture] = OrderedDict()
        self.bytes_kept = 0

    def get(self, camera_id: str, side_px_max: int, etag: str) -> RenderedPicture | None:
        """Return the camera's thumbnail of this size; None unless it is kept and has this etag."""
        kept = self._kept.get((camera_id, side_px_max))
        if kept is None or kept.etag != etag:
            return None
        self._kept.move_to_end((camera_id, side_px_max))
        return kept

    def add(self, camera_id: str, side_px_max: int, picture: RenderedPicture) -> None:
        """Keep a thumbnail in place of the camera's older one of this size."""
        older = self._kept.pop((camera_id, side_px_max), None)
        self._kept[camera_id, side_px_max] = picture
        self.bytes_kept += len(picture.jpeg) - (0 if older is None else len(older.jpeg))
        while self.bytes_kept > self._bytes_max:
            _, gone = self._kept.popitem(last=False)
            self.bytes_kept -= len(gone.jpeg)


class Origins:
    """Reads visit and arrival of cameras' latest keyframes. For one event loop.

    What is asked for in one turn of the loop is read by one thread in one go: a batch that waits for a thread a camera
    takes ten times as long.
    """

    def __init__(self, evidence: EvidenceStore) -> None:
        self._evidence = evidence
        self._asked: list[str] = []
        self._reading: asyncio.Task[dict[str, tuple[int, int] | None]] | None = None

    async def get(self, camera_id: str) -> tuple[int, int] | None:
        """Return visit id and arrival (wall ns); None if no keyframe is kept."""
        self._asked.append(camera_id)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        # The read goes on if one of its callers leaves.
        return (await asyncio.shield(self._reading))[camera_id]

    async def _read(self) -> dict[str, tuple[int, int] | None]:
        await asyncio.sleep(0)  # those who ask in this turn of the loop join
        asked, self._asked, self._reading = self._asked, [], None
        latest = self._evidence.latest_origin
        return await asyncio.to_thread(lambda: {camera_id: latest(camera_id) for camera_id in asked})


class Thumbnails:
    """For one event loop. `render`: has a worker render a keyframe."""

    def __init__(self, evidence: EvidenceStore, gate: RenderGate, render: Render, metrics: Metrics) -> None:
        self._evidence = evidence
        self._origins = Origins(evidence)
        self._gate = gate
        self._render = render
        self._metrics = metrics
        self._cache = ThumbnailCache()
        self._rendering: dict[tuple[str, str], asyncio.Task[RenderedPicture | None]] = {}

    async def get(self, camera_id: str, side_px_max: int, if_none_match: str) -> RenderedPicture | None:
        """Return the thumbnail of a camera's latest picture; None if no picture of it is kept.

        Raises UnavailableError if too many thumbnails wait or no worker is ready, IntegrityError if the keyframe gives
        no picture.
        """
        try:
            outcome, picture = await self._get(camera_id, side_px_max, if_none_match)
        except (IntegrityError, UnavailableError) as error:
            outcome = "damaged" if isinstance(error, IntegrityError) else "busy"
            self._metrics.thumbnail(outcome, self._cache.bytes_kept)
            raise
        self._metrics.thumbnail(outcome, self._cache.bytes_kept)
        return picture

    async def _get(self, camera_id: str, side: int, if_none_match: str) -> tuple[str, RenderedPicture | None]:
        origin = await self._origins.get(camera_id)
        if origin is None:
            return "missing", None
        etag = etag_of(*origin, side, False)
        if names_etag(if_none_match, etag):
            return "not_modified", RenderedPicture(b"", 0, 0, *origin, etag=etag, not_modified=True)
        kept = self._cache.get(camera_id, side, etag)
        if kept is not None:
            return "hit", kept
        # Callers that ask for the same thumbnail meanwhile share one render, which goes on if one of them leaves.
        task = self._rendering.get((camera_id, etag))
        if task is None:
            task = asyncio.create_task(self._rendered(camera_id, side))
            self._rendering[camera_id, etag] = task
            task.add_done_callback(lambda done: self._forget(camera_id, etag, done))
        picture = await asyncio.shield(task)
        return ("missing" if picture is None else "miss"), picture

    async def _rendered(self, camera_id: str, side: int) -> RenderedPicture | None:
        async with self._gate.place():
            latest = await asyncio.to_thread(self._evidence.latest, camera_id)
            if latest is None:
                return None
            picture = await self._render(latest[0], side)
        self._cache.add(camera_id, side, picture)
        return picture

    def _forget(self, camera_id: str, etag: str, done: "asyncio.Task[RenderedPicture | None]") -> None:
        self._rendering.pop((camera_id, etag), None)
        if not done.cancelled():
            done.exception()  # if all callers have left, nobody else reads it
