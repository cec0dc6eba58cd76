"""Chooses the tiles that a verdict rests on, for drawing: which to mark, in which colour, and what that means. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.config.judge import JudgeSettings
from engine.kernels.edges import INNER_TILE_ROWS
from engine.kernels.sharpness import ACUTANCE_FULL, ACUTANCE_ZERO
from engine.model.picture import TileMap
from engine.model.verdict import FaultKind, State, UnknownReason, Verdict

Mask = npt.NDArray[np.bool_]
Colour = tuple[int, int, int]
Words = tuple[str, str]
"""English, Chinese."""

ORANGE, AMBER, GREEN, BLUE, YELLOW = (213, 94, 0), (230, 159, 0), (0, 178, 125), (86, 160, 233), (240, 228, 66)
"""Colours that people who cannot tell red from green can tell apart (Okabe and Ito)."""
_DEFAULTS = JudgeSettings()
_BLURS = frozenset({FaultKind.BLURRED, FaultKind.GREASE, FaultKind.STEAM})
_COVERS = frozenset({FaultKind.COVERED, FaultKind.PARTLY_COVERED})


@dataclass(frozen=True, slots=True)
class Mark:
    """Tiles that are marked alike. `tinted`: filled with the colour; otherwise only outlined. `words`: the legend."""

    tiles: Mask
    colour: Colour
    tinted: bool
    words: Words


def limit_of(verdict: Verdict, name: str) -> float:
    """Return the limit that the verdict was compared with; today's default if it does not carry it."""
    return float(verdict.thresholds.get(name, getattr(_DEFAULTS, name)))


def tile_sharpness(tiles: TileMap, structure_min: float) -> npt.NDArray[np.float64]:
    """Return the sharpness score of each tile, of the weaker direction; nan where there are too few edges to tell.

    A tile with less structure than `structure_min` (levels^2) is a plain wall, whose edges are those of coding blocks.
    The outermost rows, where clock and name are burnt in, do not count.
    """
    weaker = np.fmin(tiles.acutance[0], tiles.acutance[1]).astype(np.float64)
    weaker[tiles.structure < structure_min] = np.nan
    weaker[: INNER_TILE_ROWS[0]] = weaker[INNER_TILE_ROWS[1] :] = np.nan
    scores: npt.NDArray[np.float64] = np.clip((weaker - ACUTANCE_ZERO) / (ACUTANCE_FULL - ACUTANCE_ZERO), 0, 1) * 100
    return scores


def marks_edges(verdict: Verdict) -> bool:
    """Return whether the verdict rests on how sharp edges are."""
    doubtful = verdict.reason in (UnknownReason.DOUBTFUL, UnknownReason.FEATURELESS)
    return doubtful or not _BLURS.isdisjoint(verdict.kinds)


def marks_of(verdict: Verdict, tiles: TileMap, structure_min: float) -> tuple[Mark, ...]:
    """Return what to mark; marks without a tile are left out.

    `structure_min`: gradient energy (levels^2) below which a tile shows nothing.
    """
    kinds = frozenset(verdict.kinds)
    marks: list[Mark] = []
    if not kinds.isdisjoint(_COVERS):
        marks.append(_hidden(verdict, tiles, structure_min))
    if FaultKind.TOO_DARK in kinds:
        dark = limit_of(verdict, "dark_mean_max")
        words = f"darker than level {dark:.0f}", f"亮度低于 {dark:.0f}"
        marks.append(Mark(tiles.luma < dark, BLUE, tinted=True, words=words))
    if FaultKind.TOO_BRIGHT in kinds:
        bright = limit_of(verdict, "bright_mean_max")
        words = f"brighter than level {bright:.0f}", f"亮度高于 {bright:.0f}"
        marks.append(Mark(tiles.luma >= bright, YELLOW, tinted=True, words=words))
    if marks_edges(verdict):
        marks += _edges(verdict, tile_sharpness(tiles, structure_min))
    elif verdict.state is State.OK:
        measured = ~np.isnan(tile_sharpness(tiles, structure_min))
        marks.append(Mark(measured, GREEN, tinted=False, words=("edges: sharpness is measured here", "在此测量清晰度")))
    return tuple(mark for mark in marks if mark.tiles.any())


def _hidden(verdict: Verdict, tiles: TileMap, structure_min: float) -> Mark:
    """Mark the tiles that the comparison with the baseline found hidden; without one, those without structure."""
    if verdict.tiles and max(verdict.tiles) < tiles.structure.size:
        hidden = np.zeros(tiles.structure.size, np.bool_)
        hidden[list(verdict.tiles)] = True
        words = "the usual scene is hidden here", "此处看不到平时的画面"
        return Mark(hidden.reshape(tiles.structure.shape), ORANGE, tinted=True, words=words)
    nothing: Mask = tiles.structure < structure_min
    return Mark(nothing, ORANGE, tinted=True, words=("nothing to be seen here", "此处看不到任何细节"))


