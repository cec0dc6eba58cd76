"""Finds the sharp pictures of a data directory and cuts them into scenes at their native size, never upscaled.

The native size is found at the strong edges of a picture (at least 40 levels within 15 samples), where the width of an
edge is its height over its steepest slope. If 10 % of the edges rise within EDGE_WIDTH_MAX samples, the picture has
detail at its own size; if not, it is shrunk by area averaging until it has. For the shared pictures this agrees with
their makers: canteen, office180 and road have native 1080p detail, desk 720p, lobby and campus fewer lines.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from bench.accuracy.footage import pictures
from bench.accuracy.imaging.light import Linear, Rgb, levels, linear
from bench.accuracy.labels import OK, Label

EDGE_WIDTH_MAX: Final = 2.7
EDGES_MIN: Final = 400
"""Strong edges that a source needs: a plainer picture does not show whether it is sharp or blurred."""
_EDGE_LEVELS, _EDGE_QUANTILE = 40.0, 0.10
_OVERLAY_SHARE: Final = 8
_SHRINKS: Final = (1.0, 0.8, 2 / 3, 0.53, 0.4, 1 / 3)
_LINES_MIN: Final = 280
_SAME_ROOM_MIN: Final = 0.9
_THUMBNAIL_COLUMNS: Final = 128
_SCALES: Final = tuple(0.7 * 1.04**step for step in range(19))
_STRETCH_MAX: Final = 1.03

FRAMES: Final = {"1080p": (1920, 1080), "720p": (1280, 720), "D1": (704, 576)}
Grey = npt.NDArray[np.uint8]

SMALL: Final = "small"
"""Size of pictures below D1, which keep their own size."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A sharp picture, cut or shrunk to a size that a camera sends. `name`: its source; views of one source share it.
    `unseen`: whether it is none of the pictures that rules were tuned on."""

    name: str
    view: str
    size: str
    light: Linear
    unseen: bool = False

    @property
    def seed(self) -> int:
        """A number for this view that is the same in every run."""
        return int.from_bytes(hashlib.sha256(f"{self.name} {self.view}".encode()).digest()[:4], "big")


def sources(data: Path, labels: Sequence[Label]) -> Iterator[tuple[str, Rgb]]:
    """Yield name and native picture of every ok row that is sharp, one per room, the largest first."""
    rooms: list[Grey] = []
    candidates: list[tuple[str, Rgb]] = []
    for label in labels:
        if label.truth != OK:
            continue
        try:
            frames = pictures(data / label.path, label.first_frame, label.last_frame, 2)
        except (OSError, av.FFmpegError, ValueError, IndexError):
            continue
        native = native_picture(frames[-1]) if frames else None
        if native is not None:
            candidates.append((label.path, native))
    for name, native in sorted(candidates, key=lambda candidate: -candidate[1].size):
        room = thumbnail(native)
        if not any(is_same_room(room, other) for other in rooms):
            rooms.append(room)
            yield name, native


def native_picture(rgb: Rgb) -> Rgb | None:
    """Return the picture at the largest size at which it is sharp.

    Returns None if it has too few edges, or is not sharp at any size of at least _LINES_MIN lines.
    """
    for share in _SHRINKS:
        rows, columns = (int(side * share) // 2 * 2 for side in rgb.shape[:2])
        if rows < _LINES_MIN:
            return None
        small = rgb[:rows, :columns] if share == 1.0 else _shrunk(rgb, columns, rows)
        width = edge_width(small)
        if width is None:
            return None
        if width <= EDGE_WIDTH_MAX:
            return small
    return None


def edge_width(rgb: Rgb) -> float | None:
    """Return the largest width, in samples, among the sharpest tenth of the strong edges; None if edges are too few.

    Rows where clocks are burnt in do not count.
    """
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    margin = luma.shape[0] // _OVERLAY_SHARE
    luma = np.asarray(cv2.GaussianBlur(luma[margin:-margin], (0, 0), 0.6), np.float32)
    slope = np.array([[-0.5, 0.0, 0.5]], np.float32)
    widths = []
    for kernel, window, neighbourhood in ((slope, (1, 15), (1, 9)), (slope.T, (15, 1), (9, 1))):
        steepness = np.abs(cv2.filter2D(luma, -1, kernel))
        box = np.ones(window, np.uint8)
        height = cv2.dilate(luma, box) - cv2.erode(luma, box)
        steepest = cv2.dilate(steepness, np.ones(neighbourhood, np.uint8))
        peak = (steepness >= steepest - 1e-6) & (height > _EDGE_LEVELS)
        widths.append(height[peak] / np.maximum(steepness[peak], 1e-3))
    all_widths = np.concatenate(widths)
    return float(np.quantile(all_widths, _EDGE_QUANTILE)) if all_widths.size >= EDGES_MIN else None


def views(name: str, native: Rgb) -> Iterator[Scene]:
    """Yield a native picture in every frame size that it fills, and windows of large pictures; else at its own size."""
    light = linear(native)
    fits = [size for size, frame in FRAMES.items() if _fits(native, frame)]
    for size in fits:
        yield Scene(name, f"{size} whole", size, _framed(light, FRAMES[size]))
    rows, columns = native.shape[:2]
    width, height = FRAMES["720p"]
    if "1080p" in fits:
        for side, left in (("left", columns // 12), ("right", columns - width - columns // 12)):
            top = max(0, (rows - height) // 2)
            yield Scene(name, f"720p {side}", "720p", light[top : top + height, left : left + width].copy())
    if not fits:
        yield Scene(name, "own size", SMALL, _framed(light, _own_frame(native)))


def _own_frame(native: Rgb) -> tuple[int, int]:
    """Return the picture's own width and height, cut to an aspect ratio between 4:3 and 16:9; both are even."""
    rows, columns = native.shape[:2]
    width, height = min(columns, rows * 16 / 9), min(rows, columns * 3 / 4)
    return int(width) // 2 * 2, int(height) // 2 * 2


