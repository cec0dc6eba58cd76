"""Plans a run from one seed: which cameras there are, and what happens to each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.accuracy.imaging.codec import Coding
from bench.accuracy.imaging.covers import MATERIALS, Cover, HeldCover
from bench.accuracy.imaging.damage import Damage
from bench.accuracy.imaging.electronics import (
    SCREENS,
    ColourCast,
    DeadRows,
    Frozen,
    InfraredNight,
    Noisy,
    NoSignal,
    Snow,
    Stripes,
)
from bench.accuracy.imaging.exposure import Backlit, ExposureShift
from bench.accuracy.imaging.frames import FRAMES, Frame
from bench.accuracy.imaging.light import SENSORS, Sensor
from bench.accuracy.imaging.optics import Defocus, Drops, Grease, Motion, Overexposed, Steam, Turned, Underexposed
from bench.accuracy.scenes import SMALL, Scene
from engine.model.keyframe import Codec

DEFOCUS_PX: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 22.0)
MOTION_PX: Final = (4.0, 8.0, 12.0, 18.0, 28.0, 45.0)
COVER_AREA: Final = (0.05, 0.1, 0.25, 0.35, 0.5, 0.75, 1.0)

COUNTED: Final[dict[str, float]] = {
    "defocus": 4.0,
    "motion": 12.0,
    "partly_covered": 0.25,
    "too_dark": 3.0,
    "too_bright": 2.5,
    "over_exposed": 1.5,
    "under_exposed": 1.5,
    "backlit": 1.5,
    "moved": 0.1,
    "steam": 0.5,
    "grease": 0.5,
    "drops": 0.2,
    "colour_cast": 2.0,
    "noisy": 25.0,
    "snow": 0.05,
    "stripes": 15.0,
    "dead_rows": 0.05,
}
"""Strength from which on a kind counts in hit rates and in the AUC; weaker damages are only in the table by strength.
"""

SHARES: Final = (0.30, 0.20, 0.13)
"""Shares of the bit rate that keyframes take: in a still scene, with some people, in a busy scene."""
_CODINGS: Final[dict[str, tuple[tuple[Codec, int], ...]]] = {
    "1080p": ((Codec.H264, 2000), (Codec.H265, 2000), (Codec.H264, 512), (Codec.H264, 4000)),
    "720p": ((Codec.H264, 1000), (Codec.H265, 1000), (Codec.H264, 2000), (Codec.H264, 512)),
    "D1": ((Codec.H264, 512), (Codec.H265, 512), (Codec.H264, 1000)),
    SMALL: ((Codec.H264, 512), (Codec.H265, 512)),
}
_CAMERAS_OF_VIEW: Final = {"1080p": 2, "720p": 1, "D1": 1, SMALL: 1}
_INFRARED_EVERY: Final = 4
_FRAMED_SCENES: Final = 12
_FRAMED_DAYS: Final = 3
_DIM: Final = 56.0
"""Mean level of a dim kitchen, which is ok by itself."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera: its scene, encoder and sensor, the visits to learn from, the good days, and the damages in order.

    `episodes`: each a set of damages that act together. `greasing`: whether it is also greased over 30 days.
    """

    index: int
    scene: Scene
    coding: Coding
    sensor: Sensor
    infrared: bool
    learn_visits: int
    good_days: int
    episodes: tuple[tuple[Damage, ...], ...]
    greasing: bool
    seed: int
    frame: Frame | None = None
    dim_to: float = 0.0
    compared: bool = False
    recorded: bool = False
    """Whether its measurements are kept, to be judged again."""


def plan(scenes: Sequence[Scene], seed: int, *, quick: bool) -> list[CameraPlan]:
    """Return the cameras of a run, the costly ones first. An unseen scene has one, with fewer good days."""
    chosen = _quick_scenes(scenes) if quick else list(scenes)
    cameras: list[CameraPlan] = []
    turns: dict[str, int] = {}
    for scene in chosen:
        days = {"1080p": 2, "720p": 3}.get(scene.size, 4 if scene.unseen else 8)
        for _ in range(1 if quick or scene.unseen else _CAMERAS_OF_VIEW[scene.size]):
            turn = turns.get(scene.size, 0)
            turns[scene.size] = turn + 1
            index = len(cameras)
            codec, kbps = _CODINGS[scene.size][turn % len(_CODINGS[scene.size])]
            cameras.append(
                CameraPlan(
                    index=index,
                    scene=scene,
                    coding=Coding(codec, kbps, SHARES[(index + turn) % len(SHARES)]),
                    sensor=SENSORS[turn % len(SENSORS)],
                    infrared=index % _INFRARED_EVERY == _INFRARED_EVERY - 1,
                    learn_visits=8 if quick else 12,
                    good_days=1 if quick else days,
                    episodes=tuple(_episodes(index, seed, quick=quick)),
                    greasing=not quick and not scene.unseen and scene.size in ("D1", SMALL) and turn % 4 == 0,
                    seed=seed,
                )
            )
    return sorted(cameras, key=lambda camera: -camera.scene.light.size)


def _quick_scenes(scenes: Sequence[Scene]) -> list[Scene]:
    """Return two 720p views, and one view of every second of the first ten sources, D1 where there is one."""
    by_source: dict[str, Scene] = {}
    for scene in scenes:
        if scene.size in ("720p", "D1", SMALL) and (scene.name not in by_source or scene.size == "D1"):
            by_source[scene.name] = scene
    large = [scene for scene in scenes if scene.size == "720p"][:2]
    return [*large, *list(by_source.values())[:10:2]]


def _episodes(index: int, run_seed: int, *, quick: bool) -> Iterator[tuple[Damage, ...]]:
    """Return the damages of a camera: all strengths of blur and cover, and a selection of the others that differs from
    camera to camera."""
    seed = 1000 * run_seed + index
    turn = index

    def select(values: Sequence[float], count: int) -> list[float]:
        return [values[(turn + step * len(values) // count) % len(values)] for step in range(count)]

    materials, screens = list(MATERIALS), list(SCREENS)
    for radius in DEFOCUS_PX[1::2] if quick else DEFOCUS_PX:
        yield (Defocus(radius, seed),)
    for length in MOTION_PX[::2] if quick else MOTION_PX:
        yield (Motion(length, seed),)
    for number, area in enumerate(COVER_AREA[2::2] if quick else COVER_AREA):
        yield (Cover(area, seed + number, materials[(turn + number) % len(materials)]),)
    if not quick:
        yield (Cover(1.0, seed + 50, materials[(turn + 2) % len(materials)]),)
    few = 1 if quick else 2
    for stops in select((4.0, 2.0, 5.0, 3.0, 6.0), few):
        yield (Underexposed(stops, seed),)
    for stops in select((2.5, 1.0, 3.5, 1.75), few):
        yield (Overexposed(stops, seed),)
    for share in select((0.1, 0.02, 0.2, 0.05, 0.4), 1 if quick else 3):
        yield (Turned(share, seed),)
    yield (Frozen(1.0, seed),)
    if not quick:
        yield (Frozen(1.0, seed, stale=True),)
    for number in range(few):
        yield (NoSignal(1.0, seed, screens[(2 * turn + number) % len(screens)]),)
    for density in select((0.5, 0.3, 0.7, 0.9), few):
        yield (Steam(density, seed),)
    for strength in select((0.5, 0.25, 0.75, 1.0), few):
        yield (Grease(strength, seed),)
    others: list[Damage] = [
        Drops((0.1, 0.2, 0.3)[turn % 3], seed),
        ColourCast((1.0, 2.0, 3.0)[turn % 3], seed),
        Noisy((15.0, 25.0, 40.0)[turn % 3], seed),
        Snow((0.05, 0.2)[turn % 2], seed),
        Stripes((8.0, 15.0, 25.0)[turn % 3], seed),
        DeadRows((0.02, 0.05, 0.15)[turn % 3], seed),
    ]
    for damage in others[turn % 3 :: 3] if quick else others:
        yield (damage,)
    for over in (True, False):
        yield (ExposureShift(1.5, seed, over=over),)
    yield (Backlit((1.5, 2.0, 2.5)[turn % 3], seed),)
    yield (HeldCover((0.3, 0.45)[turn % 2], seed),)
    if not quick:
        yield (InfraredNight(1.0, seed),)


def plan_framed(scenes: Sequence[Scene], seed: int, *, quick: bool) -> list[CameraPlan]:
    """Return cameras whose pictures have bars, masks, a banner or three others beside them, half of them in dim light,
    and each of them once more without, to compare with."""
    small = [scene for scene in scenes if scene.size in ("D1", "720p")]
    chosen = small[:: max(1, len(small) // _FRAMED_SCENES)][: 1 if quick else _FRAMED_SCENES]
    cameras: list[CameraPlan] = []
    for number, scene in enumerate(chosen):
        for turn, kind in enumerate(("", "pillarbox") if quick else ("", *FRAMES)):
            codec, kbps = _CODINGS[scene.size][number % len(_CODINGS[scene.size])]
            cameras.append(
                CameraPlan(
                    index=1000 + len(cameras),
                    scene=scene,
                    coding=Coding(codec, kbps, SHARES[number % len(SHARES)]),
                    sensor=SENSORS[number % len(SENSORS)],
                    infrared=False,
                    learn_visits=8 if quick else 12,
                    good_days=1 if quick else _FRAMED_DAYS,
                    episodes=tuple(_framed_episodes(number, quick=quick)),
                    greasing=False,
                    seed=seed,
                    frame=Frame(kind, seed + number + turn) if kind else None,
                    dim_to=_DIM if number % 2 == 0 else 0.0,
                    compared=True,
                )
            )
    return sorted(cameras, key=lambda camera: -camera.scene.light.size)


def _framed_episodes(number: int, *, quick: bool) -> Iterator[tuple[Damage, ...]]:
    """Return the faults that framed cameras have: strong ones of every sort, which are found without a frame."""
    seed, materials = 5000 + number, list(MATERIALS)
    yield (Defocus(6.0, seed),)
    yield (Cover(0.35, seed, materials[number % len(materials)]),)
    if quick:
        return
    yield (Defocus(9.0, seed),)
    yield (Motion(18.0, seed),)
    yield (Cover(0.5, seed + 1, materials[(number + 1) % len(materials)]),)
    yield (Cover(1.0, seed + 2, materials[(number + 2) % len(materials)]),)
    yield (Underexposed(4.0, seed),)
    yield (Overexposed(3.5, seed),)
    yield (Turned(0.2, seed),)
    yield (Frozen(1.0, seed),)
    yield (Steam(0.7, seed),)
