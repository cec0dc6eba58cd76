"""Burns a clock and a name into pictures, in several styles, as cameras and recorders do."""

import datetime
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.accuracy.imaging.light import Rgb

_NAMES: Final = ("Camera 01", "KITCHEN-2 COOKING", "IPC", "School 3 dish washing", "CH07 Storage", "10.20.3.44 cutting")
_CLOCKS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %a %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f")


@dataclass(frozen=True, slots=True)
class Overlay:
    """`style`: plain, outlined, boxed or none. `size`: height of the letters as a share of the picture's height.

    `clock_left`: the clock is at the top left, else at the top right. `name_low`: the name is at the bottom right, else
    at the top beside the clock.
    """

    style: str
    size: float
    clock_format: str
    clock_left: bool
    name: str
    name_low: bool


def random_overlay(random: np.random.Generator) -> Overlay:
    """Return a random overlay; about one camera in six has none."""
    style = str(random.choice(["outlined", "outlined", "outlined", "plain", "plain", "boxed", "boxed", "none"]))
    return Overlay(
        style if random.random() < 0.95 else "none",
        float(random.uniform(0.025, 0.055)),
        str(random.choice(_CLOCKS)),
        bool(random.random() < 0.6),
        str(random.choice(_NAMES)),
        bool(random.random() < 0.8),
    )


def burn_in(picture: Rgb, overlay: Overlay, at_wall_ns: int) -> Rgb:
    """Return the picture with the overlay's clock at that time, and its name."""
    if overlay.style == "none":
        return picture
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(9, overlay.size * image.height))
    clock = datetime.datetime.fromtimestamp(at_wall_ns / 1e9, datetime.UTC).strftime(overlay.clock_format)
    margin = image.height * 0.015
    right = image.width - margin
    top_left, top_right = ((margin, margin), "la"), ((right, margin), "ra")
    _write(draw, clock, *(top_left if overlay.clock_left else top_right), font, overlay)
    if overlay.name_low:
        _write(draw, overlay.name, (right, image.height - margin), "rd", font, overlay)
    else:
        _write(draw, overlay.name, *(top_right if overlay.clock_left else top_left), font, overlay)
    return np.asarray(image, np.uint8)


def _write(
    draw: ImageDraw.ImageDraw,
    text: str,
    position: tuple[float, float],
    anchor: str,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    overlay: Overlay,
) -> None:
    if overlay.style == "boxed":
        draw.rectangle(draw.textbbox(position, text, font, anchor), fill=(0, 0, 0))
    width = 1 if overlay.style == "outlined" else 0
    draw.text(position, text, (255, 255, 255), font, anchor, stroke_width=width, stroke_fill=(0, 0, 0))
