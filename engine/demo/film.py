"""A room on film: a camera's frames in order, with what lives in them: noise, somebody who walks by, a clock.

Frames are 4:2:0 planes in limited range (ITU-R BT.601), laid out as PyAV takes them: (1.5 x height, width).
"""

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from engine.demo.pictures import exposed, to_levels

Plane = npt.NDArray[np.uint8]
FRAMES_PER_S = 2
"""The first of a second is coded as a keyframe."""

_BLACK, _WHITE, _SPAN, _NEUTRAL = 16, 235, 219, 128
_NOISE_LEVELS = 1.8
_NOISE_SAMPLES = 3 << 20
_DRIFT = 0.02
_COAT = 0.04
_NOBODY_BEHIND = ("covered", "frozen")


def film(room: Plane, number: int, fault: str, seconds: int) -> Iterator[Plane]:
    """FRAMES_PER_S frames a second of `room`, an array as above. A frozen camera shows one picture; its clock ticks."""
    random = np.random.default_rng(number)
    height, width = room.shape[0] * 2 // 3, room.shape[1]
    if fault == "frozen":
        room = room.copy()
        room[:height] = _noisy(room[:height], random)
    for second in range(seconds):
        turn = second / seconds
        still = room.copy()
        if fault != "frozen":
            still[:height] = _noisy(_drifted(room[:height], turn), random)
        for part in range(FRAMES_PER_S):
            picture = still.copy()
            if fault not in _NOBODY_BEHIND:
                _walk_by(picture, turn + part / (FRAMES_PER_S * seconds), fault)
            lines = max(10, height // 26)
            _burn_in(picture, height, lines, lines, f"2026-09-01 11:30:{second:02}")
            _burn_in(picture, height, height - 2 * lines, lines, f"CAM {number:02}")
            yield picture[:, :width]


def _drifted(luma: Plane, turn: float) -> Plane:
    """The light of the room rises and falls by a fiftieth."""
    levels = np.arange(256, dtype=np.float32) - _BLACK
    gain = (1.0 + _DRIFT * np.sin(2 * np.pi * turn)) ** (1 / 2.2)
    table = np.clip(np.rint(levels * np.float32(gain)) + _BLACK, _BLACK, _WHITE).astype(np.uint8)
    return table[luma]


def _noisy(luma: Plane, random: np.random.Generator) -> Plane:
    """The sensor's noise; another stretch of one long record each time, so that no two pictures share theirs."""
    record = _noise_record()
    start = int(random.integers(0, record.size - luma.size))
    noise = record[start : start + luma.size].reshape(luma.shape)
    return np.clip(luma + noise, _BLACK, _WHITE).astype(np.uint8)


@functools.cache
def _noise_record() -> npt.NDArray[np.int16]:
    noise = np.random.default_rng(0).standard_normal(_NOISE_SAMPLES, dtype=np.float32)
    return np.rint(noise * np.float32(_NOISE_LEVELS)).astype(np.int16)


def _walk_by(picture: Plane, turn: float, fault: str) -> None:
    """Somebody in a dark coat crosses the room once a round, as sharp as the lens makes them."""
    height, width = picture.shape[0] * 2 // 3, picture.shape[1]
    centre = width * (0.1 + 0.8 * turn)
    soft = 3.0 if fault == "blurred" else 20.0
    left, right = int(max(0, centre - 0.09 * width)), int(min(width, centre + 0.09 * width))
    y, x = np.ogrid[:height, left:right]
    body = 1 - np.hypot((x - centre) / (0.055 * width), (y - 0.78 * height) / (0.34 * height))
    head = 1 - np.hypot((x - centre) / (0.026 * width), (y - 0.36 * height) / (0.075 * height))
    matte = np.clip(np.maximum(body, head * 0.4) * soft, 0, 1).astype(np.float32)
    level = float(to_levels(exposed(np.array([_COAT], np.float32), fault))[0])
    luma = picture[:height, left:right]
    # the noise of the coat is that of the room behind it, at a fifth
    shade = _BLACK + level * _SPAN / 255 + 0.2 * (luma - np.float32(_NEUTRAL)) * min(1.0, level / _NEUTRAL)
    luma[...] = np.clip(luma + (shade - luma) * matte, _BLACK, _WHITE)


def _burn_in(picture: Plane, height: int, top: int, lines: int, text: str) -> None:
    """White letters with a dark rim, `lines` high, grey behind them so that no colour shines through."""
    mask, rim = _letters(text, lines)
    left = lines
    luma = picture[top : top + mask.shape[0], left : left + mask.shape[1]]
    luma[rim] = _BLACK
    luma[mask] = _WHITE
    width = picture.shape[1]
    for first in (0, 1):
        plane = picture[height:].reshape(2, height // 2, width // 2)[first]
        chroma = plane[top // 2 : (top + mask.shape[0]) // 2, left // 2 : (left + mask.shape[1]) // 2]
        lettered = rim[: 2 * chroma.shape[0] : 2, : 2 * chroma.shape[1] : 2]
        chroma[lettered] = _NEUTRAL


@functools.lru_cache(maxsize=1024)
def _letters(text: str, lines: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where the letters are, and where letters with their rim are."""
    font = ImageFont.load_default(size=lines)
    rim = max(1, lines // 14)
    size = (int(font.getlength(text)) + 2 * rim + 2, lines + lines // 2)
    both = []
    for stroke in (0, rim):
        image = Image.new("L", size)
        ImageDraw.Draw(image).text((rim, 0), text, fill=255, font=font, stroke_width=stroke)
        both.append(np.asarray(image) > 127)
    return both[0], both[1] | both[0]
