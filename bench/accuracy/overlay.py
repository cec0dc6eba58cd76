"""Clock and name, as cameras and recorders burn them in: several looks."""

import datetime
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.accuracy.light import Rgb

_NAMES: Final = ("Camera 01", "KITCHEN-2 COOKING", "IPC", "School 3 dish washing", "CH07 Storage", "10.20.3.44 cutting")
_CLOCKS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %a %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f")


@dataclass(frozen=True, slots=True)
class Overlay:
    """One look. `size`: height of the letters in shares of the picture's. `style`: plain, outlined, boxed or none."""

    style: str
    size: float
    clock_format: str
    clock_left: bool
    name: str
    name_low: bool


def draw_look(random: np.random.Generator) -> Overlay:
    """A look at random; one camera in ten has none."""
    style = str(random.choice(["outlined", "outlined", "outlined", "plain", "plain", "boxed", "boxed", "none"]))
    return Overlay(
        style if random.random() < 0.95 else "none",
        float(random.uniform(0.025, 0.055)),
        str(random.choice(_CLOCKS)),
        bool(random.random() < 0.6),
        str(random.choice(_NAMES)),
        bool(random.random() < 0.8),
    )


def burn_in(picture: Rgb, look: Overlay, at_wall_ns: int) -> Rgb:
    """The picture with the look's clock at that time, and its name."""
    if look.style == "none":
        return picture
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(9, look.size * image.height))
    clock = datetime.datetime.fromtimestamp(at_wall_ns / 1e9, datetime.UTC).strftime(look.clock_format)
    edge = image.height * 0.015
    right = image.width - edge
    _write(
        draw, clock, (edge, edge) if look.clock_left else (right, edge), "la" if look.clock_left else "ra", font, look
    )
    if look.name_low:
        _write(draw, look.name, (right, image.height - edge), "rd", font, look)
    else:
        away = (right, edge) if look.clock_left else (edge, edge)
        _write(draw, look.name, away, "ra" if look.clock_left else "la", font, look)
    return np.asarray(image, np.uint8)


def _write(
    draw: ImageDraw.ImageDraw,
    text: str,
    place: tuple[float, float],
    anchor: str,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    look: Overlay,
) -> None:
    if look.style == "boxed":
        draw.rectangle(draw.textbbox(place, text, font, anchor), fill=(0, 0, 0))
    width = 1 if look.style == "outlined" else 0
    draw.text(place, text, (255, 255, 255), font, anchor, stroke_width=width, stroke_fill=(0, 0, 0))
