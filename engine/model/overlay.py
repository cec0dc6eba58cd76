"""Text that a camera burns into its picture: the lines that a reader found, and what they are held against. Pure.

The field calls such text an on-screen display, or overlay: date, time and a name, drawn into the picture before it is
coded.
"""

from dataclasses import dataclass
from typing import NamedTuple

LINES_MAX = 32
"""Lines of one picture that are read; more is a page of text, and no overlay."""
LINE_CHARS_MAX = 100
"""Characters of one line; the rest is cut off."""


class Box(NamedTuple):
    """A rectangle in a picture, in pixels: its left and upper edge, its width and height."""

    left: int
    top: int
    width: int
    height: int

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text as a reader found it.

    `confidence`: 0 to 1, the mean over its characters, as the reader gives it. `box`: where it is in the picture.
    """

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class PictureText:
    """The lines of one picture, from the top down. `width`, `height`: of the picture, in pixels."""

    width: int
    height: int
    lines: tuple[TextLine, ...]
