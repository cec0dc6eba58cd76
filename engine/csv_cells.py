"""Keeps the cells of CSV files from being taken for formulas by a spreadsheet, and reads them back as they were. Pure.

Names come from other systems and from callers; a cell that begins with `=` would run on the machine of whoever opens
the file.
"""

import csv
import re
from collections.abc import Iterable
from typing import Protocol

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""The beginning of a formula; of the wide characters in Excel's East Asian versions. Also behind our own mark, so that
every cell comes back."""


class Writable(Protocol):
    """A text file, open for writing."""

    def write(self, text: str, /) -> object:
        """Write a text."""


class CsvWriter:
    """Writes CSV rows in which no text is a formula; numbers are written as they are."""

    def __init__(self, file: Writable) -> None:
        self._writer = csv.writer(file)

    def row(self, cells: Iterable[object]) -> None:
        """Write a row; None is an empty cell."""
        self._writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])

    def rows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write rows."""
        for cells in rows:
            self.row(cells)


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: with `'` before it if it looks like one."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return the cell that `guarded` was given; other cells as they are."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
