"""Reads and writes CSV and JSON Lines row by row, so that memory does not grow with the file.

Cells are strings under the file's own column names; gbt28181 and registry_rules give them a meaning. Files are UTF-8,
with or without a byte order mark, or GB 18030 as Excel writes it in China.
"""

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from engine.csv_cells import CsvWriter, unguarded
from engine.errors import RegistryError
from engine.redact import redact

ROWS_MAX = 1_000_000
_CELL_CHARS_MAX = 4096
_LINE_CHARS_MAX = 65_536
_CHUNK_BYTES = 1 << 20
_SHOWN_CHARS = 80
_CHECKED_NAMES_MAX = 1000
_SURROGATE = re.compile("[\ud800-\udfff]")

_FOREIGN = {
    b"PK\x03\x04": "a workbook (.xlsx, .ods) or another ZIP file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    codecs.BOM_UTF16_LE: "UTF-16 text",
    codecs.BOM_UTF16_BE: "UTF-16 text",
}
"""First bytes of files that spreadsheets write and this does not read, and what they are."""

CheckNames = Callable[[Iterable[str]], None]
"""Raises RegistryError if these cannot be the columns of a file."""


class FileFormat(StrEnum):
    """The format of a file."""

    CSV = "csv"
    JSONL = "jsonl"


_FORMATS = {".csv": FileFormat.CSV, ".jsonl": FileFormat.JSONL, ".ndjson": FileFormat.JSONL}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row. `line` counts from 1. `problem`: column, value and message if the row could not be read at all."""

    index: int
    line: int
    cells: Mapping[str, str]
    problem: tuple[str, str, str] | None = None


def format_of(path: Path) -> FileFormat:
    """Return the format by the suffix of the file; CSV for unknown suffixes."""
    return _FORMATS.get(path.suffix.lower(), FileFormat.CSV)


def detect_encoding(file: BinaryIO) -> str:
    """Return the encoding that can decode the whole file; leave the file at its beginning. Raises RegistryError."""
    file.seek(0)
    begin = file.read(len(max(_FOREIGN, key=len)))
    for magic, what in _FOREIGN.items():
        if begin.startswith(magic):
            raise RegistryError(f"the file is {what}; save it as CSV UTF-8 (Excel: Save As, CSV UTF-8)")
    for encoding in ("utf-8-sig", "gb18030"):
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        finally:
            file.seek(0)
        return encoding
    raise RegistryError("the file is neither UTF-8 nor GB 18030 (GBK); save it as UTF-8")


def read_rows(file: TextIO, file_format: FileFormat, check_names: CheckNames) -> Iterator[FileRow]:
    """Yield the rows of a file.

    Raises RegistryError if it cannot be read on: bad header or quotes, an endless line, or more than ROWS_MAX rows.
    """
    rows = _csv_rows(file, check_names) if file_format is FileFormat.CSV else _jsonl_rows(file, check_names)
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


def _csv_rows(file: TextIO, check_names: CheckNames) -> Iterator[FileRow]:
    csv.field_size_limit(_CELL_CHARS_MAX)
    reader = csv.reader(_lines(file), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        try:
            check_names(header)
        except RegistryError as error:
            raise RegistryError(f"line 1: {error}") from error
        line = reader.line_num + 1
        for index, row in enumerate(reader):
            first_line, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if len(row) == len(header):
                yield FileRow(
                    index, first_line, dict(zip(header, (unguarded(cell.strip()) for cell in row), strict=True))
                )
            else:
                message = f"{len(row)} cells, the header has {len(header)}; add or remove commas"
                yield FileRow(index, first_line, {}, ("", redact(",".join(row))[:_SHOWN_CHARS], message))
    except csv.Error as error:
        raise RegistryError(f"line {reader.line_num}: not CSV: {error}; check the quotes in this line") from error


def _jsonl_rows(file: TextIO, check_names: CheckNames) -> Iterator[FileRow]:
    checked: dict[tuple[str, ...], str] = {}
    for index, text in enumerate(_lines(file)):
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
            cells, problem = {}, ("", redact(text.strip())[:_SHOWN_CHARS], _line_problem(error))
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


def _lines(file: TextIO) -> Iterator[str]:
    """Yield lines of bounded length, so that a file without line ends cannot fill the memory. Raises RegistryError."""
    number = 0
    while line := file.readline(_LINE_CHARS_MAX):
        number += 1
        if len(line) == _LINE_CHARS_MAX and not line.endswith("\n"):
            raise RegistryError(f"line {number}: more than {_LINE_CHARS_MAX} characters; break it into rows")
        yield line


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
