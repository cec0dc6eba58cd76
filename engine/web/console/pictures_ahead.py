"""Has the engine render the pictures of a page while the browser reads the page, so that it finds them ready."""

import asyncio
from collections.abc import Iterable

from engine.web.console.calls import EngineCalls
from engine.web.errors import HttpError
from patrol.v1.pictures_pb2 import BatchGetThumbnailsRequest, GetThumbnailRequest

_BATCH = 20
"""Pictures of one call: the first are ready before the last are begun."""
_PAGES_MAX = 4
"""Pages at once; for others the browser waits as long as rendering takes."""


class PicturesAhead:
    """For one event loop."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, engine: EngineCalls, cameras: Iterable[str], side_px: int) -> None:
        """Begin with the cameras of a page, by their names, in this order; return at once."""
        names = list(cameras)
        if len(self._under_way) >= _PAGES_MAX or not names:
            return
        task = asyncio.create_task(_render(engine, names, side_px))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


async def _render(engine: EngineCalls, names: list[str], side_px: int) -> None:
    try:
        for begin in range(0, len(names), _BATCH):
            batch = names[begin : begin + _BATCH]
            requests = [GetThumbnailRequest(camera=name, side_px_max=side_px) for name in batch]
            await engine.call(BatchGetThumbnailsRequest(requests=requests))
    except HttpError:
        return  # the browser asks as well, and is told
