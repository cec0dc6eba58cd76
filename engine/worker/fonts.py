"""Finds a font that has Chinese characters; without one, Pillow's own, which has Latin letters only."""

import functools
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_NAMES = ("NotoSansCJK-Regular*", "NotoSansSC*", "SourceHanSans*", "wqy-microhei*", "wqy-zenhei*", "DroidSansFallback*")
"""Fonts of the distributions' packages fonts-noto-cjk, fonts-wqy-*, fonts-droid-fallback; the best first."""


@functools.cache
def chinese_font_file() -> Path | None:
    """Return the file of a font with Chinese characters; None if none is installed."""
    for name in _NAMES:
        for folder in _FOLDERS:
            found = sorted(path for path in folder.rglob(name) if path.suffix in (".ttc", ".ttf", ".otf"))
            if found:
                return found[0]
    return None


@functools.lru_cache(maxsize=16)
def font(size_px: int, file: Path | None) -> Font:
    """Return the font of a file at a size; Pillow's own if `file` is None or cannot be read."""
    if file is not None:
        try:
            return ImageFont.truetype(str(file), size_px)
        except OSError:
            pass
    return ImageFont.load_default(size=size_px)
