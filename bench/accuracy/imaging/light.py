"""Simulates light and the sensor: transfer curve, exposure, noise by light level, clipping.

Pictures are linear in between: float32, shape (rows, columns, 3), 1.0 where the sensor is saturated; they may exceed 1
before `expose` clips them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Linear = npt.NDArray[np.float32]
Rgb = npt.NDArray[np.uint8]

_STEPS: Final = 4096
_BANK: Final = (1312, 2272)
_LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor in a given amount of light. `full_e`: electrons at white, after the camera's own averaging; `read_e`:
    noise without light, in electrons; `level`: share of the scene's brightness that is left, as the iris cannot follow.

    Source of the model: EMVA 1288, shot noise and read noise in linear light.
    """

    name: str
    full_e: float
    read_e: float
    level: float


DAY: Final = Sensor("day", 8000.0, 6.0, 1.0)
DIM: Final = Sensor("dim", 1500.0, 6.0, 0.85)
NIGHT: Final = Sensor("night", 400.0, 5.0, 0.65)
"""About 1.2, 2.7 and 5.5 levels of noise at middle grey, after the transfer curve."""
SENSORS: Final = (DAY, DIM, NIGHT)


@lru_cache(maxsize=1)
def _to_linear() -> npt.NDArray[np.float32]:
    level = np.arange(256) / 255.0
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4).astype(np.float32)


@lru_cache(maxsize=1)
def _to_levels() -> npt.NDArray[np.uint8]:
    light = np.arange(_STEPS) / (_STEPS - 1)
    curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255.0 * curve).astype(np.uint8)


def linear(levels: Rgb) -> Linear:
    """Convert 8-bit levels to light, by the inverse of the transfer curve of IEC 61966-2-1 (sRGB)."""
    return _to_linear()[levels]


def levels(light: Linear) -> Rgb:
    """Convert light to 8-bit levels; light outside 0..1 is clipped. Below 1/4095 of white all is black, as in a
    camera."""
    steps = light * np.float32(_STEPS - 1)
    coded: Rgb = _to_levels()[np.clip(steps, 0, _STEPS - 1, out=steps).astype(np.uint16)]
    return coded


def grey(light: Linear) -> Linear:
    """Return the picture without colour (BT.709 weights), still in three channels."""
    colourless: Linear = np.repeat((light @ _LUMA)[..., None], 3, axis=2)
    return colourless


@lru_cache(maxsize=1)
def _noise_bank() -> Linear:
    """Return white noise of a Bayer sensor after bilinear demosaicing: unit variance at the sites of each colour."""
    rows, columns = _BANK
    raw = np.random.default_rng(20260101).standard_normal((rows, columns), np.float32)
    y, x = np.ogrid[:rows, :columns]
    sites = {0: (y % 2 == 0) & (x % 2 == 0), 1: (y + x) % 2 == 1, 2: (y % 2 == 1) & (x % 2 == 1)}
    cross = np.array([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]], np.float32)
    square = np.array([[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]], np.float32)
    bank = np.empty((rows, columns, 3), np.float32)
    for channel, mask in sites.items():
        bank[..., channel] = cv2.filter2D(raw * mask, -1, cross if channel == 1 else square)
    return bank


def noise(shape: tuple[int, ...], random: np.random.Generator) -> Linear:
    """Return noise of about unit variance, (rows, columns, 3): a random window of a fixed field, mirrored at random."""
    bank = _noise_bank()
    rows, columns = shape[:2]
    while bank.shape[0] < rows or bank.shape[1] < columns:
        bank = np.tile(bank, (2, 2, 1))
    top, left = (
        int(random.integers(0, available - needed + 1))
        for available, needed in zip(bank.shape, (rows, columns), strict=False)
    )
    window = bank[top : top + rows, left : left + columns]
    if random.random() < 0.5:
        window = window[::-1]
    return window[:, ::-1] if random.random() < 0.5 else window


def expose(scene: Linear, sensor: Sensor, random: np.random.Generator, gain: float = 1.0, grain: float = 1.0) -> Linear:
    """Return what the sensor reads of `scene`: exposure, then shot and read noise, then clipping to 0..1.

    `gain`: exposure on top of the sensor's level. `grain`: factor on the noise's deviation; 0 is a sensor without
    noise.
    """
    light: Linear = scene * np.float32(sensor.level * gain)
    if grain > 0:
        deviation = np.maximum(light, np.float32(0)) * np.float32(sensor.full_e)
        np.sqrt(np.add(deviation, np.float32(sensor.read_e**2), out=deviation), out=deviation)
        deviation *= noise(scene.shape, random)
        deviation *= np.float32(grain / sensor.full_e)
        light += deviation
    return np.clip(light, 0.0, 1.0, out=light)
