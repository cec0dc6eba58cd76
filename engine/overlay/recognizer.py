"""Finds and reads lines of text in a picture, with RapidOCR: PP-OCR models, run by ONNX Runtime on one core.

Both come with the extra `kitchen-patrol[ocr]`; nothing is loaded from the network. Only the bands along the upper and
lower edge are searched, where overlays stand. The line that shows a clock is read twice, at two sizes: a digit that is
misread once is seldom misread in the same way again, and a line on which the two differ is not sure.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.model.overlay import LINE_CHARS_MAX, LINES_MAX, Box, PictureText, TextLine
from engine.overlay.clock_text import is_date_only, parse_clock
from engine.overlay.layout import BAND_SHARE

_SEARCH_PX_MAX = 1920
"""Longest side at which text is searched; a larger picture is made smaller for it."""
_GAP_PX = 16
"""Grey rows between the two bands, so that no line spans both."""
_GREY = 114
_LEVEL_SHARE = 0.15
"""A line is level if it rises by no more than this share of its height."""
_MARGIN_SHARE = 0.25
"""What is added around a line for its second reading, as a share of its height."""
_NOT_SURE = 0.0

Picture = npt.NDArray[np.uint8]


class Recognizer:
    """Loads the models, which takes about a second and 200 MB. Raises ImportError where the extra is not installed."""

    def __init__(self) -> None:
        import cv2
        from rapidocr import RapidOCR

        cv2.setNumThreads(1)
        self._reader: Any = RapidOCR(
            params={
                "Global.use_cls": False,  # overlays stand upright
                "Global.log_level": "error",
                "Det.limit_type": "max",
                "Det.limit_side_len": _SEARCH_PX_MAX,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, rgb: Picture) -> PictureText:
        """Return the lines in the bands of a picture. `rgb`: (height, width, 3), uint8."""
        height, width, _ = rgb.shape
        band = max(1, int(BAND_SHARE * height))
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        gap = np.full((_GAP_PX, width, 3), _GREY, np.uint8)
        bands = np.concatenate([bgr[:band], gap, bgr[height - band :]])
        found = self._reader(bands, use_det=True, use_cls=False, use_rec=True)
        if found.boxes is None:
            return PictureText(width, height, ())
        lines = [
            self._checked(bands, TextLine(text[:LINE_CHARS_MAX], float(score), box))
            for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
            if (box := _level_box(corners)) is not None
        ]
        placed = [_place(line, band, height) for line in lines[:LINES_MAX]]
        return PictureText(width, height, tuple(sorted(placed, key=lambda line: (line.box.top, line.box.left))))

    def _checked(self, bands: Picture, line: TextLine) -> TextLine:
        """Return the line as it is if it shows no clock, or a second reading shows the same."""
        if parse_clock(line.text) is None and not is_date_only(line.text) and ":" not in line.text:
            return line
        margin = max(2, int(_MARGIN_SHARE * line.box.height))
        crop = crop_of(bands, line.box, margin)
        again = self._reader(crop, use_det=False, use_cls=False, use_rec=True)
        text = again.txts[0] if again.txts else ""
        same = _signs(text) == _signs(line.text)
        return replace(line, confidence=min(line.confidence, float(again.scores[0])) if same else _NOT_SURE)


def crop_of(picture: Picture, box: Box, margin: int) -> Picture:
    """Return a copy of the part of a picture in a box, with a margin as far as there is one."""
    height, width, _ = picture.shape
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    bottom, right = min(height, box.bottom + margin), min(width, box.left + box.width + margin)
    return np.ascontiguousarray(picture[top:bottom, left:right])


def _signs(text: str) -> str:
    return "".join(text.split())


def _level_box(corners: npt.NDArray[np.float32]) -> Box | None:
    """Return the upright rectangle around four corners; None if the line is not level."""
    left, top = corners.min(axis=0)
    right, bottom = corners.max(axis=0)
    height = bottom - top
    rise = max(abs(corners[1][1] - corners[0][1]), abs(corners[2][1] - corners[3][1]))
    if height < 1 or rise > max(2.0, _LEVEL_SHARE * height):
        return None
    return Box(max(0, int(left)), max(0, int(top)), round(right - left), round(height))


def _place(line: TextLine, band: int, height: int) -> TextLine:
    """Return the line with its place in the whole picture."""
    top = line.box.top
    if top >= band + _GAP_PX // 2:
        top += height - band - (band + _GAP_PX)
    return replace(line, box=line.box._replace(top=max(0, min(top, height - 1))))
