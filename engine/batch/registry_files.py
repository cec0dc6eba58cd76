"""Reads cameras from files and writes them to files, row by row, so that memory does not grow with the file."""

import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from engine.config.schema import Settings
from engine.errors import ConfigError, RegistryError
from engine.feed.camera_url import check_url
from engine.interchange.camera_files import FileFormat, RowWriter, format_of, read_rows
from engine.interchange.regions import hebei
from engine.interchange.registry_rules import RowReader, was_rounded
from engine.interchange.stream_url import StreamUrl
from engine.model.camera import Camera
from engine.model.registry import CameraStatus, RowProblem
from engine.rows.csv_rows import FileRow, detect_encoding
from engine.rows.gbt28181 import GB_COLUMNS, PARENT, REGISTRY_COLUMNS, check_names, to_gb, to_registry_row
from engine.terminal.formatting import state_of, utc_text, why_text

_FILE_BYTES_MAX = 512 * 1024 * 1024
_VERDICT_COLUMNS = (
    "verdict_state",
    "verdict_why",
    "verdict_since",
    "verdict_at",
    "verdict_sharpness",
    "verdict_exposure",
    "verdict_occlusion",
)


@dataclass(slots=True)
class FileReport:
    """What is in a file. `good`: number of good rows. `notes`: what is changed or left out when it is imported, by
    rows."""

    good: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)


class RegistryFile:
    """A file of cameras, CSV or JSON Lines, with the registry's columns or those of GB/T 28181. Each method reads it
    once."""

    def __init__(self, path: Path, settings: Settings, stream_url: StreamUrl | None = None) -> None:
        self._path = path
        self._format = format_of(path)
        self._schemes = settings.feed.schemes
        self._stream_url = stream_url
        self._mark: tuple[int, int, int] | None = None
        self._good = 0

    def check(self) -> FileReport:
        """Check every row. Raises ConfigError if the file cannot be opened, RegistryError if it cannot be parsed."""
        report = FileReport()
        for camera, problems, notes in self._rows():
            report.good += not problems
            report.problems += problems
            report.notes.update(notes)
            if camera.region.startswith("13") and camera.region not in hebei():
                report.notes[f"region {camera.region} is not in the table of Hebei"] += 1
            if not problems and was_rounded(camera.camera_id):
                report.notes[
                    "camera_id ends with 00000, as if a spreadsheet had rounded it; compare with the source"
                ] += 1
        self._good = report.good
        return report

    def cameras(self) -> Iterator[Camera]:
        """Yield the good rows that `check` found. Raises RegistryError if the file has changed since."""
        good = 0
        for camera, problems, _ in self._rows():
            if not problems:
                good += 1
                yield camera
        if good != self._good:
            raise self._changed()

    def _rows(self) -> Iterator[tuple[Camera, list[RowProblem], list[str]]]:
        rules = RowReader(partial(check_url, schemes=self._schemes))
        required = (
            ("camera_id",) if self._stream_url is not None or self._format is FileFormat.JSONL else ("camera_id", "url")
        )
        with self._opened() as file:
            for row in read_rows(file, self._format, partial(check_names, required=required)):
                yield self._read(row, rules)

    def _read(self, row: FileRow, rules: RowReader) -> tuple[Camera, list[RowProblem], list[str]]:
        if row.problem is not None:
            column, value, message = row.problem
            return Camera("", ""), [RowProblem(row.index, column, value, message, row.line)], []
        registry_row = to_registry_row(row.cells)
        cells = registry_row.cells
        if registry_row.problems:
            foreign = [
                RowProblem(row.index, column, value, message, row.line)
                for column, value, message in registry_row.problems
            ]
            return Camera("", ""), foreign, registry_row.notes
        if self._stream_url is not None and not cells.get("url"):
            cells["url"] = self._stream_url.of(cells.get("camera_id", ""), row.cells.get(PARENT, ""))
        camera, problems = rules.read(cells, row.index, row.line)
        named = [
            replace(problem, column=registry_row.given.get(problem.column, problem.column)) for problem in problems
        ]
        if "url" not in registry_row.given:
            named = [_without_url(problem) if problem.column == "url" else problem for problem in named]
        return camera, named, registry_row.notes

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise ConfigError(f"{self._path}: {error.strerror}; give the path of a CSV or JSON Lines file") from error
        with file:
            stat = os.fstat(file.fileno())
            if stat.st_size > _FILE_BYTES_MAX:
                raise RegistryError(f"{self._path}: more than {_FILE_BYTES_MAX} bytes; split it")
            mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if self._mark not in (None, mark):
                raise self._changed()
            self._mark = mark
            # The wrapper closes the file when it is garbage-collected, too.
            yield io.TextIOWrapper(file, encoding=detect_encoding(file), newline="")

    def _changed(self) -> RegistryError:
        return RegistryError(f"{self._path}: changed while it was read; import it again")


def read_registry(path: Path, settings: Settings) -> tuple[list[Camera], list[RowProblem]]:
    """Return all good cameras of a file, and what is wrong with the other rows."""
    file = RegistryFile(path, settings)
    problems = file.check().problems
    return list(file.cameras()), problems


def write_cameras(
    statuses: Iterable[CameraStatus], out: TextIO, file_format: FileFormat, *, gb_names: bool, with_verdict: bool
) -> int:
    """Write cameras, in the registry's columns or those of GB/T 28181; return how many there were."""
    columns = (*(GB_COLUMNS if gb_names else REGISTRY_COLUMNS), *(_VERDICT_COLUMNS if with_verdict else ()))
    writer = RowWriter(out, file_format, columns)
    number = 0
    for number, status in enumerate(statuses, 1):  # noqa: B007 (the last number is the count)
        camera = status.camera
        row = to_gb(camera) if gb_names else {name: getattr(camera, name) for name in REGISTRY_COLUMNS}
        writer.write(row | _verdict_cells(status) if with_verdict else row)
    return number


@contextmanager
def atomic_file(path: Path, file_format: FileFormat, *, private: bool) -> Iterator[TextIO]:
    """Open a new file that replaces `path` only when it is complete. CSV begins with a byte order mark, for Excel.

    `private`: only its owner may read it. Raises ConfigError if it cannot be written.
    """
    partial_path = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666)
        try:
            encoding = "utf-8-sig" if file_format is FileFormat.CSV else "utf-8"
            with os.fdopen(descriptor, "w", encoding=encoding, newline="") as file:
                yield file
            partial_path.replace(path)
        except BaseException:
            partial_path.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the path of a file that can be written") from error


def _without_url(problem: RowProblem) -> RowProblem:
    message = "the row has none; add a column url, or say with --stream-url where the platform serves its channels"
    return problem if problem.value else replace(problem, message=message)


def _verdict_cells(status: CameraStatus) -> dict[str, object]:
    latest = status.latest
    values: tuple[object, ...] = (state_of(latest), *(None for _ in _VERDICT_COLUMNS[1:]))
    if latest is not None:
        scores = latest.scores
        reason = ", ".join(latest.announced_kinds) or why_text(latest)
        times = (utc_text(latest.since_wall_ns), utc_text(latest.at_wall_ns))
        values = (state_of(latest), reason, *times, scores.sharpness, scores.exposure, scores.occlusion)
    return dict(zip(_VERDICT_COLUMNS, values, strict=True))
