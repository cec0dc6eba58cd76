"""The registry's rules, and its CSV form. Pure. Every bad row is named with line, column, value and what is allowed."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from engine.errors import RegistryError, SourceRefusedError
from engine.hours import parse_hours
from engine.redact import redact
from engine.replies import RowProblem
from engine.types import Camera, KeyPoint, SiteKind

COLUMNS = tuple(one.name for one in fields(Camera))
REQUIRED_COLUMNS = ("camera_id", "url")
ROWS_MAX = 1_000_000
_FIELD_CHARS_MAX = 4096

_TEXT_CHARS_MAX = {
    "name": 200,
    "site_id": 64,
    "site_name": 200,
    "uplink": 200,
    "hours": 64,
    "platform_status": 64,
}
_WORDS: dict[str, type[KeyPoint] | type[SiteKind]] = {"key_point": KeyPoint, "site_kind": SiteKind}
_REGION = re.compile(r"(\d{2}){0,3}", re.ASCII)
_TRUE = {"true", "1", "yes", "是"}
_FALSE = {"false", "0", "no", "否"}
_SHOWN_CHARS = 80

CheckUrl = Callable[[str], None]
"""Raises SourceRefusedError for a URL that is not allowed."""


@dataclass(frozen=True, slots=True)
class CsvImport:
    """Good rows, and what is wrong with the others. `lines`: the line of each good row."""

    cameras: tuple[Camera, ...]
    problems: tuple[RowProblem, ...]


def decode_csv(raw: bytes) -> str:
    """Text of a CSV file: UTF-8 with or without a byte order mark, or GB 18030 as Excel writes it in China."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RegistryError("the file is neither UTF-8 nor GB 18030 (GBK); save it as UTF-8")


def read_csv(text: str, check_url: CheckUrl) -> CsvImport:
    """Cameras from CSV with a header of COLUMNS in any order; missing ones take their defaults.

    Raises RegistryError if the header cannot be used: then no row can be.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    csv.field_size_limit(_FIELD_CHARS_MAX)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        return _read_rows(reader, header, check_url)
    except csv.Error as error:
        raise RegistryError(f"line {reader.line_num}: not CSV: {error}; check the quotes in this line") from error


def write_csv(cameras: Sequence[Camera]) -> str:
    """The same cameras as CSV."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for camera in cameras:
        values = [getattr(camera, name) for name in COLUMNS]
        writer.writerow([str(value).lower() if isinstance(value, bool) else str(value) for value in values])
    return out.getvalue()


def check_cameras(cameras: Sequence[Camera], check_url: CheckUrl) -> list[RowProblem]:
    """What is wrong with cameras that came as values, by index."""
    problems: list[RowProblem] = []
    seen: dict[str, int] = {}
    for index, camera in enumerate(cameras):
        problems += _problems(camera, index, 0, check_url)
        first = seen.setdefault(camera.camera_id, index)
        if first != index:
            message = f"stands twice, first as number {first}; an id may stand once; remove one of the two"
            problems.append(RowProblem(index, "camera_id", camera.camera_id[:_SHOWN_CHARS], message))
    return problems


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if unknown or missing or twice:
        what = [
            *(f"unknown column {name!r}" for name in unknown),
            *(f"column {name!r} is missing" for name in missing),
            *(f"column {name!r} stands twice" for name in twice),
        ]
        raise RegistryError(f"line 1: {', '.join(what)}; allowed: {', '.join(COLUMNS)}; mend the header")


def _read_rows(reader: Any, header: list[str], check_url: CheckUrl) -> CsvImport:
    cameras: list[Camera] = []
    problems: list[RowProblem] = []
    seen: dict[str, int] = {}
    line = reader.line_num + 1
    for index, row in enumerate(reader):
        first_line, line = line, reader.line_num + 1
        if index >= ROWS_MAX:
            raise RegistryError(f"line {first_line}: more than {ROWS_MAX} rows; split the file")
        if not any(cell.strip() for cell in row):
            continue
        camera, bad = _read_row(row, header, index, first_line)
        if camera is not None:
            bad += _problems(camera, index, first_line, check_url)
            earlier = seen.setdefault(camera.camera_id, first_line)
            if earlier != first_line:
                message = f"stands twice, first in line {earlier}; an id may stand once; remove one of the two"
                bad.append(RowProblem(index, "camera_id", camera.camera_id, message, first_line))
            if not bad:
                cameras.append(camera)
        problems += bad
    return CsvImport(tuple(cameras), tuple(problems))


def _read_row(row: list[str], header: list[str], index: int, line: int) -> tuple[Camera | None, list[RowProblem]]:
    if len(row) != len(header):
        message = f"{len(row)} cells, the header has {len(header)}; add or remove commas"
        return None, [RowProblem(index, "", ",".join(row)[:_SHOWN_CHARS], message, line)]
    values: dict[str, object] = {}
    problems: list[RowProblem] = []
    for name, cell in zip(header, (cell.strip() for cell in row), strict=True):
        if name in ("required", "push", "enabled"):
            if cell.lower() in _TRUE | _FALSE:
                values[name] = cell.lower() in _TRUE
            elif cell:
                allowed = "true, false, 1, 0, yes, no, 是, 否 or empty"
                problems.append(RowProblem(index, name, cell[:_SHOWN_CHARS], f"allowed: {allowed}", line))
        elif name in _WORDS:
            words = _WORDS[name]
            if cell and cell not in set(words):
                problems.append(RowProblem(index, name, cell[:_SHOWN_CHARS], f"allowed: {', '.join(words)}", line))
            elif cell:
                values[name] = words(cell)
        else:
            values[name] = cell
    # What could not be read takes its default, so that the rest of the row is checked as well.
    return Camera(**{"url": "", **values}), problems  # type: ignore[arg-type]


def _problems(camera: Camera, index: int, line: int, check_url: CheckUrl) -> list[RowProblem]:
    problems: list[RowProblem] = []

    def bad(column: str, value: str, message: str) -> None:
        problems.append(RowProblem(index, column, redact(value)[:_SHOWN_CHARS], message, line))

    camera_id = camera.camera_id
    if not 1 <= len(camera_id) <= 64 or not camera_id.isprintable() or camera_id != camera_id.strip():
        bad("camera_id", camera_id, "allowed: 1 to 64 printable characters, none of them blank at either end")
    if camera.url or not camera.push:
        try:
            check_url(camera.url)
        except SourceRefusedError as error:
            bad("url", camera.url, str(error))
    if not _REGION.fullmatch(camera.region):
        bad("region", camera.region, "allowed: a GB/T 2260 code of 2, 4 or 6 digits, or empty")
    try:
        parse_hours(camera.hours)
    except ValueError as error:
        bad("hours", camera.hours, f"{error}, or empty")
    for column, longest in _TEXT_CHARS_MAX.items():
        value: str = getattr(camera, column)
        if len(value) > longest or (value and not value.isprintable()):
            bad(column, value, f"allowed: at most {longest} printable characters")
    return problems
