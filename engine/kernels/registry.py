"""Every pass with its slow twin, and every figure by name: unit, range, meaning.

Drives docs/figures.md, the property tests and the benchmark.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.kernels import chroma, edges, luma, pattern, plane, reference
from engine.kernels.figures import PERCENTILES, figures
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS
from engine.kernels.summary import CLIPPED_HIGH, CLIPPED_LOW
from engine.model.picture import Picture

Pass = Callable[[Picture], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled pass and its twin. Both give sums by name; those in `rounded` agree to 1e-5, all others exactly."""

    name: str
    meaning: str
    fast: Pass
    twin: Pass
    rounded: frozenset[str] = frozenset()


LEAST_EDGE = 48.0
"""Quarter levels that an edge rises at least, where the registry runs the pass over edges."""


def _luma(measure: Callable[[plane.AnalysisPlane], luma.LumaSums]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        return _fields(measure(plane.analysis_plane(picture)))

    return run


def _edges(measure: Callable[[plane.AnalysisPlane, float], edges.EdgeSums]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        return _fields(measure(plane.analysis_plane(picture), LEAST_EDGE))

    return run


def _pattern(strength: Callable[[Any, int], float]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        whole = plane.analysis_plane(picture)
        return {"rows": strength(luma.measure(whole).rows, whole.samples.shape[1])}

    return run


def _chroma(measure: Callable[[Any], chroma.ChromaSums]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        both = {name: _fields(measure(of)) for name, of in zip("uv", picture.chroma or (), strict=False)}
        return {f"{name}_{key}": value for name, sums in both.items() for key, value in sums.items()}

    return run


def _summary(picture: Picture) -> Mapping[str, Any]:
    measured = figures(picture)
    luma, structure, *acutances, u, v = measured.grids
    grids = {"luma": luma, "structure": structure, "acutances": np.nan_to_num(acutances), "u": u, "v": v}
    return {"acutance": 0.0, "cells": measured.cells.reshape(CELL_ROWS, CELL_COLUMNS)} | grids | measured.named


def _fields(sums: Any) -> dict[str, Any]:
    return {name: getattr(sums, name) for name in sums.__slots__}


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "plane",
        "The analysis plane: luma at about 540 lines.",
        lambda picture: {"plane": plane.analysis_plane(picture).samples},
        lambda picture: {"plane": reference.analysis_plane(picture).samples},
    ),
    Kernel(
        "luma",
        "Tile and cell sums, histogram, profiles and Sobel magnitude of the analysis plane.",
        _luma(luma.measure),
        _luma(reference.measure_luma),
        frozenset({"magnitude"}),
    ),
    Kernel(
        "edges",
        "Counts, steps and heights of the strong edges of the analysis plane.",
        _edges(edges.measure),
        _edges(reference.measure_edges),
        frozenset({"thresholds"}),
    ),
    Kernel(
        "pattern",
        "What the rows of all bands have in common.",
        _pattern(pattern.strength),
        _pattern(reference.pattern_strength),
        frozenset({"rows"}),
    ),
    Kernel(
        "summary",
        "From the sums to figures.",
        _summary,
        reference.summary,
        reference.SUMMARY,
    ),
    Kernel("chroma", "Sums of both chroma planes.", _chroma(chroma.measure), _chroma(reference.measure_chroma)),
)


@dataclass(frozen=True, slots=True)
class FigureKind:
    """What a name in Measurement.figures means.

    `low`, `high`: the range it can take. `colour`: absent for grey. `optional`: absent where nothing can be said.
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
    colour: bool = False
    optional: bool = False


_SQUARES = 255.0**2

FIGURES: tuple[FigureKind, ...] = (
    FigureKind("luma_mean", "levels", 0, 255, "Mean grey level of the picture."),
    FigureKind("luma_std", "levels", 0, 128, "Standard deviation of the grey level."),
    FigureKind("luma_min", "levels", 0, 255, "Lowest level of the rows that are counted, at the analysis scale."),
    FigureKind("luma_max", "levels", 0, 255, "Highest level of the same rows."),
    *(
        FigureKind(f"luma_p{p}", "levels", 0, 255, f"Level that {p} % of the picture do not exceed.")
        for p in PERCENTILES
    ),
    FigureKind("clipped_dark_share", "1", 0, 1, f"Share of samples at {CLIPPED_LOW:.0f} levels or less."),
    FigureKind("clipped_bright_share", "1", 0, 1, f"Share of samples at {CLIPPED_HIGH:.0f} levels or more."),
    FigureKind("gradient_energy", "levels^2", 0, 2 * _SQUARES, "Mean square of the Sobel gradient, a level a sample."),
    FigureKind("laplacian_energy", "levels^2", 0, 16 * _SQUARES, "Mean square of the 4-neighbour Laplacian."),
    FigureKind(
        "laplacian_corrected", "levels^2", -20 * _SQUARES, 16 * _SQUARES, "laplacian_energy less 20 noise_sigma^2."
    ),
    FigureKind("spatial_information", "levels", 0, 1500, "SI of ITU-T P.910: deviation of the Sobel magnitude."),
    FigureKind("noise_sigma", "levels", 0, 900, "Immerkaer's noise over the whole picture; texture adds to it."),
    FigureKind(
        "noise_floor", "levels", 0, 900, "Immerkaer's noise of the calmer tiles; what is taken out of energies."
    ),
    FigureKind(
        "acutance",
        "1",
        0,
        100,
        "Share of an edge's height that its steepest step takes, in the sharpest quarter of the tiles, the weaker of x "
        "and y; behind the sharpness score. Above 1 of lines finer than the window. Absent where too few tiles have "
        "edges.",
        optional=True,
    ),
    FigureKind("edge_tiles", "tiles", 0, 144, "Tiles that have edges; the acutance rests on them."),
    FigureKind("structureless_share", "1", 0, 1, "Share of tiles that show no structure."),
    FigureKind("tile_luma_std", "levels", 0, 128, "Standard deviation of the tiles' mean levels."),
    FigureKind(
        "flat_share",
        "1",
        0,
        1,
        "Share of tiles without any change from sample to sample, burnt ones left out.",
    ),
    FigureKind("row_pattern", "levels", 0, 255, "Deviation of what all rows of the picture's bands have in common."),
    FigureKind("column_pattern", "levels", 0, 255, "The same of columns."),
    FigureKind("chroma_u_mean", "levels", -147, 147, "Mean of U (Cb) around neutral.", colour=True),
    FigureKind("chroma_v_mean", "levels", -147, 147, "Mean of V (Cr) around neutral.", colour=True),
    FigureKind("chroma_std", "levels", 0, 210, "Spread of the colours; near 0 in infrared pictures.", colour=True),
)


def names(*, grey: bool) -> set[str]:
    """The names that every picture's figures have."""
    return {kind.name for kind in FIGURES if not (grey and kind.colour) and not kind.optional}
