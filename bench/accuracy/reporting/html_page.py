"""Fills a page of the report, with the style that all of them share."""

from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent


def html_page(name: str, **sections: str) -> str:
    """Return the page of this name in this folder, each `$section` filled in. Raises KeyError if one is missing."""
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    return Template((_FOLDER / name).read_text(encoding="utf-8")).substitute(style=style, **sections)
