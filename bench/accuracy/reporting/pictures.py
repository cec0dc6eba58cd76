"""Draws an example of a run as HTML: its picture with the tile map and the verdict, and the figures that decided."""

import base64
import html
import io
from typing import Final

from bench.accuracy.engine_path import structure_min
from bench.accuracy.findings import Example
from bench.accuracy.nearness import limits
from engine.decode.render import decode_rgb
from engine.errors import DecodeError
from engine.worker.annotate import draw_check

_WIDTH_PX: Final = 760
_JPEG_QUALITY: Final = 82
_FIGURES_MAX: Final = 5
_PATTERNS: Final = ("row_pattern", "column_pattern")
_RAW: Final = {"noisy": ("noise_floor",), "snow": ("noise_floor",), "stripes": _PATTERNS, "dead_rows": _PATTERNS}
"""By true kind, figures whose threshold is relative to the camera's usual value, which a verdict does not have."""


def figure(example: Example, *, with_figures: bool = False) -> str:
    """Return an example as a <figure>; empty if its keyframe cannot be decoded. `with_figures`: with the figures that
    are nearest to their thresholds."""
    try:
        rgb = decode_rgb(example.codec, example.payload, _WIDTH_PX)
    except DecodeError:
        return ""
    sheet = draw_check(rgb, example.tiles, example.verdict, "", structure_min(example.verdict))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=_JPEG_QUALITY)
    title = html.escape(example.title)
    caption = title + (_deciding(example) if with_figures else "")
    image = data_url("jpeg", out.getvalue())
    return f'<figure><img src="{image}" alt="{title}"><figcaption>{caption}</figcaption></figure>'


def data_url(kind: str, data: bytes) -> str:
    """Return an image as a data URL. `kind`: jpeg or png."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _deciding(example: Example) -> str:
    figures = example.verdict.figures
    rows = "".join(
        f"<tr><td>{name}</td><td>{figures[name]:.3g}</td><td></td><td></td></tr>"
        for name in _RAW.get(example.kind, ())
        if name in figures
    ) + "".join(
        f"<tr><td>{limit.figure}</td><td>{limit.value:.3g}</td><td>{limit.threshold:.3g}</td>"
        f"<td>{limit.nearness:.0%}</td></tr>"
        for limit in limits(example.verdict)[:_FIGURES_MAX]
    )
    header = "<tr><th>figure</th><th>value</th><th>threshold</th><th>way to it</th></tr>"
    return f"<table>{header}{rows}</table>" if rows else ""
