"""Reads the cells of a row as a camera, and finds what a spreadsheet has done to them. Pure."""

import re
from collections.abc import Mapping

from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.registry import RowProblem

SHOWN_CHARS = 80
"""Of a value that a problem names."""
_ENUMS: dict[str, type[KeyPoint] | type[SiteKind]] = {"key_point": KeyPoint, "site_kind": SiteKind}
_TRUE = {"true", "1", "yes", "是"}
_FALSE = {"false", "0", "no", "否"}
_SCIENTIFIC = re.compile(r"\d\.\d+[eE][+-]?\d+|\d+[eE]\+\d+", re.ASCII)
_SPREADSHEET_TEXT = re.compile(r"'.+|=\s*\".*\"|=\s*TEXT\(.*\)", re.IGNORECASE)
KEEP_TEXT = (
    "format the column as text before the ids go in (Excel: Data, From Text/CSV, type Text; LibreOffice: type Text in "
    "the import dialogue), and save the file again"
)
"""The remedy for ids that a spreadsheet has made numbers of."""


def read_cells(cells: Mapping[str, str], index: int, line: int) -> tuple[Camera, list[RowProblem]]:
    """Return the camera that a row describes by column, and what is wrong with its cells.

    Empty cells, and such as cannot be read, take their defaults. `line`: of the file, from 1; 0: it is of none.
    """
    values: dict[str, object] = {}
    problems: list[RowProblem] = []
    for name, cell in cells.items():
        if name in ("required", "push", "enabled"):
            if cell.lower() in _TRUE | _FALSE:
                values[name] = cell.lower() in _TRUE
            elif cell:
                allowed = "true, false, 1, 0, yes, no, 是, 否 or empty"
                problems.append(RowProblem(index, name, cell[:SHOWN_CHARS], f"allowed: {allowed}", line))
        elif name in _ENUMS:
            enum = _ENUMS[name]
            if cell and cell not in set(enum):
                problems.append(RowProblem(index, name, cell[:SHOWN_CHARS], f"allowed: {', '.join(enum)}", line))
            elif cell:
                values[name] = enum(cell)
        else:
            values[name] = cell
    # A cell that could not be read takes its default, so that the rest of the row is checked as well.
    return Camera(**{"camera_id": "", "url": "", **values}), problems  # type: ignore[arg-type]


def spreadsheet_problem(text: str) -> str:
    """Say what a spreadsheet has done to an id; empty if nothing can be seen."""
    if _SCIENTIFIC.fullmatch(text):
        return f"a spreadsheet has made a number of the id, and its last digits are lost; {KEEP_TEXT}"
    if _SPREADSHEET_TEXT.fullmatch(text):
        return "a spreadsheet's mark for text is part of the id; remove the leading ' or the =\"...\" around it"
    return ""