def _fits(native: Rgb, frame: tuple[int, int]) -> bool:
    rows, columns = native.shape[:2]
    return bool(columns * _STRETCH_MAX >= frame[0] and rows * _STRETCH_MAX >= frame[1])


def _framed(light: Linear, frame: tuple[int, int]) -> Linear:
    """Return the middle of a picture, cut to the frame's aspect ratio and resized to it."""
    rows, columns = light.shape[:2]
    scale = min(columns / frame[0], rows / frame[1])
    width, height = min(columns, round(frame[0] * scale)), min(rows, round(frame[1] * scale))
    left, top = int((columns - width) * 0.5), int((rows - height) * 0.5)
    cut = light[top : top + height, left : left + width]
    if (width, height) == frame:
        return np.ascontiguousarray(cut)
    interpolation = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, frame, interpolation=interpolation), np.float32)


def _shrunk(rgb: Rgb, columns: int, rows: int) -> Rgb:
    return levels(np.asarray(cv2.resize(linear(rgb), (columns, rows), interpolation=cv2.INTER_AREA), np.float32))


def thumbnail(rgb: Rgb) -> Grey:
    """Return the picture in grey, _THUMBNAIL_COLUMNS wide."""
    rows = round(rgb.shape[0] * _THUMBNAIL_COLUMNS / rgb.shape[1])
    return np.asarray(
        cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (_THUMBNAIL_COLUMNS, rows), interpolation=cv2.INTER_AREA)
    )


def is_same_room(room: Grey, other: Grey) -> bool:
    """Return whether the middle of the thumbnail `room` is found anywhere in `other` at a similar scale: the two may be
    different crops or sizes of one picture."""
    rows, columns = room.shape
    middle = room[rows // 4 : -(rows // 4), columns // 4 : -(columns // 4)]
    for scale in _SCALES:
        template = cv2.resize(middle, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if template.shape[0] > other.shape[0] or template.shape[1] > other.shape[1]:
            continue
        if float(cv2.matchTemplate(other, template, cv2.TM_CCOEFF_NORMED).max()) > _SAME_ROOM_MIN:
            return True
    return False
