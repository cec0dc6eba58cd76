"""Draws what a verdict rests on: the tiles in question, a legend, the scores with their limits, and the verdict."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.model.active_area import WHOLE, ActiveArea, area_in
from engine.model.faults import cause_key
from engine.model.picture import TileMap
from engine.model.verdict import Verdict
from engine.notices.vocabulary import Lang, Words
from engine.worker.fonts import Font, chinese_font_file, font
from engine.worker.tile_marks import Colour, Mark, marks_edges, marks_of, score_texts

_STATES = {
    "ok": ("OK", "正常"),
    "fault": ("FAULT", "故障"),
    "unknown": ("UNKNOWN", "无法判断"),
    "offline": ("OFFLINE", "离线"),
}
_REASONS = {
    "damaged": "画面损坏", "too_dark_to_judge": "过暗", "featureless": "画面无细节", "doubtful": "存疑",
    "no_picture": "无画面", "quarantined": "已隔离", "too_costly": "解码耗时过长",
}  # fmt: skip
_STATE_COLOURS = {"ok": (46, 160, 67), "fault": (215, 58, 73), "unknown": (210, 153, 34), "offline": (163, 113, 247)}
_PAPER, _INK, _PALE = (24, 26, 31), (240, 240, 240), (165, 170, 180)
_TINT_ALPHA, _LINE_ALPHA = 84, 255
_WIDTH_PX_MIN = 640
"""A narrower picture is enlarged, so that the words beside it can be read."""
_WHOLE_PICTURE = "the whole picture is concerned, so no part of it is marked", "涉及整个画面，未标出局部"
_UNMARKED = "unmarked: not judged (plain, or beside clock and name)", "未标出处不作判断（细节太少，或有时间、名称字样）"

Item = tuple[Colour | None, bool, str]
"""A piece of text with the box before it: its colour (None: no box) and whether it is filled."""


def draw_check(
    rgb: npt.NDArray[np.uint8],
    tiles: TileMap | None,
    verdict: Verdict,
    title: str,
    structure_min: float,
    *,
    side_px_max: int = 0,
    font_file: Path | None = None,
) -> Image.Image:
    """Return the picture with the verdict above it, and the legend and the scores below it.

    `rgb`: shape (rows, columns, 3). `title`: camera and time. `structure_min`: gradient energy (levels^2) below which a
    tile shows nothing. `side_px_max`: longest side of the picture within the sheet; 0: its own. `font_file`: a font
    with Chinese characters; None looks for one, and draws English alone if there is none.
    """
    picture = _sized(Image.fromarray(rgb), side_px_max).convert("RGBA")
    marks = () if tiles is None else marks_of(verdict, tiles, structure_min)
    area = area_in(verdict.figures)
    if tiles is not None:
        picture.alpha_composite(_mark_layer(picture.size, marks, area))
    file = font_file or chinese_font_file()
    size_px = max(13, round(0.58 * picture.width**0.5))
    writer = _Writer(font(size_px, file), font(round(1.35 * size_px), file), size_px, picture.width, file is not None)
    header = writer.header(verdict, title if file is not None else _latin(title))
    footer = writer.footer(verdict, marks)
    sheet = Image.new("RGB", (picture.width, header.height + picture.height + footer.height), _PAPER)
    sheet.paste(header, (0, 0))
    sheet.paste(picture.convert("RGB"), (0, header.height))
    sheet.paste(footer, (0, header.height + picture.height))
    return sheet


def _sized(picture: Image.Image, side_px_max: int) -> Image.Image:
    if side_px_max and max(picture.size) > side_px_max:
        picture.thumbnail((side_px_max, side_px_max))
    if picture.width >= _WIDTH_PX_MIN:
        return picture
    return picture.resize((_WIDTH_PX_MIN, round(picture.height * _WIDTH_PX_MIN / picture.width)))


def _latin(text: str) -> str:
    """Leave out what Pillow's own font would draw as boxes."""
    return " ".join("".join(character if ord(character) < 0x250 else " " for character in text).split())


