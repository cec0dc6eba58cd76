"""Simulates damage behind the lens: sensor, electronics, cable, recorder."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.accuracy.imaging.damage import Damage
from bench.accuracy.imaging.light import Linear, Rgb, grey

SCREENS: Final = ("blue", "black", "grey", "bars", "blue_text", "black_text")
_BARS: Final = ((192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192), (192, 0, 0), (0, 0, 192))
_COLOURS: Final = {"blue": (16, 32, 200), "black": (0, 0, 0), "grey": (120, 120, 120)}


@dataclass(frozen=True, slots=True)
class ColourCast(Damage):
    """A wrong white balance. `strength`: stops between the brightened and the darkened channel."""

    kind: ClassVar[str] = "colour_cast"
    unit: ClassVar[str] = "stops"

    def lens(self, scene: Linear, visit: int) -> Linear:
        gains = np.zeros(3)
        up, down = self._random().permutation(3)[:2]
        gains[up], gains[down] = self.strength / 2, -self.strength / 2
        out: Linear = scene * (2.0**gains).astype(np.float32)
        return out


@dataclass(frozen=True, slots=True)
class InfraredNight(Damage):
    """The camera's night mode, which is no fault: grey, lit by its own lamp, brightest in the middle. `strength`: 1."""

    kind: ClassVar[str] = "ir_night"
    unit: ClassVar[str] = "on"

    def lens(self, scene: Linear, visit: int) -> Linear:
        rows, columns = scene.shape[:2]
        y, x = np.ogrid[-0.5 : 0.5 : rows * 1j, -0.9 : 0.9 : columns * 1j]
        lamp = 0.25 + 1.3 * np.exp(-(x**2 + y**2) / 0.3)
        out: Linear = grey(scene) * lamp[..., None].astype(np.float32)
        return out

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        """Return the picture without colour: the sensor's noise has none either."""
        return np.repeat(levels[..., 1:2], 3, axis=2)


@dataclass(frozen=True, slots=True)
class Noisy(Damage):
    """Noise of an excessive gain. `strength`: standard deviation of the noise."""

    kind: ClassVar[str] = "noisy"
    unit: ClassVar[str] = "levels"

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        grain = self._random(visit).standard_normal(levels.shape, np.float32)
        return _levels(levels + np.float32(self.strength) * grain)


@dataclass(frozen=True, slots=True)
class Snow(Damage):
    """A bad analogue line. `strength`: share of the samples that have a random level."""

    kind: ClassVar[str] = "snow"
    unit: ClassVar[str] = "share of samples"

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        random = self._random(visit)
        hit = random.random(levels.shape[:2], np.float32) < self.strength
        out = levels.copy()
        out[hit] = random.integers(0, 256, (int(hit.sum()), 1), np.uint8)
        return out


@dataclass(frozen=True, slots=True)
class Stripes(Damage):
    """Hum or a broken readout: a drifting wave of rows or columns over the picture. `strength`: its amplitude."""

    kind: ClassVar[str] = "stripes"
    unit: ClassVar[str] = "levels"

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        random = self._random()
        axis = int(random.integers(0, 2))
        period = levels.shape[0] * random.uniform(0.01, 0.06)
        phase = self._random(visit).uniform(0, 2 * np.pi)
        wave = np.float32(self.strength) * np.sin(
            2 * np.pi * np.arange(levels.shape[axis], dtype=np.float32) / np.float32(period) + np.float32(phase)
        )
        return _levels(levels + (wave[:, None, None] if axis == 0 else wave[None, :, None]))


@dataclass(frozen=True, slots=True)
class DeadRows(Damage):
    """Rows that the sensor does not read: each is all black or all white, at every visit. `strength`: their share."""

    kind: ClassVar[str] = "dead_rows"
    unit: ClassVar[str] = "share of rows"

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        random = self._random()
        dead = np.flatnonzero(random.random(levels.shape[0]) < self.strength)
        out = levels.copy()
        out[dead] = np.where(random.random((dead.size, 1, 1)) < 0.5, 0, 255)
        return out


@dataclass(frozen=True, slots=True)
class NoSignal(Damage):
    """The picture that a recorder shows for a camera it has lost. `strength`: 1."""

    screen: str = "blue"

    kind: ClassVar[str] = "signal_loss"
    unit: ClassVar[str] = "on"

    @property
    def detail(self) -> str:
        return self.screen

    def signal(self, levels: Rgb, visit: int) -> Rgb:
        rows, columns = levels.shape[:2]
        name = self.screen.partition("_")[0]
        if name == "bars":
            stripes = np.array(_BARS, np.uint8)[np.arange(columns) * len(_BARS) // columns]
            return np.repeat(stripes[None], rows, axis=0)
        image = Image.new("RGB", (columns, rows), _COLOURS[name])
        if self.screen.endswith("_text"):
            font = ImageFont.load_default(size=rows // 9)
            ImageDraw.Draw(image).text((columns / 2, rows / 2), "NO SIGNAL", (230, 230, 230), font, anchor="mm")
        return np.asarray(image, np.uint8)


@dataclass(frozen=True, slots=True)
class Frozen(Damage):
    """The encoder repeats one picture; the clock that it burns in goes on. `strength`: 1.

    `stale`: neither the clock nor the stream goes on: a snapshot service that returns the last good picture for ever.
    """

    stale: bool = False

    kind: ClassVar[str] = "frozen"
    unit: ClassVar[str] = "on"

    @property
    def still(self) -> bool:
        return True

    @property
    def detail(self) -> str:
        return "stale" if self.stale else "clock ticks"


def _levels(values: np.typing.NDArray[np.float32]) -> Rgb:
    rounded: Rgb = np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)
    return rounded
