"""Draws the tile map, the scores and the verdict on a picture."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from engine.model.picture import TileMap
from engine.model.verdict import Verdict
from engine.terminal.formatting import score_text, why_text

_STRIP_SHARE = 0.075
_COLOURS = {"ok": (46, 160, 67), "fault": (215, 58, 73), "unknown": (210, 153, 34), "offline": (163, 113, 247)}
_EMPTY = (215, 58, 73, 110)
_GRID = (255, 255, 255, 46)


def draw_check(
    rgb: npt.NDArray[np.uint8], tiles: TileMap | None, verdict: Verdict, title: str, structure_min: float
) -> Image.Image:
    """Return the picture with a strip of scores above it.

    `rgb`: shape (rows, columns, 3). Tiles whose structure is below `structure_min` (levels^2) are shaded red; the
    root-mean-square slope of every tile is written into it where there is room.
    """
    picture = Image.fromarray(rgb).convert("RGBA")
    if tiles is not None:
        picture.alpha_composite(_tile_layer(picture.size, tiles, structure_min))
    strip = max(28, round(picture.height * _STRIP_SHARE))
    sheet = Image.new("RGB", (picture.width, picture.height + strip), (24, 26, 31))
    sheet.paste(picture.convert("RGB"), (0, strip))
    draw = ImageDraw.Draw(sheet)
    colour = _COLOURS[verdict.state]
    draw.rectangle((0, 0, max(6, strip // 6), strip), fill=colour)
    font = ImageFont.load_default(size=round(strip * 0.46))
    scores = verdict.scores
    words = " ".join(
        [
            verdict.state.upper(),
            why_text(verdict),
            f"  sharpness {score_text(scores.sharpness)}  exposure {score_text(scores.exposure)}",
            f" occlusion {score_text(scores.occlusion)}",
        ]
    )
    draw.text((strip // 3, strip * 0.24), words, fill=(240, 240, 240), font=font)
    room = sheet.width - draw.textlength(title, font=font) - strip // 3
    if room > draw.textlength(words, font=font) + strip:
        draw.text((room, strip * 0.24), title, fill=(150, 155, 165), font=font)
    return sheet


def _tile_layer(size: tuple[int, int], tiles: TileMap, structure_min: float) -> Image.Image:
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    rows, columns = tiles.structure.shape
    width, height = size
    font = ImageFont.load_default(size=max(8, round(height / rows * 0.22)))
    for row in range(rows):
        for column in range(columns):
            box = (
                column * width // columns,
                row * height // rows,
                (column + 1) * width // columns - 1,
                (row + 1) * height // rows - 1,
            )
            energy = float(tiles.structure[row, column])
            draw.rectangle(box, outline=_GRID, fill=_EMPTY if energy < structure_min else None)
            if width / columns >= 30:
                text = f"{energy**0.5:.1f}"
                draw.text((box[0] + 3, box[1] + 2), text, fill=(0, 0, 0, 200), font=font)
                draw.text((box[0] + 2, box[1] + 1), text, fill=(255, 255, 255, 220), font=font)
    return layer
