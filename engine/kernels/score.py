"""A picture's figures, scores, tile map and signature: what a worker calls."""

from dataclasses import dataclass

from engine.kernels.exposure import exposure
from engine.kernels.figures import ACUTANCE, LUMA, STRUCTURE, U, V, figures
from engine.kernels.occlusion import occlusion
from engine.kernels.sharpness import sharpness
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
    named, grids = measured.named, measured.grids
    return Scored(
        figures=named,
        scores=Scores(sharpness=sharpness(named), exposure=exposure(named), occlusion=occlusion(named)),
        tiles=TileMap(luma=grids[LUMA], structure=grids[STRUCTURE], acutance=grids[ACUTANCE:U], u=grids[U], v=grids[V]),
        signature=pack(measured.cells),
    )
