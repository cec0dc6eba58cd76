"""Makes unseen scenes of a folder's photographs: pictures that no threshold and no rule was tuned on."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.accuracy.footage import is_photo, photo
from bench.accuracy.imaging.light import Rgb, grey, linear
from bench.accuracy.imaging.optics import MIDDLE_GREY
from bench.accuracy.scenes import Grey, Scene, is_same_room, native_picture, thumbnail, views

PHOTOGRAPHS_MAX: Final = 200
"""Most photographs of a folder that are taken, by name."""
EXPOSURE_STOPS_MAX: Final = 1.5
"""A photograph whose mean light is further from middle grey is dark or bright on purpose; no camera that sets its own
exposure sends that as a good picture."""


def unseen_scenes(folder: Path, seen: Sequence[Rgb] = ()) -> list[Scene]:
    """Return one scene for each room of the photographs in `folder` and below that is a sharp source and exposed as a
    camera exposes, by name.

    A room that one of the pictures `seen` shows is none. A scene has one view, at a size that its photograph fills; the
    sizes take turns. Raises ValueError if `folder` is no
    directory or no photograph in it is a sharp source.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no directory; make one with python -m bench.accuracy.packages --into {folder}")
    scenes = list(_scenes(folder, [thumbnail(rgb) for rgb in seen]))
    if not scenes:
        raise ValueError(f"{folder}: no photograph in it is sharp at 280 lines or more, well exposed, and new")
    return scenes


def _scenes(folder: Path, rooms: list[Grey]) -> Iterator[Scene]:
    """Yield the scenes of all rooms that are not among `rooms`, and add these to it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and is_photo(path))
    for path in paths[:PHOTOGRAPHS_MAX]:
        try:
            native = native_picture(photo(path))
        except (OSError, ValueError):
            continue
        if native is None or not _is_exposed(native):
            continue
        room = thumbnail(native)
        if any(is_same_room(room, other) for other in rooms):
            continue
        choices = [view for view in views(path.relative_to(folder).as_posix(), native) if _is_whole(view)]
        yield dataclasses.replace(choices[len(rooms) % len(choices)], unseen=True)
        rooms.append(room)


def _is_exposed(native: Rgb) -> bool:
    stops = math.log2(max(1e-6, float(grey(linear(native)).mean())) / MIDDLE_GREY)
    return abs(stops) <= EXPOSURE_STOPS_MAX


def _is_whole(view: Scene) -> bool:
    """Return whether a view shows its whole source, and not a window of it."""
    return view.view in (f"{view.size} whole", "own size")
