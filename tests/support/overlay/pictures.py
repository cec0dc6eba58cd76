"""Pictures with a clock and a name burnt in, coded as a camera codes them."""

import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.clock import NS_PER_S
from engine.model.keyframe import Codec
from tests.support.feed.clips import encode, scene

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The time zone of a calendar that says nothing."""
_WIDTH, _HEIGHT, _LETTER_PX = 1280, 720, 32
_FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def clock_text(wall_ns: int, behind_s: float = 0.0) -> str:
    """Return what a clock shows that is behind by so many seconds."""
    shown = datetime.datetime.fromtimestamp(wall_ns / NS_PER_S - behind_s, SHANGHAI)
    return shown.strftime("%Y-%m-%d %H:%M:%S")


def keyframe_bytes(clock: str, name: str, seed: int = 0) -> bytes:
    """Return one keyframe of H.264 with these texts in its upper left and lower right corner."""
    image = Image.fromarray(np.asarray(scene(_WIDTH, _HEIGHT, seed=seed), np.uint8)).convert("RGB")
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(str(_FONT), _LETTER_PX)
    outlined: dict[str, Any] = {"fill": "white", "font": font, "stroke_width": 2, "stroke_fill": "black"}
    draw.text((20, 16), clock, **outlined)
    draw.text((_WIDTH - 20, _HEIGHT - 16), name, anchor="rd", **outlined)
    return encode(Codec.H264, [np.asarray(image)])[0]
