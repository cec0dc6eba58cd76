"""What moves in a kitchen and is no fault: people who pass, things that are put down, light that drifts."""

from typing import Final

import cv2
import numpy as np

from bench.accuracy.damage import Field, blended, field
from bench.accuracy.light import Linear

PEOPLE_MAX: Final = 3
LAMPS_OFF: Final = 0.1
"""Share of visits."""
_COATS: Final = ((0.75, 0.75, 0.75), (0.7, 0.72, 0.76), (0.05, 0.06, 0.09), (0.12, 0.16, 0.30), (0.35, 0.08, 0.07))
_SKIN: Final = (0.42, 0.26, 0.18)


def populated(scene: Linear, random: np.random.Generator) -> Linear:
    """The scene at another moment: up to PEOPLE_MAX people, a few things moved, each lit as the room is."""
    out = scene.copy()
    lit = float(scene.mean())
    for _ in range(int(random.choice([0, 0, 1, 1, 2, PEOPLE_MAX]))):
        _person(out, lit, random)
    for _ in range(int(random.integers(0, 3))):
        _thing(out, lit, random)
    return out


def drift(random: np.random.Generator) -> tuple[float, Linear]:
    """The light of another hour: exposure as a factor, and a slight tint, (3,).

    The factor deviates by an eighth of itself; at one visit in ten half a stop is missing: a row of lamps is off.
    """
    gain = float(np.exp(random.normal(0, 0.12)))
    if random.random() < LAMPS_OFF:
        gain *= 0.7
    return gain, np.exp(random.normal(0, 0.02, 3)).astype(np.float32)


def _person(picture: Linear, lit: float, random: np.random.Generator) -> None:
    rows, columns = picture.shape[:2]
    high = int(rows * random.uniform(0.25, 0.6))
    wide = max(8, int(high * random.uniform(0.3, 0.42)))
    head = max(3, int(high * 0.11))
    mask = np.zeros((high, wide), np.float32)
    middle = wide // 2
    cv2.ellipse(mask, (middle, int(high * 0.58)), (int(wide * 0.42), int(high * 0.4)), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    cv2.circle(mask, (middle, head + 2), head, 1.0, -1, cv2.LINE_AA)
    coat = np.array(_COATS[int(random.integers(len(_COATS)))], np.float32)
    skin = np.array(_SKIN, np.float32)
    is_head = (np.arange(high) < 2 * head + 2)[:, None, None]
    folds = 0.6 + 0.8 * field((high, wide), 9, random)
    body = np.where(is_head, skin, coat) * folds[..., None] * np.float32(2.0 * lit)
    # Standing with the feet below the picture or walking further back.
    _paste(
        picture,
        body.astype(np.float32),
        mask,
        int(random.uniform(-0.1, 0.6) * rows),
        int(random.uniform(-0.05, 0.95) * columns),
    )


def _thing(picture: Linear, lit: float, random: np.random.Generator) -> None:
    rows, columns = picture.shape[:2]
    high, wide = (max(6, int(rows * random.uniform(0.03, 0.09))) for _ in range(2))
    mask = np.zeros((high, wide), np.float32)
    cv2.ellipse(mask, (wide // 2, high // 2), (wide // 2 - 1, high // 2 - 1), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    tone = random.uniform(0.1, 0.8, 3).astype(np.float32) * np.float32(2.0 * lit)
    body = (0.7 + 0.6 * field((high, wide), 3, random))[..., None] * tone
    _paste(
        picture,
        body.astype(np.float32),
        mask,
        int(random.uniform(0.3, 0.9) * rows),
        int(random.uniform(0, 0.95) * columns),
    )


def _paste(picture: Linear, body: Linear, mask: Field, top: int, left: int) -> None:
    """Put `body` where `mask` is 1, in place; what hangs over the border is cut."""
    rows, columns = picture.shape[:2]
    up, start = max(0, top), max(0, left)
    down, end = min(rows, top + mask.shape[0]), min(columns, left + mask.shape[1])
    if down <= up or end <= start:
        return
    part = np.s_[up - top : down - top, start - left : end - left]
    picture[up:down, start:end] = blended(picture[up:down, start:end], body[part], mask[part])
