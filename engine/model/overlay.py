"""Text that a camera burns into its picture: the lines that a reader found, and what they are held against. Pure.

The field calls such text an on-screen display, or overlay: date, time and a name, drawn into the picture before it is
coded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.model.verdict import Cause, FaultKind

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


@dataclass(frozen=True, slots=True)
class ReadFault:
    """One fault of a camera's clock or name. `cause`: None if the kind leaves nothing open. `detail`: one sentence."""

    kind: FaultKind
    cause: Cause | None
    detail: str


@dataclass(frozen=True, slots=True)
class OverlayVerdict:
    """What the readings of a camera's clock and name conclude, of kinds in READ_KINDS; a kind in neither is unsure.

    `at_wall_ns`: when the keyframe of the latest reading arrived. `faults`: by kind. `right`: kinds that are not there.
    """

    camera_id: str
    at_wall_ns: int
    faults: Mapping[FaultKind, ReadFault] = field(default_factory=dict)
    right: frozenset[FaultKind] = frozenset()
