"""Checks cameras against the rules of the registry. Pure. A problem names line, column, value and what is allowed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from engine.errors import SourceRefusedError
from engine.model.camera import Camera
from engine.model.hours import parse_hours
from engine.model.registry import RowProblem
from engine.redact import MASK, redact, redact_url
from engine.rows.cells import KEEP_TEXT, SHOWN_CHARS, read_cells, spreadsheet_problem

_TEXT_CHARS_MAX = {
    "name": 200,
    "site_id": 64,
    "site_name": 200,
    "uplink": 200,
    "hours": 64,
    "platform_status": 64,
}
_REGION = re.compile(r"(\d{2}){0,3}", re.ASCII)
_ID_COLUMNS = ("camera_id", "site_id", "uplink")
CheckUrl = Callable[[str], None]
"""Raises SourceRefusedError if the URL is not allowed."""


class RowReader:
    """Reads the rows of one file: checks each by itself, and that no camera id is repeated."""

    def __init__(self, check_url: CheckUrl) -> None:
        self._check_url = check_url
        self._line_of: dict[str, int] = {}

    def read(self, cells: Mapping[str, str], index: int, line: int) -> tuple[Camera, list[RowProblem]]:
        """Build a camera from the cells of a row, by column; return it with its problems.

        Missing and empty cells take their defaults, and so do those that cannot be read: the rest of the row is still
        checked.
        """
        camera, problems = read_cells(cells, index, line)
        problems += _problems(camera, index, line, self._check_url)
        earlier = self._line_of.setdefault(camera.camera_id, line)
        if earlier != line:
            message = f"appears twice, first in line {earlier}; an id may appear once; remove one of the two"
            if was_rounded(camera.camera_id):
                message += f"; if their last digits were others once, a spreadsheet has rounded them: {KEEP_TEXT}"
            problems.append(RowProblem(index, "camera_id", camera.camera_id[:SHOWN_CHARS], message, line))
        return camera, problems


def was_rounded(code: str) -> bool:
    """Whether a spreadsheet may have rounded this code: of 20 digits it keeps 15, and writes 0 for the rest."""
    return len(code) == 20 and code.isascii() and code.isdecimal() and code.endswith("00000")


def check_cameras(cameras: Sequence[Camera], check_url: CheckUrl) -> list[RowProblem]:
    """Return what is wrong with cameras that are already objects, by index."""
    problems: list[RowProblem] = []
    index_of: dict[str, int] = {}
    for index, camera in enumerate(cameras):
        problems += _problems(camera, index, 0, check_url)
        first = index_of.setdefault(camera.camera_id, index)
        if first != index:
            message = f"appears twice, first as number {first}; an id may appear once; remove one of the two"
            problems.append(RowProblem(index, "camera_id", camera.camera_id[:SHOWN_CHARS], message))
    return problems


def is_masked(camera: Camera) -> bool:
    """Return whether a password in a URL of this camera is masked."""
    return MASK in camera.url or MASK in camera.sub_url


def masked(camera: Camera) -> Camera:
    """Return the camera with the passwords in its URLs masked."""
    return replace(camera, url=redact_url(camera.url), sub_url=redact_url(camera.sub_url) if camera.sub_url else "")


def restore_passwords(
    cameras: Iterable[Camera], urls: Mapping[str, tuple[str, str]]
) -> tuple[list[Camera], list[RowProblem]]:
    """Restore the passwords that an export or a reply has masked; return the cameras, and problems where that fails.

    `urls`: `url` and `sub_url` of the cameras in the registry, by id. A URL with `***` stands for the registered one if
    that is the same once its passwords are masked, so that a password never gets to another URL.
    """
    restored: list[Camera] = []
    problems: list[RowProblem] = []
    for index, camera in enumerate(cameras):
        known_url, known_sub_url = urls.get(camera.camera_id, ("", ""))
        given_url, given_sub_url = camera.url, camera.sub_url
        url = given_url if MASK not in given_url else _restored("url", camera, given_url, known_url, index, problems)
        sub_url = given_sub_url
        if MASK in given_sub_url:
            sub_url = _restored("sub_url", camera, given_sub_url, known_sub_url, index, problems)
        unchanged = url is given_url and sub_url is given_sub_url
        restored.append(camera if unchanged else replace(camera, url=url, sub_url=sub_url))
    return restored, problems


def _restored(column: str, camera: Camera, url: str, known_url: str, index: int, problems: list[RowProblem]) -> str:
    """Return the registered URL that a masked one stands for; the masked one, with a problem added, if it is none."""
    if known_url and known_url == url:  # no key opened it
        return url
    if redact(known_url) == url:
        return known_url
    message = (
        f"{MASK} stands for the password of a registered camera with exactly this URL, and camera "
        f"{camera.camera_id[:SHOWN_CHARS]!r} is none; give the URL with its password"
    )
    problems.append(RowProblem(index, column, redact_url(url)[:SHOWN_CHARS], message))
    return url


def _problems(camera: Camera, index: int, line: int, check_url: CheckUrl) -> list[RowProblem]:
    problems: list[RowProblem] = []

    def bad(column: str, value: str, message: str) -> None:
        shown = redact_url(value) if column in ("url", "sub_url") else redact(value)
        problems.append(RowProblem(index, column, shown[:SHOWN_CHARS], message, line))

    camera_id = camera.camera_id
    if not 1 <= len(camera_id) <= 64 or not camera_id.isprintable() or camera_id != camera_id.strip():
        bad("camera_id", camera_id, "allowed: 1 to 64 printable characters, none of them blank at either end")
    for column in _ID_COLUMNS:
        problem = spreadsheet_problem(getattr(camera, column))
        if problem:
            bad(column, getattr(camera, column), problem)
    if camera.url or not camera.push:
        try:
            check_url(camera.url)
        except SourceRefusedError as error:
            bad("url", camera.url, str(error))
    if camera.sub_url:
        problem = _sub_stream_problem(camera, check_url)
        if problem:
            bad("sub_url", camera.sub_url, problem)
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


def _sub_stream_problem(camera: Camera, check_url: CheckUrl) -> str:
    """Say what is wrong with the URL of a sub-stream; empty if nothing is.

    It is on the host of the main stream: caps, outages and pauses of a platform count for both, and a password that a
    camera has goes to no other machine.
    """
    if camera.push:
        return "allowed: empty with push: its gateway sends one stream, and nobody visits it; delete one of the two"
    try:
        check_url(camera.sub_url)
    except SourceRefusedError as error:
        return str(error)
    if camera.sub_url == camera.url:
        return "allowed: another URL than that of the main stream, or empty; delete it, or give the sub-stream's"
    host = _host_of(camera.url)
    if host is not None and _host_of(camera.sub_url) != host:
        return f"allowed: a stream on the host of the main one, {host or 'this machine'!r}; correct it"
    return ""


def _host_of(url: str) -> str | None:
    """Return the host in lower case, "" for a file; None if the URL cannot be parsed, which `check_url` says."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return None
