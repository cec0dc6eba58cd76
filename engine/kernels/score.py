"""Scores the active part of one picture for a worker: figures, scores, tile map and signature. Pure but for the
compiler."""

from typing import NamedTuple

from engine.kernels.figures import ACUTANCE, LUMA, STRUCTURE, U, V, figures
from engine.kernels.layout.bars import seen_area
from engine.kernels.layout.quarters import is_quartered
from engine.kernels.signature import pack
from engine.model.active_area import QUARTERS, WHOLE, ActiveArea, figures_of
from engine.model.measurement import CameraView, Scores
from engine.model.picture import PICTURE_SIDE_PX_MIN, Picture, TileMap

PLANE_SIDE_MIN = PICTURE_SIDE_PX_MIN // 2
"""Samples and lines of a plane that is measured, at least: a field has half the lines."""


class Scored(NamedTuple):
    """`figures`: by the names in engine/kernels/registry.py. `signature`: see engine/kernels/signature.py. `area`: the
    part of the picture that was measured, `seen_area`: what its own bars leave, None if that cannot be told. `views`:
    if the area has several, each of them."""

    figures: dict[str, float]
    scores: Scores
    tiles: TileMap
    signature: bytes
    area: ActiveArea
    seen_area: ActiveArea | None
    views: tuple[CameraView, ...]


def score(picture: Picture, known_area: ActiveArea | None = None, *, looks: bool = True) -> Scored:
    """Return everything that the kernels measure on one picture of 64 to 8192 pixels a side.

    `known_area`: the active area that this camera's pictures have; None measures within the bars of this picture.
    `looks`: whether this picture's own bars and views are looked for although the area is known.
    """
    seen = None
    if looks or known_area is None:
        seen = seen_area(picture)
        if seen is not None and is_quartered(picture.cropped(seen)):
            seen = seen._replace(views=QUARTERS)
    area = known_area or seen or WHOLE
    part = picture.cropped(area)
    if min(part.luma.shape) < PLANE_SIDE_MIN * (2 if area.views > 1 else 1):
        area, part = WHOLE, picture  # the size has changed, and what was known leaves too little of it
    quarters = range(QUARTERS) if area.views > 1 else ()
    views = tuple(CameraView(*_measured(picture.cropped(area.quarter(index)))) for index in quarters)
    named, scores, tiles, signature = _measured(part)
    named |= figures_of(area)
    if "masked_share" in named:
        named["active_share"] = area.share * (1.0 - named["masked_share"])
    return Scored(named, scores, tiles, signature, area, seen, views)


def _measured(part: Picture) -> tuple[dict[str, float], Scores, TileMap, bytes]:
    named, scores, grids, cells, masked = figures(part)
    tiles = TileMap(grids[LUMA], grids[STRUCTURE], grids[ACUTANCE:U], grids[U], grids[V], masked)
    return named, scores, tiles, pack(cells)
