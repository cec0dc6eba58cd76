"""Reads the rows of a CSV one by one, within bounds, so that memory does not grow with the file. Pure.

Files are UTF-8, with or without a byte order mark, or GB 18030 as Excel writes it in China.
"""

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from engine.csv_cells import unguarded
from engine.errors import RegistryError
from engine.redact import redact

ROWS_MAX = 1_000_000
_CELL_CHARS_MAX = 4096
_LINE_CHARS_MAX = 65_536
_CHUNK_BYTES = 1 << 20
SHOWN_CHARS = 80

_FOREIGN = {
    b"PK\x03\x04": "a workbook (.xlsx, .ods) or another ZIP file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    codecs.BOM_UTF16_LE: "UTF-16 text",
    codecs.BOM_UTF16_BE: "UTF-16 text",
}
"""First bytes of files that spreadsheets write and this does not read, and what they are."""

CheckNames = Callable[[Iterable[str]], None]
"""Raises RegistryError if these cannot be the columns of a file."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row. `line` counts from 1. `problem`: column, value and message if the row could not be read at all."""

    index: int
    line: int
    cells: Mapping[str, str]
    problem: tuple[str, str, str] | None = None


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


def csv_rows(file: TextIO, check_names: CheckNames) -> Iterator[FileRow]:
    """Yield the rows of a CSV. Raises RegistryError if it cannot be read on: bad header or quotes, an endless line."""
    csv.field_size_limit(_CELL_CHARS_MAX)
    reader = csv.reader(lines_of(file), strict=True)
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
                yield FileRow(index, first_line, {}, ("", redact(",".join(row))[:SHOWN_CHARS], message))
    except csv.Error as error:
        raise RegistryError(f"line {reader.line_num}: not CSV: {error}; check the quotes in this line") from error


def lines_of(file: TextIO) -> Iterator[str]:
    """Yield lines of bounded length, so that a file without line ends cannot fill the memory. Raises RegistryError."""
    number = 0
    while line := file.readline(_LINE_CHARS_MAX):
        number += 1
        if len(line) == _LINE_CHARS_MAX and not line.endswith("\n"):
            raise RegistryError(f"line {number}: more than {_LINE_CHARS_MAX} characters; break it into rows")
        yield line