def _mark_layer(size: tuple[int, int], marks: Sequence[Mark], area: ActiveArea) -> Image.Image:
    """Return a layer with each mark's tiles tinted, a line around each group of neighbours, and one around the active
    area if the picture has bars."""
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    line_px = max(2, round(size[1] / 360))
    left, top, right, bottom = area.pixels(*size)
    width, height = right - left, bottom - top
    if area != WHOLE:
        draw.rectangle((left, top, right - 1, bottom - 1), outline=(*_PALE, _LINE_ALPHA), width=line_px)
    for mark in marks:
        rows, columns = mark.tiles.shape
        xs = [left + column * width // columns for column in range(columns + 1)]
        ys = [top + row * height // rows for row in range(rows + 1)]
        if mark.tinted:
            for row, column in np.argwhere(mark.tiles).tolist():
                box = (xs[column], ys[row], xs[column + 1] - 1, ys[row + 1] - 1)
                draw.rectangle(box, fill=(*mark.colour, _TINT_ALPHA))
        padded = np.pad(mark.tiles, 1)
        for row, column in np.argwhere(mark.tiles).tolist():
            x, y, end_x, end_y = xs[column], ys[row], xs[column + 1] - 1, ys[row + 1] - 1
            for neighbour, line in (
                (padded[row, column + 1], (x, y, end_x, y + line_px - 1)),
                (padded[row + 2, column + 1], (x, end_y - line_px + 1, end_x, end_y)),
                (padded[row + 1, column], (x, y, x + line_px - 1, end_y)),
                (padded[row + 1, column + 2], (end_x - line_px + 1, y, end_x, end_y)),
            ):
                if not neighbour:
                    draw.rectangle(line, fill=(*mark.colour, _LINE_ALPHA))
    return layer


class _Writer:
    """Sets text above and below a picture of `width` pixels. `chinese`: whether the font has Chinese characters."""

    def __init__(self, small: Font, large: Font, size_px: int, width: int, chinese: bool) -> None:
        self._small, self._large, self._size_px, self._width = small, large, size_px, width
        self._chinese = chinese
        self._measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))

    def header(self, verdict: Verdict, title: str) -> Image.Image:
        """Return the strip with the verdict and the title, behind a bar in the colour of the state."""
        pad, line_px = self._size_px // 2, round(1.8 * self._size_px)
        left = pad + max(6, pad)
        words: list[Item] = [(None, False, word) for word in self._headline(verdict).split()]
        lines = self._wrapped(words, pad, self._large, left)
        x, (_, _, last) = lines[-1][-1]
        end = x + round(self._measure.textlength(last, font=self._large))
        title_px = round(self._measure.textlength(title, font=self._small))
        beside = end + 2 * pad + title_px <= self._width - pad
        strip = Image.new("RGB", (self._width, pad + line_px * (len(lines) + (not beside))), _PAPER)
        draw = ImageDraw.Draw(strip)
        draw.rectangle((0, 0, max(6, pad) - 1, strip.height), fill=_STATE_COLOURS[verdict.state])
        for number, line in enumerate(lines):
            for x, (_, _, word) in line:
                draw.text((x, (pad + line_px) // 2 + line_px * number), word, _INK, self._large, anchor="lm")
        middle = (pad + line_px) // 2 + line_px * (len(lines) - beside)
        draw.text((self._width - pad - title_px if beside else left, middle), title, _PALE, self._small, anchor="lm")
        return strip

    def footer(self, verdict: Verdict, marks: Sequence[Mark]) -> Image.Image:
        """Return the strip with the legend, the scores and the verdict's own words."""
        legend = [item for mark in marks for item in self._items(mark.words, mark.colour, filled=mark.tinted)]
        if not marks and verdict.kinds:
            legend = self._items(_WHOLE_PICTURE)
        if marks and marks_edges(verdict):
            legend += self._items(_UNMARKED)
        texts = score_texts(verdict)
        scores: list[Item] = [(None, False, english) for english, _ in texts]
        scores_zh: list[Item] = [(None, False, chinese) for _, chinese in texts if self._chinese]
        detail: list[Item] = [(None, False, word) for word in verdict.detail.split()]
        lines = [
            *((line, _INK) for line in self._wrapped(legend, self._size_px)),
            *((line, _INK) for line in self._wrapped(scores, self._size_px)),
            *((line, _INK) for line in self._wrapped(scores_zh, self._size_px)),
            *((line, _PALE) for line in self._wrapped(detail, self._size_px // 3)),
        ]
        pad, line_px = self._size_px // 2, round(1.5 * self._size_px)
        strip = Image.new("RGB", (self._width, 2 * pad + line_px * len(lines)), _PAPER)
        draw = ImageDraw.Draw(strip)
        for number, (line, ink) in enumerate(lines):
            middle = pad + line_px * number + line_px // 2
            for x, (colour, filled, text) in line:
                if colour is not None:
                    half = self._size_px // 2
                    box = (x, middle - half, x + 2 * half, middle + half)
                    draw.rectangle(box, fill=colour if filled else None, outline=colour, width=max(2, half // 3))
                draw.text((x + self._box_px(colour), middle), text, ink, self._small, anchor="lm")
        return strip

    def _headline(self, verdict: Verdict) -> str:
        english, chinese = Words(Lang.EN), Words(Lang.ZH)
        keys = [cause_key(kind, verdict.cause) for kind in verdict.kinds]
        what = ", ".join(map(english.problem, keys)) or verdict.reason.replace("_", " ")
        what_zh = "、 ".join(map(chinese.problem, keys)) or _REASONS.get(verdict.reason, "")
        state, state_zh = _STATES[verdict.state]
        texts = [f"{state}: {what}" if what else state, f"{state_zh}：{what_zh}" if what_zh else state_zh]
        return "  ".join(texts) if self._chinese else texts[0]

    def _items(self, words: tuple[str, str], colour: Colour | None = None, *, filled: bool = False) -> list[Item]:
        """Return the words in the languages that the font has, the box before the first; in one piece if that fits."""
        both = "  ".join(words)
        if self._chinese and self._wide((colour, filled, both), self._small) < self._width - self._size_px:
            return [(colour, filled, both)]
        return [(colour, filled, words[0]), *([(None, False, words[1])] if self._chinese else [])]

    def _box_px(self, colour: Colour | None) -> int:
        return 0 if colour is None else round(1.5 * self._size_px)

    def _wide(self, item: Item, font: Font) -> int:
        return self._box_px(item[0]) + round(self._measure.textlength(item[2], font=font))

    def _wrapped(
        self, items: Sequence[Item], gap_px: int, font: Font | None = None, left: int = 0
    ) -> list[list[tuple[int, Item]]]:
        """Return the items in lines of the strip's width from `left` on, each with its x. `font`: None is the small."""
        pad = self._size_px // 2
        left = left or pad
        lines: list[list[tuple[int, Item]]] = []
        x = self._width
        for item in items:
            wide = self._wide(item, font or self._small)
            if not lines or x + wide > self._width - pad:
                lines.append([])
                x = left
            lines[-1].append((x, item))
            x += wide + gap_px
        return lines
