"""The map of the operator's file: read once when the console starts, drawn for each region that is asked for."""

import asyncio
from collections import OrderedDict
from pathlib import Path

from engine.config.reading.bounded_file import read_bounded
from engine.errors import ConfigError
from engine.runtime.log import logger
from engine.web.console.areas.drawing import Drawing, draw
from engine.web.console.areas.geojson import Area, read_areas

FILE_BYTES_MAX = 20_000_000
_DRAWINGS_MAX = 64


def load_areas(path: str) -> tuple[Area, ...]:
    """Return the areas of `web.map_file`. Raises ConfigError if it cannot be read, or is no map."""
    try:
        return read_areas(read_bounded(path, FILE_BYTES_MAX))
    except OSError as error:
        reason = f"{error.strerror or error}; give a regular file of at most {FILE_BYTES_MAX:,} bytes"
        raise ConfigError(f"web.map_file: {path}: {reason}") from error
    except ConfigError as error:
        raise ConfigError(f"web.map_file: {path}: {error}") from error


class AreaMap:
    """Draws regions from a file; without a file, or with a bad one, nothing: pages then show tiles.

    `problem`: what is wrong with the file; empty: nothing, or there is none.
    """

    def __init__(self, path: str) -> None:
        self.problem = ""
        self._areas: tuple[Area, ...] = ()
        self._drawings: OrderedDict[frozenset[str], asyncio.Task[Drawing | None]] = OrderedDict()
        if path:
            try:
                self._areas = load_areas(path)
            except ConfigError as error:  # the patrol does not depend on a picture
                self.problem = str(error)
                logger().error("the map cannot be drawn, the console shows tiles", detail=self.problem)
            else:
                logger().info("read the map", file=Path(path).name, areas=len(self._areas))

    async def drawing(self, codes: frozenset[str]) -> Drawing | None:
        """Return the picture of these regions; None if the file has none of them."""
        if not self._areas or not codes:
            return None
        task = self._drawings.get(codes)
        if task is None:
            task = self._drawings[codes] = asyncio.ensure_future(asyncio.to_thread(draw, self._areas, sorted(codes)))
        self._drawings.move_to_end(codes)
        while len(self._drawings) > _DRAWINGS_MAX:
            self._drawings.popitem(last=False)
        return await asyncio.shield(task)  # it goes on if the caller does not wait, for the next one
