"""Builds measurements of one scene, as the kernels would return them, and judges them."""

import dataclasses
from typing import Any

import numpy as np

from engine.config.judge import JudgeSettings
from engine.judge.baseline import CODES, EARLIER_BYTES
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.kernels import signature
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement, Scores
from engine.model.picture import TileMap
from engine.model.verdict import FaultKind, Verdict
from engine.model.visit import FeedKind

SETTINGS = JudgeSettings()
MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
GOOD = {
    "luma_mean": 120.0, "luma_p1": 30.0, "luma_p5": 40.0, "luma_p50": 118.0, "luma_p95": 200.0, "luma_p99": 220.0,
    "clipped_bright_share": 0.0, "structureless_share": 0.1, "edge_tiles": 100.0, "flat_share": 0.0, "noise_floor": 0.6,
    "lost_highlights": 0.0, "lost_shadows": 0.0, "shade_level": 90.0,
    "row_pattern": 1.0, "column_pattern": 1.0, "chroma_std": 15.0,
}  # fmt: skip
SHAPE = (9, 16)
SCENE = np.random.default_rng(5).uniform(60, 180, (18, 32))
SCENE[:, 20:24] = SCENE[:, :4]
STRUCTURE = np.full(SHAPE, 50.0)
ACUTANCE = np.full((2, *SHAPE), 0.5)
COLOUR = np.zeros(SHAPE)


def earlier_baseline(stored: bytes) -> bytes:
    """Return a stored baseline as it was stored before there were gradients, a range of light and spots."""
    end = EARLIER_BYTES - CODES
    return stored[:end] + stored[end + 12 :][:CODES]


def a_measurement(
    at: int = 0,
    *,
    sharpness: float | None = 80.0,
    cells: np.ndarray | None = None,
    structure: np.ndarray = STRUCTURE,
    acutance: np.ndarray = ACUTANCE,
    u: np.ndarray = COLOUR,
    damage: tuple[str, ...] = (),
    grey: bool = False,
    still: bool = False,
    **figures: float,
) -> Measurement:
    """Return a good measurement except for what is given, taken at minute `at`. Noise differs by minute unless
    `still`.
    """
    noise = np.zeros(SCENE.shape) if still else np.random.default_rng(at).normal(0, 1.0, SCENE.shape)
    cells = np.clip((SCENE if cells is None else cells) + noise, 0, 255)
    means = cells.reshape(9, 2, 16, 2).mean(axis=(1, 3))
    luma, energy, ratios, blue, red = (grid.astype(np.float32) for grid in (means, structure, acutance, u, COLOUR))
    if grey:
        figures["chroma_std"] = 0.3
    return Measurement(
        camera_id="c1",
        visit_id=at + 1,
        arrival_wall_ns=at * MINUTE_NS,
        stream_time_ns=None,
        source=FeedKind.RTSP,
        codec=Codec.H264,
        width=1920,
        height=1080,
        pixel_format="yuv420p",
        full_range=False,
        interlaced=False,
        damage=damage,
        figures=GOOD | figures,
        scores=Scores(sharpness, 90.0, 10.0),
        tiles=TileMap(luma, energy, ratios, blue, red),
        signature=signature.pack(np.rint(cells * signature.UNITS_PER_LEVEL).astype(np.uint16)),
    )


def judge_all(
    measurements: list[Measurement], history: JudgeState | None = None, settings: JudgeSettings = SETTINGS
) -> tuple[list[Verdict], JudgeState]:
    """Judge measurements in order; the state is serialised after each, as for a restart. Return verdicts and state."""
    history, verdicts = history or JudgeState(), []
    for measurement in measurements:
        verdict, history = judge_measurement(measurement, history, settings)
        history = JudgeState.from_bytes(history.to_bytes())
        verdicts.append(verdict)
    return verdicts, history


def judge_one(measurement: Measurement) -> Verdict:
    """Judge a measurement of a camera without any state."""
    return judge_measurement(measurement, JudgeState(), SETTINGS)[0]


def learned(visits: int = 12, **picture: Any) -> JudgeState:
    """Return the judge state after good visits a quarter of an hour apart."""
    return judge_all([a_measurement(15 * at, **picture) for at in range(visits)])[1]


def at_minute(measurement: Measurement, minute: float) -> Measurement:
    """Return the measurement at another time."""
    return dataclasses.replace(measurement, arrival_wall_ns=round(minute * MINUTE_NS))


def announced(history: JudgeState, *pictures: Measurement) -> tuple[FaultKind, ...]:
    """Return the fault kinds announced after the pictures were judged in order, an hour apart."""
    visits = [at_minute(picture, 1000 + 60 * number) for number, picture in enumerate(pictures)]
    return judge_all(visits, history)[0][-1].announced_kinds


def twice(**picture: Any) -> list[Measurement]:
    """Return the picture at two visits, as many as it takes to announce a fault."""
    return [a_measurement(1000 + 60 * number, **picture) for number in (0, 1)]


def covered_cells(columns: slice, level: float = 70.0) -> np.ndarray:
    """Return the scene with a soft cover over some columns of cells."""
    cells = SCENE.copy()
    cells[:, columns] = level + np.linspace(0, 6, 18)[:, None]
    return cells


def structure_where(columns: slice, energy: float) -> np.ndarray:
    """Return the usual structure except for some columns of tiles."""
    structure = STRUCTURE.copy()
    structure[:, columns] = energy
    return structure


def lost(columns: slice) -> np.ndarray:
    """Return the usual structure except for some columns of tiles that show nothing."""
    return structure_where(columns, 0.2)
