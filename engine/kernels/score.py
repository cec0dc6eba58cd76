"""A picture's figures, scores, tile map and signature: what a worker calls."""

from dataclasses import dataclass

import numpy as np

from engine.kernels.exposure import exposure
from engine.kernels.figures import figures
from engine.kernels.occlusion import occlusion
from engine.kernels.sharpness import acutance, edge_tiles, sharpness, tile_acutance
from engine.kernels.signature import pack
from engine.types import Picture, Scores, TileMap


@dataclass(frozen=True, slots=True)
class Scored:
    """`figures`: by the names of engine/kernels/registry.py. `signature`: see engine/kernels/signature.py."""

    figures: dict[str, float]
    scores: Scores
    tiles: TileMap
    signature: bytes


def score(picture: Picture) -> Scored:
    """Everything the kernels say of one picture, 64 to 8192 pixels a side."""
    measured = figures(picture)
    tiles, named = measured.tiles, measured.named
    hidden = occlusion(measured)
    found = acutance(tiles)
    if found is not None:
        named["acutance"] = found
    named["edge_tiles"] = float(edge_tiles(tiles))
    named["structureless_share"] = hidden / 100.0
    return Scored(
        figures=named,
        scores=Scores(sharpness=sharpness(measured, found), exposure=exposure(named), occlusion=hidden),
        tiles=TileMap(
            luma=tiles.luma.astype(np.float32),
            structure=tiles.gradient.astype(np.float32),
            acutance=tile_acutance(tiles).astype(np.float32),
            u=tiles.u.astype(np.float32),
            v=tiles.v.astype(np.float32),
        ),
        signature=pack(tiles.cells),
    )
