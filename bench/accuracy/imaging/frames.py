"""Puts a camera's picture into a larger one, as recorders and encoders do: bars, masks, a banner, four views."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bench.accuracy.imaging.light import Rgb

FRAMES: Final = ("letterbox", "pillarbox", "windowbox", "masks", "banner", "quad")
_BARS: Final = {"letterbox": (0.0, 0.125), "pillarbox": (0.125, 0.0), "windowbox": (0.12, 0.1)}
"""Share of the width and of the height that the bars of each side take, about."""
_LEVELS: Final = ((0, 0, 0), (0, 0, 0), (64, 64, 64), (128, 128, 128))
_BANNERS: Final = ((0, 0, 0), (0, 0, 96), (40, 40, 40))
_TEXT: Final = "CANTEEN OF SCHOOL No. 3 - BRIGHT KITCHEN"


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds or covers a camera's picture at every visit; always the same for a `seed`. `kind`: of FRAMES."""

    kind: str
    seed: int

    def shown(self, picture: Rgb) -> npt.NDArray[np.bool_]:
        """Return which samples of a picture of this size are not under a mask, shape (rows, columns)."""
        if self.kind != "masks":
            return np.ones(picture.shape[:2], np.bool_)
        white = np.full_like(picture, 255)
        shown: npt.NDArray[np.bool_] = self.put(white)[..., 0] == 255
        return shown

    def put(self, picture: Rgb) -> Rgb:
        """Return a picture of the same size with this one in it."""
        random = np.random.default_rng([self.seed, FRAMES.index(self.kind)])
        if self.kind in _BARS:
            return _with_bars(picture, random, *_BARS[self.kind])
        if self.kind == "masks":
            return _with_masks(picture, random)
        if self.kind == "banner":
            return _with_banner(picture, random)
        return _four_views(picture, random)


def _resized(picture: Rgb, columns: int, rows: int) -> Rgb:
    return np.asarray(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _with_bars(picture: Rgb, random: np.random.Generator, across: float, down: float) -> Rgb:
    rows, columns = picture.shape[:2]
    left, top = (
        round(side * share * random.uniform(0.7, 1.3)) // 2 * 2 for side, share in ((columns, across), (rows, down))
    )
    framed = np.empty_like(picture)
    framed[:] = _LEVELS[random.integers(len(_LEVELS))]
    framed[top : rows - top, left : columns - left] = _resized(picture, columns - 2 * left, rows - 2 * top)
    return framed


def _with_masks(picture: Rgb, random: np.random.Generator) -> Rgb:
    rows, columns = picture.shape[:2]
    masked = picture.copy()
    for _ in range(int(random.integers(1, 4))):
        width, height = round(columns * random.uniform(0.15, 0.35)), round(rows * random.uniform(0.15, 0.35))
        left, top = int(random.integers(0, columns - width)), int(random.integers(0, rows - height))
        masked[top : top + height, left : left + width] = _LEVELS[random.integers(len(_LEVELS))]
    return masked


def _with_banner(picture: Rgb, random: np.random.Generator) -> Rgb:
    rows, columns = picture.shape[:2]
    height = round(rows * random.uniform(0.06, 0.1)) // 2 * 2
    top = 0 if random.random() < 0.5 else rows - height
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, top, columns, top + height - 1), fill=_BANNERS[random.integers(len(_BANNERS))])
    font = ImageFont.load_default(size=max(9, round(height * 0.6)))
    draw.text((columns / 2, top + height / 2), _TEXT, (255, 255, 255), font, "mm")
    return np.asarray(image, np.uint8)


def _four_views(picture: Rgb, random: np.random.Generator) -> Rgb:
    """Return four views of the room, as four cameras have them, at half their size, some with lines between."""
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    views = []
    for corner in range(4):
        share = random.uniform(0.6, 0.75)
        height, width = round(picture.shape[0] * share), round(picture.shape[1] * share)
        top = (picture.shape[0] - height) * (corner // 2)
        left = (picture.shape[1] - width) * (corner % 2)
        view = picture[top : top + height, left : left + width]
        gain = min(1.6, max(0.6, picture.mean() / max(1.0, view.mean())))  # each camera sets its own exposure
        brightened = np.clip(view * gain, 0, 255).astype(np.uint8)
        views.append(_resized(brightened, columns, rows))
    shift = int(random.integers(1, 4))  # no view is beside those that it borders on
    order = [(corner + shift) % 4 for corner in range(4)]
    upper, lower = (np.concatenate([views[order[at]], views[order[at + 1]]], axis=1) for at in (0, 2))
    four = np.zeros_like(picture)
    four[: 2 * rows, : 2 * columns] = np.concatenate([upper, lower])
    if random.random() < 0.5:
        line = _LEVELS[random.integers(len(_LEVELS))]
        four[rows - 1 : rows + 1] = four[:, columns - 1 : columns + 1] = line
    return four
