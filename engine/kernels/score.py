"""A picture's figures, scores, tile map and signature: what a worker calls."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.kernels.exposure import exposure
from engine.kernels.figures import figures
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS
from engine.kernels.occlusion import occlusion
from engine.kernels.sharpness import acutance, sharpness
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
    if found.value is not None:
        named["acutance"] = found.value
    named["edge_tiles"] = float(found.edge_tiles)
    named["structureless_share"] = hidden / 100.0
    return Scored(
        figures=named,
        scores=Scores(sharpness=sharpness(measured, found.value), exposure=exposure(named), occlusion=hidden),
        tiles=TileMap(
            luma=_grid(tiles.luma),
            structure=_grid(tiles.gradient),
            acutance=found.tiles.astype(np.float32),
            u=_grid(tiles.u),
            v=_grid(tiles.v),
        ),
        signature=pack(tiles.cells),
    )


def _grid(flat: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return flat.astype(np.float32).reshape(TILE_ROWS, TILE_COLUMNS)
