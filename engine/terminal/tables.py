"""Prints tables on a terminal and plain lines on a pipe: a line per row, two blanks between columns, nothing cut."""

import unicodedata
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | Text


def show_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[Cell]], title: str = "") -> None:
    """Print a table; on a pipe, aligned lines (the title is left out)."""
    if not console.is_terminal:
        show_lines(console, columns, rows)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", row_styles=["", "on grey7"])
    for column in columns:
        numeric = column in ("sharp", "expo", "hidden", "size", "rows")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def show_lines(console: Console, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print aligned lines without box or colour; wide characters count as two columns, an empty cell is a dash."""
    texts = [list(columns), *([str(cell).replace("\n", " ") or "-" for cell in row] for row in rows)]
    widths = [max(map(text_width, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        line = "  ".join(cell + " " * (width - text_width(cell)) for cell, width in zip(row, widths, strict=True))
        console.out(line.rstrip(), highlight=False)


class LineTable:
    """Prints rows as they come, on a terminal and on a pipe alike. `columns`: names and widths, in terminal columns; a
    longer cell moves the rest of its line. The names come before the first row."""

    def __init__(self, console: Console, columns: Sequence[tuple[str, int]]) -> None:
        self._console = console
        self._head: Sequence[Cell] = [Text(name, style="bold") for name, _ in columns]
        self._widths = [max(width, text_width(name)) for name, width in columns]

    def add(self, row: Sequence[Cell]) -> None:
        """Print a row; an empty cell is a dash."""
        if self._head:
            head, self._head = self._head, ()
            self.add(head)
        line = Text()
        for cell, width in zip(row, self._widths, strict=True):
            text = str(cell).replace("\n", " ") or "-"
            line.append(text, style=cell.style if isinstance(cell, Text) else "")
            line.append(" " * (max(0, width - text_width(text)) + 2))
        line.rstrip()
        self._console.print(line, highlight=False, soft_wrap=True)


def text_width(text: str) -> int:
    """Return the number of terminal columns that the text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
