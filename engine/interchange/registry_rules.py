"""The registry's rules. Pure. Every bad row is named with line, column, value and what is allowed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from engine.errors import SourceRefusedError
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.hours import parse_hours
from engine.model.registry import RowProblem
from engine.redact import MASK, redact

_TEXT_CHARS_MAX = {
    "name": 200,
    "site_id": 64,
    "site_name": 200,
    "uplink": 200,
    "hours": 64,
    "platform_status": 64,
}
_ENUMS: dict[str, type[KeyPoint] | type[SiteKind]] = {"key_point": KeyPoint, "site_kind": SiteKind}
_REGION = re.compile(r"(\d{2}){0,3}", re.ASCII)
_TRUE = {"true", "1", "yes", "是"}
_FALSE = {"false", "0", "no", "否"}
_SHOWN_CHARS = 80

CheckUrl = Callable[[str], None]
"""Raises SourceRefusedError for a URL that is not allowed."""


class RowReader:
    """The rows of one file: each by itself, and none twice."""

    def __init__(self, check_url: CheckUrl) -> None:
        self._check_url = check_url
        self._seen: dict[str, int] = {}

    def read(self, cells: Mapping[str, str], index: int, line: int) -> tuple[Camera, list[RowProblem]]:
        """A camera from the cells of a row, by column; missing and empty ones take their defaults."""
        camera, problems = _read_row(cells, index, line)
        problems += _problems(camera, index, line, self._check_url)
        earlier = self._seen.setdefault(camera.camera_id, line)
        if earlier != line:
            message = f"stands twice, first in line {earlier}; an id may stand once; remove one of the two"
            problems.append(RowProblem(index, "camera_id", camera.camera_id[:_SHOWN_CHARS], message, line))
        return camera, problems


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


def restore_passwords(cameras: Iterable[Camera], urls: Mapping[str, str]) -> tuple[list[Camera], list[RowProblem]]:
    """Put passwords back that an export or a reply has taken out. `urls`: of the cameras that are known, by id.

    A URL that holds `***` stands for the known one if that looks the same without its passwords: then nothing but the
    password is taken from it. Otherwise there is nothing to put back, and the row is named.
    """
    restored: list[Camera] = []
    problems: list[RowProblem] = []
    for index, camera in enumerate(cameras):
        known = urls.get(camera.camera_id, "")
        if MASK not in camera.url or camera.url == known:
            restored.append(camera)
        elif redact(known) == camera.url:
            restored.append(replace(camera, url=known))
        else:
            restored.append(camera)
            message = (
                f"{MASK} stands for the password of a known camera with this very URL, and camera "
                f"{camera.camera_id[:_SHOWN_CHARS]!r} has none such; give the URL with its password"
            )
            problems.append(RowProblem(index, "url", redact(camera.url)[:_SHOWN_CHARS], message))
    return restored, problems


def _read_row(cells: Mapping[str, str], index: int, line: int) -> tuple[Camera, list[RowProblem]]:
    values: dict[str, object] = {}
    problems: list[RowProblem] = []
    for name, cell in cells.items():
        if name in ("required", "push", "enabled"):
            if cell.lower() in _TRUE | _FALSE:
                values[name] = cell.lower() in _TRUE
            elif cell:
                allowed = "true, false, 1, 0, yes, no, 是, 否 or empty"
                problems.append(RowProblem(index, name, cell[:_SHOWN_CHARS], f"allowed: {allowed}", line))
        elif name in _ENUMS:
            words = _ENUMS[name]
            if cell and cell not in set(words):
                problems.append(RowProblem(index, name, cell[:_SHOWN_CHARS], f"allowed: {', '.join(words)}", line))
            elif cell:
                values[name] = words(cell)
        else:
            values[name] = cell
    # What could not be read takes its default, so that the rest of the row is checked as well.
    return Camera(**{"camera_id": "", "url": "", **values}), problems  # type: ignore[arg-type]


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
        if len(value) > longest or not value.isprintable() or value != value.strip():
            bad(column, value, f"allowed: at most {longest} printable characters, no blank at either end")
    return problems
