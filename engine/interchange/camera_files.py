"""Cameras in files: CSV and JSON Lines, a row at a time, so that a province takes no more memory than a school.

Cells come out as text under the file's own names; what they mean is said elsewhere (gbt28181, and the registry's
rules). UTF-8 with or without a byte order mark, or GB 18030 as Excel writes it in China.
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

from engine.errors import RegistryError
from engine.redact import redact

ROWS_MAX = 1_000_000
_CELL_CHARS_MAX = 4096
_LINE_CHARS_MAX = 65_536
_CHUNK_BYTES = 1 << 20
_SHOWN_CHARS = 80
_CHECKED_NAMES_MAX = 1000
_SURROGATE = re.compile("[\ud800-\udfff]")

CheckNames = Callable[[Iterable[str]], None]
"""Raises RegistryError for names that cannot be the columns of a file."""


class FileFormat(StrEnum):
    """What a file is written in."""

    CSV = "csv"
    JSONL = "jsonl"


_FORMATS = {".csv": FileFormat.CSV, ".jsonl": FileFormat.JSONL, ".ndjson": FileFormat.JSONL}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row, its line counted from 1. `problem`: column, value and sentence where it could not be read at all."""

    index: int
    line: int
    cells: Mapping[str, str]
    problem: tuple[str, str, str] | None = None


def file_format(path: Path) -> FileFormat:
    """By the suffix; what has another is CSV."""
    return _FORMATS.get(path.suffix.lower(), FileFormat.CSV)


def detect_encoding(file: BinaryIO) -> str:
    """The encoding that the whole file can be read with; leaves it at its beginning. Raises RegistryError."""
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


def read_rows(file: TextIO, form: FileFormat, check_names: CheckNames) -> Iterator[FileRow]:
    """The rows of a file. Raises RegistryError where no row can be had: a header, a quote, a line without an end."""
    rows = _csv_rows(file, check_names) if form is FileFormat.CSV else _jsonl_rows(file, check_names)
    for row in rows:
        if row.index >= ROWS_MAX:
            raise RegistryError(f"line {row.line}: more than {ROWS_MAX} rows; split the file")
        yield row


class RowWriter:
    """A file being written: every row has the same columns."""

    def __init__(self, file: TextIO, form: FileFormat, columns: Sequence[str]) -> None:
        self._file = file
        self._columns = columns
        self._csv = csv.writer(file) if form is FileFormat.CSV else None
        if self._csv is not None:
            self._csv.writerow(columns)

    def write(self, row: Mapping[str, object]) -> None:
        """Add a row. CSV: true and false in lower case, nothing for None."""
        if self._csv is not None:
            self._csv.writerow([_cell(row[name]) for name in self._columns])
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
                yield FileRow(index, first_line, dict(zip(header, (cell.strip() for cell in row), strict=True)))
            else:
                message = f"{len(row)} cells, the header has {len(header)}; add or remove commas"
                yield FileRow(index, first_line, {}, ("", redact(",".join(row))[:_SHOWN_CHARS], message))
    except csv.Error as error:
        raise RegistryError(f"line {reader.line_num}: not CSV: {error}; check the quotes in this line") from error


def _jsonl_rows(file: TextIO, check_names: CheckNames) -> Iterator[FileRow]:
    names: dict[tuple[str, ...], str] = {}
    for index, text in enumerate(_lines(file)):
        if not text.strip():
            continue
        try:
            cells = _cells(json.loads(text))
            if "\\u" in text and any(_SURROGATE.search(cell) for cell in cells.values()):
                raise ValueError("half a character (an escape from \\ud800 to \\udfff); mend the line")
            # Most lines have the same names; each set of them is looked at once.
            key = tuple(cells)
            if key not in names:
                if len(names) >= _CHECKED_NAMES_MAX:
                    names.clear()
                names[key] = _names_problem(check_names, key)
            problem = ("", "", names[key]) if names[key] else None
        except (ValueError, RecursionError) as error:
            cells, problem = {}, ("", redact(text.strip())[:_SHOWN_CHARS], _line_problem(error))
        yield FileRow(index, index + 1, {} if problem else cells, problem)


def _cells(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError('one JSON object a line is wanted, like {"camera_id": "a", "url": "rtsp://host/1"}')
    cells: dict[str, str] = {}
    for name, one in value.items():
        if isinstance(one, bool):
            cells[name] = str(one).lower()
        elif isinstance(one, int | float | str):
            cells[name] = str(one).strip()
        elif one is not None:
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
    """Lines of bounded length; a line without an end would fill the memory."""
    number = 0
    while line := file.readline(_LINE_CHARS_MAX):
        number += 1
        if len(line) == _LINE_CHARS_MAX and not line.endswith("\n"):
            raise RegistryError(f"line {number}: more than {_LINE_CHARS_MAX} characters; break it into rows")
        yield line


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