def _edges(verdict: Verdict, scores: npt.NDArray[np.float64]) -> list[Mark]:
    """Mark the tiles with enough edges to be judged. Plain tiles have none, so they stay as they are."""
    measured = ~np.isnan(scores)
    if "sharpness_ratio" in verdict.figures:  # compared with the camera's own edges, which the picture does not show
        words = "edges: compared here with this camera's usual sharpness", "在此与该摄像头平时的清晰度比较"
        return [Mark(measured, ORANGE, tinted=True, words=words)]
    blurred, sure = limit_of(verdict, "sharpness_min"), limit_of(verdict, "sharpness_sure_min")
    with np.errstate(invalid="ignore"):
        soft, good = scores < blurred, scores >= sure
    between = measured & ~soft & ~good
    return [
        Mark(
            soft,
            ORANGE,
            tinted=True,
            words=(f"edges too soft (below {blurred:.0f})", f"边缘模糊（低于 {blurred:.0f}）"),
        ),
        Mark(
            between,
            AMBER,
            tinted=False,
            words=(f"edges in doubt ({blurred:.0f} to {sure:.0f})", f"边缘存疑（{blurred:.0f} 至 {sure:.0f}）"),
        ),
        Mark(good, GREEN, tinted=False, words=(f"edges sharp (from {sure:.0f})", f"边缘清晰（{sure:.0f} 以上）")),
    ]


def score_texts(verdict: Verdict) -> list[Words]:
    """Return each score with the limits it is compared with."""
    scores, figures = verdict.scores, verdict.figures
    blurred, sure = limit_of(verdict, "sharpness_min"), limit_of(verdict, "sharpness_sure_min")
    texts: list[Words] = []
    if (ratio := figures.get("sharpness_ratio")) is not None:
        least = 100 * limit_of(verdict, "sharpness_ratio_min")
        texts.append(
            (
                f"sharpness {100 * ratio:.0f} % of the usual (limit {least:.0f} %)",
                f"清晰度为平时的 {100 * ratio:.0f} %（限值 {least:.0f} %）",
            )
        )
    elif scores.sharpness is not None:
        texts.append(
            (
                f"sharpness {scores.sharpness:.0f} (blurred below {blurred:.0f}, sharp from {sure:.0f})",
                f"清晰度 {scores.sharpness:.0f}（低于 {blurred:.0f} 为模糊，{sure:.0f} 以上为清晰）",
            )
        )
    if scores.exposure is not None:
        texts.append((f"exposure {scores.exposure:.0f} of 100", f"曝光 {scores.exposure:.0f} / 100"))
    texts += _light(figures, verdict)
    if (hidden := figures.get("hidden_share")) is not None:
        most = 100 * limit_of(verdict, "hidden_share_min")
        texts.append(
            (
                f"hidden {100 * hidden:.0f} % (limit {most:.0f} %)",
                f"遮挡 {100 * hidden:.0f} %（限值 {most:.0f} %）",
            )
        )
    elif scores.occlusion is not None:
        most = 100 * limit_of(verdict, "partly_covered_share_min")
        texts.append(
            (
                f"without structure {scores.occlusion:.0f} % (limit {most:.0f} %)",
                f"无细节 {scores.occlusion:.0f} %（限值 {most:.0f} %）",
            )
        )
    return texts


def _light(figures: Mapping[str, float], verdict: Verdict) -> list[Words]:
    """Return the levels that decided of light; of a bright picture several have to agree."""
    mean = figures.get("luma_mean")
    if mean is None:
        return []
    if FaultKind.TOO_BRIGHT not in verdict.kinds:
        dark = limit_of(verdict, "dark_mean_max")
        return [(f"mean level {mean:.0f} (dark below {dark:.0f})", f"平均亮度 {mean:.0f}（低于 {dark:.0f} 为过暗）")]
    texts = []
    for name, limit, english, chinese in (
        ("luma_mean", "bright_mean_min", "mean level", "平均亮度"),
        ("luma_p5", "bright_shadow_min", "shadows at level", "暗部亮度"),
        ("luma_p99", "bright_highlight_min", "highlights at level", "亮部亮度"),
    ):
        if name in figures:
            least = limit_of(verdict, limit)
            level = figures[name]
            texts.append((f"{english} {level:.0f} (limit {least:.0f})", f"{chinese} {level:.0f}（限值 {least:.0f}）"))
    return texts
