"""Lists every compiled pass with its slow twin, and every figure by name with unit, range and meaning.

docs/figures.md, the property tests and the benchmark are made from these lists.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.kernels import chroma, edges, exposure, luma, pattern, plane, reference, slopes
from engine.kernels.figures import PERCENTILES, figures
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS
from engine.kernels.layout import bars, masks, quarters
from engine.kernels.layout import reference as layout
from engine.kernels.summary import CLIPPED_HIGH, CLIPPED_LOW
from engine.model.picture import Picture

Pass = Callable[[Picture], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled pass and its slow twin. Both return sums by name; those in `rounded` agree to 1e-5, all others
    exactly."""

    name: str
    meaning: str
    fast: Pass
    twin: Pass
    rounded: frozenset[str] = frozenset()


EDGE_HEIGHT_MIN = 48.0
"""Smallest height of an edge in quarter levels, where the registry runs the edge pass."""


def _luma(measure: Callable[[plane.AnalysisPlane], luma.LumaSums]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        return _fields(measure(plane.analysis_plane(picture)))

    return run


def _edges(measure: Callable[[plane.AnalysisPlane, float], edges.EdgeSums]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        return _fields(measure(plane.analysis_plane(picture), EDGE_HEIGHT_MIN))

    return run


def _pattern(strength: Callable[[Any, int], float]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        analysed = plane.analysis_plane(picture)
        return {"rows": strength(luma.measure(analysed).rows, analysed.samples.shape[1])}

    return run


def _chroma(measure: Callable[[Any], chroma.ChromaSums]) -> Pass:
    def run(picture: Picture) -> Mapping[str, Any]:
        by_plane = {name: _fields(measure(chroma)) for name, chroma in zip("uv", picture.chroma or (), strict=False)}
        return {f"{name}_{key}": value for name, sums in by_plane.items() for key, value in sums.items()}

    return run


def _some_flat(picture: Picture) -> Any:
    """Return tiles to be taken for flat: every second row of them, so that both sorts occur."""
    return np.arange(TILE_ROWS)[:, None] % 4 + np.zeros(TILE_COLUMNS) < 1 + picture.width % 2


def _summary(picture: Picture) -> Mapping[str, Any]:
    measured = figures(picture)
    luma, structure, *acutances, u, v = measured.grids
    masked = np.zeros(luma.shape, np.bool_) if measured.masked is None else measured.masked
    grids = {"luma": luma, "structure": structure, "acutances": np.nan_to_num(acutances), "u": u, "v": v}
    return (
        {
            "acutance": 0.0,
            "masked_share": 0.0,
            "masked": masked,
            "cells": measured.cells.reshape(CELL_ROWS, CELL_COLUMNS),
        }
        | grids
        | measured.named
    )


def _fields(sums: Any) -> dict[str, Any]:
    return {name: getattr(sums, name) for name in sums.__slots__}


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "bars",
        "Lines of the bars at the four sides of the picture.",
        lambda picture: {"bars": bars.measure(picture)},
        lambda picture: {"bars": layout.find_bars(picture)},
    ),
    Kernel(
        "plane",
        "The analysis plane: luma at about 540 lines.",
        lambda picture: {"plane": plane.analysis_plane(picture).samples},
        lambda picture: {"plane": reference.analysis_plane(picture).samples},
    ),
    Kernel(
        "quarters",
        "How much of a seam each half of the picture's middle lines is.",
        lambda picture: {"seams": quarters.measure(picture)},
        lambda picture: {"seams": layout.find_seams(picture)},
        frozenset({"seams"}),
    ),
    Kernel(
        "luma",
        "Tile and cell sums, histogram, profiles and Sobel magnitude of the analysis plane.",
        _luma(luma.measure),
        _luma(reference.measure_luma),
        frozenset({"magnitude"}),
    ),
    Kernel(
        "masks",
        "Samples of privacy masks by tile, and their histogram.",
        lambda picture: masks.measure(plane.analysis_plane(picture), _some_flat(picture)),
        lambda picture: layout.find_masks(plane.analysis_plane(picture), _some_flat(picture)),
    ),
    Kernel(
        "clipped",
        "Samples that are burnt out or black, by tile.",
        lambda picture: exposure.measure(plane.analysis_plane(picture)),
        lambda picture: reference.count_clipped(plane.analysis_plane(picture)),
    ),
    Kernel(
        "edges",
        "Counts, steps and heights of the strong edges of the analysis plane.",
        _edges(edges.measure),
        _edges(reference.measure_edges),
        frozenset({"thresholds"}),
    ),
    Kernel(
        "slopes",
        "Products of the slopes across and down, by tile.",
        lambda picture: slopes.measure(plane.analysis_plane(picture)),
        lambda picture: reference.measure_slopes(plane.analysis_plane(picture)),
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
        "Figures from the sums of the passes.",
        _summary,
        reference.summary,
        reference.SUMMARY,
    ),
    Kernel("chroma", "Sums of both chroma planes.", _chroma(chroma.measure), _chroma(reference.measure_chroma)),
)


@dataclass(frozen=True, slots=True)
class FigureKind:
    """The meaning of one name in Measurement.figures.

    `low`, `high`: the range of its values. `colour`: absent for grey pictures. `optional`: absent if it cannot be
    measured.
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
    FigureKind(
        "active_share",
        "1",
        0,
        1,
        "Share of the picture within its bars and outside its masks: the part that is measured and judged. Absent if "
        "that is all of it.",
        optional=True,
    ),
    FigureKind(
        "active_views",
        "1",
        4,
        4,
        "Cameras' pictures in the active area, each judged by itself. Absent if it is one.",
        optional=True,
    ),
    FigureKind("masked_share", "1", 0, 1, "Share of the active area that privacy masks cover.", optional=True),
    *(
        FigureKind(f"active_{side}", "1", 0, 1, f"Where the active part {verb}, as a share of the {of}.", optional=True)
        for side, verb, of in (
            ("left", "begins", "width"),
            ("top", "begins", "height"),
            ("right", "ends", "width"),
            ("bottom", "ends", "height"),
        )
    ),
    FigureKind("luma_mean", "levels", 0, 255, "Mean grey level of the picture."),
    FigureKind("luma_std", "levels", 0, 128, "Standard deviation of the grey level."),
    FigureKind("luma_min", "levels", 0, 255, "Lowest level in the histogram, at the analysis scale."),
    FigureKind("luma_max", "levels", 0, 255, "Highest level in the histogram."),
    *(
        FigureKind(f"luma_p{p}", "levels", 0, 255, f"Level that {p} % of the picture does not exceed.")
        for p in PERCENTILES
    ),
    FigureKind("clipped_dark_share", "1", 0, 1, f"Share of samples at {CLIPPED_LOW:.0f} levels or less."),
    FigureKind("clipped_bright_share", "1", 0, 1, f"Share of samples at {CLIPPED_HIGH:.0f} levels or more."),
    FigureKind(
        "lost_highlights",
        "1",
        0,
        1,
        f"Share of samples at {exposure.LOST_HIGH:.0f} levels or more, without the {100 * exposure.LEFT_OUT:.0f} % of "
        "the tiles that have the most: what is burnt out beside lamps and windows.",
    ),
    FigureKind(
        "lost_shadows", "1", 0, 1, f"The same of samples at {exposure.LOST_LOW:.0f} levels or less: what is black."
    ),
    FigureKind(
        "shade_level",
        "levels",
        0,
        255,
        f"Mean level that {100 * exposure.SHADE_SHARE:.0f} % of the tiles do not exceed: how light the darker part is.",
    ),
    FigureKind(
        "gradient_energy", "levels^2", 0, 2 * _SQUARES, "Mean square of the Sobel gradient, in levels per sample."
    ),
    FigureKind(
        "gradient_across",
        "levels^2",
        0,
        _SQUARES,
        "Mean square of the slope across the picture, less noise, without the two top and bottom rows of tiles and "
        "without masks.",
    ),
    FigureKind("gradient_down", "levels^2", 0, _SQUARES, "The same of the slope down the picture."),
    FigureKind(
        "gradient_product",
        "levels^2",
        -_SQUARES,
        _SQUARES,
        "The same of the product of both slopes: positive where levels rise or fall towards the lower right. The three "
        "say how much detail a picture has in every direction.",
    ),
    FigureKind("laplacian_energy", "levels^2", 0, 16 * _SQUARES, "Mean square of the 4-neighbour Laplacian."),
    FigureKind(
        "laplacian_corrected", "levels^2", -20 * _SQUARES, 16 * _SQUARES, "laplacian_energy minus 20 noise_sigma^2."
    ),
    FigureKind(
        "spatial_information", "levels", 0, 1500, "SI of ITU-T P.910: standard deviation of the Sobel magnitude."
    ),
    FigureKind("noise_sigma", "levels", 0, 900, "Immerkaer's noise over the whole picture; texture increases it."),
    FigureKind(
        "noise_floor", "levels", 0, 900, "Immerkaer's noise of the calmer tiles; it is subtracted from the energies."
    ),
    FigureKind(
        "acutance",
        "1",
        0,
        100,
        "Share of an edge's height that its steepest step takes: the value at which the sharpest quarter of the tiles "
        "begins, of the weaker of x and y. The sharpness score is computed from it. Above 1 for lines finer than the "
        "window. Absent if too few tiles have edges.",
        optional=True,
    ),
    FigureKind("edge_tiles", "tiles", 0, 144, "Number of tiles that have edges; the acutance is taken from them."),
    FigureKind("structureless_share", "1", 0, 1, "Share of tiles that show no structure."),
    FigureKind("tile_luma_std", "levels", 0, 128, "Standard deviation of the tiles' mean levels."),
    FigureKind(
        "flat_share",
        "1",
        0,
        1,
        "Share of tiles without any change from sample to sample; burnt-out tiles do not count.",
    ),
    FigureKind(
        "row_pattern", "levels", 0, 255, "Standard deviation of what all bands of the picture share, row by row."
    ),
    FigureKind("column_pattern", "levels", 0, 255, "The same for columns."),
    FigureKind("chroma_u_mean", "levels", -147, 147, "Mean of U (Cb) around neutral.", colour=True),
    FigureKind("chroma_v_mean", "levels", -147, 147, "Mean of V (Cr) around neutral.", colour=True),
    FigureKind(
        "chroma_std", "levels", 0, 210, "Standard deviation of the colours; near 0 in infrared pictures.", colour=True
    ),
)


def names(*, grey: bool) -> set[str]:
    """Return the names that the figures of every picture have; `grey`: of every picture without colour."""
    return {kind.name for kind in FIGURES if not (grey and kind.colour) and not kind.optional}
