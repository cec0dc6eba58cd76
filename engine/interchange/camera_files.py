"""Reads and writes CSV and JSON Lines row by row, so that memory does not grow with the file.

Cells are strings under the file's own column names; engine.rows and registry_rules give them a meaning.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from engine.csv_cells import CsvWriter
from engine.errors import RegistryError
from engine.redact import redact
from engine.rows.csv_rows import ROWS_MAX, SHOWN_CHARS, CheckNames, FileRow, csv_rows, lines_of

_CHECKED_NAMES_MAX = 1000
_SURROGATE = re.compile("[\ud800-\udfff]")


class FileFormat(StrEnum):
    """The format of a file."""

    CSV = "csv"
    JSONL = "jsonl"


_FORMATS = {".csv": FileFormat.CSV, ".jsonl": FileFormat.JSONL, ".ndjson": FileFormat.JSONL}


def format_of(path: Path) -> FileFormat:
    """Return the format by the suffix of the file; CSV for unknown suffixes."""
    return _FORMATS.get(path.suffix.lower(), FileFormat.CSV)


def read_rows(file: TextIO, file_format: FileFormat, check_names: CheckNames) -> Iterator[FileRow]:
    """Yield the rows of a file.

    Raises RegistryError if it cannot be read on: bad header or quotes, an endless line, or more than ROWS_MAX rows.
    """
    rows = csv_rows(file, check_names) if file_format is FileFormat.CSV else _jsonl_rows(file, check_names)
    for row in rows:
        if row.index >= ROWS_MAX:
            raise RegistryError(f"line {row.line}: more than {ROWS_MAX} rows; split the file")
        yield row


class RowWriter:
    """Writes rows of the same columns to a file."""

    def __init__(self, file: TextIO, file_format: FileFormat, columns: Sequence[str]) -> None:
        self._file = file
        self._columns = columns
        self._csv = CsvWriter(file) if file_format is FileFormat.CSV else None
        if self._csv is not None:
            self._csv.row(columns)

    def write(self, row: Mapping[str, object]) -> None:
        """Write a row. In CSV true and false are lower case, None is empty, and no text is a formula."""
        if self._csv is not None:
            self._csv.row(_cell(row[name]) for name in self._columns)
        else:
            ordered = {name: row[name] for name in self._columns}
            self._file.write(json.dumps(ordered, ensure_ascii=False, separators=(",", ":")) + "\n")


def _jsonl_rows(file: TextIO, check_names: CheckNames) -> Iterator[FileRow]:
    checked: dict[tuple[str, ...], str] = {}
    for index, text in enumerate(lines_of(file)):
        if not text.strip():
            continue
        try:
            cells = _cells(json.loads(text))
            if "\\u" in text and any(_SURROGATE.search(cell) for cell in cells.values()):
                raise ValueError("half a character (an escape from \\ud800 to \\udfff); mend the line")
            # Most lines have the same names; each distinct set is checked once.
            key = tuple(cells)
            if key not in checked:
                if len(checked) >= _CHECKED_NAMES_MAX:
                    checked.clear()
                checked[key] = _names_problem(check_names, key)
            problem = ("", "", checked[key]) if checked[key] else None
        except (ValueError, RecursionError) as error:
            cells, problem = {}, ("", redact(text.strip())[:SHOWN_CHARS], _line_problem(error))
        yield FileRow(index, index + 1, {} if problem else cells, problem)


def _cells(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError('one JSON object a line is wanted, like {"camera_id": "a", "url": "rtsp://host/1"}')
    cells: dict[str, str] = {}
    for name, cell in value.items():
        if isinstance(cell, bool):
            cells[name] = str(cell).lower()
        elif isinstance(cell, int | float | str):
            cells[name] = str(cell).strip()
        elif cell is not None:
            raise ValueError(f"{name!r}: allowed: text, a number, true, false or null; take it out of its brackets")
    return cells


def _names_problem(check_names: CheckNames, names: Iterable[str]) -> str:
    try:
        check_names(names)
    except RegistryError as error:
        return str(error)
    return ""


def _line_problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at character {error.pos + 1}: {error.msg}; mend the line"
    return "nested too deeply; one flat object a line is wanted" if isinstance(error, RecursionError) else str(error)


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
