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


def text_width(text: str) -> int:
    """Return the number of terminal columns that the text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
