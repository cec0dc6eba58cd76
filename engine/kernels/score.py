"""A picture's figures, scores, tile map and signature: what a worker calls."""

from typing import NamedTuple

from engine.kernels.figures import ACUTANCE, LUMA, STRUCTURE, U, V, figures
from engine.kernels.signature import pack
from engine.model.measurement import Scores
from engine.model.picture import Picture, TileMap


class Scored(NamedTuple):
    """`figures`: by the names of engine/kernels/registry.py. `signature`: see engine/kernels/signature.py."""

    figures: dict[str, float]
    scores: Scores
    tiles: TileMap
    signature: bytes


def score(picture: Picture) -> Scored:
    """Everything the kernels say of one picture, 64 to 8192 pixels a side."""
    named, scores, grids, cells = figures(picture)
    tiles = TileMap(luma=grids[LUMA], structure=grids[STRUCTURE], acutance=grids[ACUTANCE:U], u=grids[U], v=grids[V])
    return Scored(named, scores, tiles, pack(cells))
