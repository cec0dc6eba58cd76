"""Simulates changes in a kitchen that are no fault: people who pass, objects that are put down, light that drifts."""

from typing import Final

import cv2
import numpy as np

from bench.accuracy.imaging.damage import Field, blended, field
from bench.accuracy.imaging.light import Linear

PEOPLE_MAX: Final = 3
LAMPS_OFF: Final = 0.1
"""Share of visits at which a row of lamps is off."""
_COATS: Final = ((0.75, 0.75, 0.75), (0.7, 0.72, 0.76), (0.05, 0.06, 0.09), (0.12, 0.16, 0.30), (0.35, 0.08, 0.07))
_SKIN: Final = (0.42, 0.26, 0.18)


def populated(scene: Linear, random: np.random.Generator) -> Linear:
    """Return the scene at a random moment: up to PEOPLE_MAX people and a few objects, lit like the room."""
    out = scene.copy()
    brightness = float(scene.mean())
    for _ in range(int(random.choice([0, 0, 1, 1, 2, PEOPLE_MAX]))):
        _draw_person(out, brightness, random)
    for _ in range(int(random.integers(0, 3))):
        _draw_object(out, brightness, random)
    return out


def drift(random: np.random.Generator) -> tuple[float, Linear]:
    """Return the light of a random hour: exposure as a factor, and a slight tint, shape (3,).

    The standard deviation of the factor is an eighth; at one visit in ten it is lower by half a stop, because a row of
    lamps is off.
    """
    gain = float(np.exp(random.normal(0, 0.12)))
    if random.random() < LAMPS_OFF:
        gain *= 0.7
    return gain, np.exp(random.normal(0, 0.02, 3)).astype(np.float32)


def _draw_person(picture: Linear, brightness: float, random: np.random.Generator) -> None:
    rows, columns = picture.shape[:2]
    height = int(rows * random.uniform(0.25, 0.6))
    width = max(8, int(height * random.uniform(0.3, 0.42)))
    head = max(3, int(height * 0.11))
    mask = np.zeros((height, width), np.float32)
    middle = width // 2
    cv2.ellipse(
        mask, (middle, int(height * 0.58)), (int(width * 0.42), int(height * 0.4)), 0, 0, 360, 1.0, -1, cv2.LINE_AA
    )
    cv2.circle(mask, (middle, head + 2), head, 1.0, -1, cv2.LINE_AA)
    coat = np.array(_COATS[int(random.integers(len(_COATS)))], np.float32)
    skin = np.array(_SKIN, np.float32)
    is_head = (np.arange(height) < 2 * head + 2)[:, None, None]
    folds = 0.6 + 0.8 * field((height, width), 9, random)
    body = np.where(is_head, skin, coat) * folds[..., None] * np.float32(2.0 * brightness)
    # The person stands with the feet below the picture, or walks further back.
    _paste(
        picture,
        body.astype(np.float32),
        mask,
        int(random.uniform(-0.1, 0.6) * rows),
        int(random.uniform(-0.05, 0.95) * columns),
    )


def _draw_object(picture: Linear, brightness: float, random: np.random.Generator) -> None:
    rows, columns = picture.shape[:2]
    height, width = (max(6, int(rows * random.uniform(0.03, 0.09))) for _ in range(2))
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, (width // 2, height // 2), (width // 2 - 1, height // 2 - 1), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    tone = random.uniform(0.1, 0.8, 3).astype(np.float32) * np.float32(2.0 * brightness)
    body = (0.7 + 0.6 * field((height, width), 3, random))[..., None] * tone
    _paste(
        picture,
        body.astype(np.float32),
        mask,
        int(random.uniform(0.3, 0.9) * rows),
        int(random.uniform(0, 0.95) * columns),
    )


def _paste(picture: Linear, body: Linear, mask: Field, top: int, left: int) -> None:
    """Draw `body` onto `picture` where `mask` is 1; what extends over the border is cut."""
    rows, columns = picture.shape[:2]
    up, start = max(0, top), max(0, left)
    down, end = min(rows, top + mask.shape[0]), min(columns, left + mask.shape[1])
    if down <= up or end <= start:
        return
    part = np.s_[up - top : down - top, start - left : end - left]
    picture[up:down, start:end] = blended(picture[up:down, start:end], body[part], mask[part])
