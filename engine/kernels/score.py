"""A picture's figures, scores, tile map and signature: what a worker calls."""

from dataclasses import dataclass

import numpy as np

from engine.kernels.exposure import exposure
from engine.kernels.figures import figures
from engine.kernels.occlusion import occlusion
from engine.kernels.sharpness import edge_ratio, sharpness
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
    """Everything the kernels say of one picture, 64 to 8192 pixels a side: one pass over luma, one over chroma."""
    measured = figures(picture)
    hidden = occlusion(measured)
    named = measured.named
    ratio = edge_ratio(measured)
    if ratio is not None:
        named["edge_ratio"] = ratio
    named["structureless_share"] = hidden / 100.0
    return Scored(
        figures=named,
        scores=Scores(sharpness=sharpness(measured, ratio), exposure=exposure(named), occlusion=hidden),
        tiles=TileMap(
            luma=measured.tiles.luma.astype(np.float32), structure=measured.tiles.gradient.astype(np.float32)
        ),
        signature=pack(measured.tiles.luma),
    )
