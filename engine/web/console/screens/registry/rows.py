"""Reads an uploaded CSV of cameras in bounded steps: good rows as messages, bad rows with what is wrong where."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.errors import InvalidArgumentError, RegistryError
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.redact import redact, redact_url
from engine.rows.cells import read_cells
from engine.rows.csv_rows import FileRow, csv_rows, detect_encoding
from engine.rows.gbt28181 import check_names, to_registry_row
from engine.web.console import names
from patrol.v1 import cameras_pb2

ROWS_MAX = 200_000
"""Rows of one import, as in ImportCameras."""
PROBLEMS_MAX = 10_000
_SHOWN_CHARS = 80
_KEY_POINTS = {point: getattr(cameras_pb2, f"KEY_POINT_{point.name}") for point in KeyPoint}
_SITE_KINDS = {kind: getattr(cameras_pb2, f"SITE_KIND_{kind.name}") for kind in SiteKind}
_COLUMN_OF_FIELD = {"name": "camera_id", "display_name": "name", "disabled": "enabled"}


class Problem(NamedTuple):
    """What is wrong with a cell. `line`: of the file, from 1. `column`: as the file names it; empty: the whole row."""

    line: int
    column: str
    value: str
    message: str


class GoodRow(NamedTuple):
    """A row that can be sent. `given`: the file's name of each column of the registry."""

    line: int
    camera: cameras_pb2.Camera
    given: dict[str, str]


@dataclass
class Found:
    """What reading a file has found. `notes`: what is left out or changed, with the number of rows."""

    rows: int = 0
    problems: list[Problem] = field(default_factory=list)
    bad_lines: set[int] = field(default_factory=set)
    notes: dict[str, int] = field(default_factory=dict)

    def add(self, problem: Problem) -> None:
        """Keep a problem; of more than PROBLEMS_MAX only the line."""
        self.bad_lines.add(problem.line)
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


def file_rows(data: bytes) -> Iterator[FileRow]:
    """Yield the rows of a CSV. Raises InvalidArgumentError if it cannot be read on."""
    file = io.BytesIO(data)
    try:
        text = io.TextIOWrapper(file, encoding=detect_encoding(file), newline="")
        for row in csv_rows(text, check_names):
            if row.index >= ROWS_MAX:
                raise RegistryError(f"line {row.line}: more than {ROWS_MAX} rows; split the file")
            yield row
    except RegistryError as error:
        raise InvalidArgumentError("file", str(error)) from error


def good_rows(data: bytes, found: Found) -> Iterator[GoodRow]:
    """Yield the rows that can be sent; the others are in `found`. What only the engine knows is not checked here."""
    line_of: dict[str, int] = {}
    given: dict[str, str] = {}
    for row in file_rows(data):
        found.rows += 1
        good = _read(row, found)
        if good is None:
            continue
        earlier = line_of.setdefault(good.camera.name, row.line)
        if earlier != row.line:
            message = f"appears twice, first in line {earlier}; an id may appear once; remove one of the two"
            value = names.camera_id(good.camera.name)[:_SHOWN_CHARS]
            found.add(Problem(row.line, good.given.get("camera_id", "camera_id"), value, message))
            continue
        given = given if given == good.given else good.given  # rows share it, since they are many
        yield good._replace(given=given)


def told_by_engine(problem: cameras_pb2.RowProblem, line: int, given: dict[str, str]) -> Problem:
    """Return a problem that the engine has found, at the file's own line and column."""
    column = _COLUMN_OF_FIELD.get(problem.field, problem.field)
    return Problem(line, given.get(column, column), problem.value, problem.message)


def shown_cell(column: str, cell: str) -> str:
    """Return a cell for people: without passwords, and not longer than a table takes."""
    if "://" in cell:
        cell = redact_url(cell)
    elif column in ("url", "sub_url"):
        cell = redact(cell)
    return cell[: 2 * _SHOWN_CHARS]


def _read(row: FileRow, found: Found) -> GoodRow | None:
    if row.problem is not None:
        found.add(Problem(row.line, *row.problem))
        return None
    registry_row = to_registry_row(row.cells)
    for note in registry_row.notes:
        found.notes[note] = found.notes.get(note, 0) + 1
    for column, value, message in registry_row.problems:
        found.add(Problem(row.line, column, value[:_SHOWN_CHARS], message))
    camera, problems = read_cells(registry_row.cells, row.index, row.line)
    for problem in problems:
        column = registry_row.given.get(problem.column, problem.column)
        found.add(Problem(row.line, column, problem.value, problem.message))
    if not camera.camera_id:
        found.add(Problem(row.line, registry_row.given.get("camera_id", "camera_id"), "", "is empty; write the id"))
    if row.line in found.bad_lines:
        return None
    return GoodRow(row.line, _message(camera), registry_row.given)


def _message(camera: Camera) -> cameras_pb2.Camera:
    return cameras_pb2.Camera(
        name=names.camera_name(camera.camera_id),
        display_name=camera.name,
        url=camera.url,
        site_id=camera.site_id,
        site_name=camera.site_name,
        site_kind=_SITE_KINDS[camera.site_kind],
        region=camera.region,
        key_point=_KEY_POINTS[camera.key_point],
        required=camera.required,
        uplink=camera.uplink,
        hours=camera.hours,
        platform_status=camera.platform_status,
        push=camera.push,
        disabled=not camera.enabled,
        sub_url=camera.sub_url,
    )
