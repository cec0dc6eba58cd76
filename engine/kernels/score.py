"""Scores one picture for a worker: figures, scores, tile map and signature. Pure but for the compiler."""

from typing import NamedTuple

from engine.kernels.figures import ACUTANCE, LUMA, STRUCTURE, U, V, figures
from engine.kernels.signature import pack
from engine.model.measurement import Scores
from engine.model.picture import Picture, TileMap


class Scored(NamedTuple):
    """`figures`: by the names in engine/kernels/registry.py. `signature`: see engine/kernels/signature.py."""

    figures: dict[str, float]
    scores: Scores
    tiles: TileMap
    signature: bytes


def score(picture: Picture) -> Scored:
    """Return everything that the kernels measure on one picture of 64 to 8192 pixels a side."""
    named, scores, grids, cells = figures(picture)
    tiles = TileMap(luma=grids[LUMA], structure=grids[STRUCTURE], acutance=grids[ACUTANCE:U], u=grids[U], v=grids[V])
    return Scored(named, scores, tiles, pack(cells))
