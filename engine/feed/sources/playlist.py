"""Reads HLS playlists (RFC 8216): which variant, which segments, which keys. Pure.

Only what a visit needs: the first variant with a picture, and its segments in order. What is not understood is skipped,
as the RFC demands.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

START = b"#EXTM3U"
PLAYLIST_BYTES_MAX = 1 << 20
_LINES_MAX = 20_000
_SEQUENCE_MAX = 1 << 63
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)(?:,|\Z)')


class PlaylistError(ValueError):
    """Raised for text that is no playlist that a visit can use; the message says why."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Part of a file: `size` bytes from `begin` on."""

    begin: int
    size: int


@dataclass(frozen=True, slots=True)
class Key:
    """How segments are encrypted (AES-128-CBC). `url`: of the key. `iv`: 16 bytes; None: the segment's number."""

    url: str
    iv: bytes | None


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a range of one. `key`: how it is encrypted; None: it is not."""

    url: str
    range: ByteRange | None
    key: Key | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `number`: its media sequence number. `start`: what comes before it (EXT-X-MAP); None: nothing."""

    number: int
    part: Part
    start: Part | None


@dataclass(frozen=True, slots=True)
class Playlist:
    """One playlist. `variant`: the URL of the first variant with a picture, if it lists variants; empty if it lists
    segments. `is_complete`: no more segments will come. `target_s`: the longest segment."""

    variant: str
    segments: tuple[Segment, ...]
    is_complete: bool
    target_s: float


def read_playlist(data: bytes, url: str) -> Playlist:
    """Return the playlist that was found at `url`. Raises PlaylistError."""
    text = data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    lines = [line.strip() for line in text.splitlines()[: _LINES_MAX + 1]]
    if not lines or not lines[0].startswith(START.decode()):
        raise PlaylistError("it does not begin with #EXTM3U")
    if len(lines) > _LINES_MAX:
        raise PlaylistError(f"it has more than {_LINES_MAX} lines")
    if any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
        return Playlist(_first_variant(lines, url), (), False, 0.0)
    return _Reader(url).read(lines)


class _Reader:
    """What holds for the next segment, while the lines of a media playlist are read."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._number = 0
        self._key: Key | None = None
        self._start: Part | None = None
        self._next_byte: dict[str, int] = {}
        self._range_text = ""
        self._target_s = 0.0
        self._is_complete = False

    def read(self, lines: list[str]) -> Playlist:
        segments = []
        for line in lines:
            if line and not line.startswith("#"):
                segments.append(self._segment(line))
            else:
                tag, _, value = line.partition(":")
                self._read_tag(tag, value)
        return Playlist("", tuple(segments), self._is_complete, self._target_s)

    def _segment(self, line: str) -> Segment:
        url = _join(self._url, line)
        part = Part(url, self._take_range(url), self._key)
        segment = Segment(self._number, part, self._start)
        self._number += 1
        return segment

    def _take_range(self, url: str) -> ByteRange | None:
        text, self._range_text = self._range_text, ""
        if not text:
            return None
        size, _, begin = text.partition("@")
        found = ByteRange(_number(begin) if begin else self._next_byte.get(url, 0), _number(size))
        self._next_byte = {url: found.begin + found.size}
        return found

    def _read_tag(self, tag: str, value: str) -> None:
        if tag == "#EXT-X-TARGETDURATION":
            self._target_s = float(min(_number(value.partition(".")[0]), 3600))
        elif tag == "#EXT-X-MEDIA-SEQUENCE":
            self._number = _number(value)
        elif tag == "#EXT-X-ENDLIST":
            self._is_complete = True
        elif tag == "#EXT-X-BYTERANGE":
            self._range_text = value
        elif tag == "#EXT-X-KEY":
            self._key = self._read_key(dict(_attributes(value)))
        elif tag == "#EXT-X-MAP":
            attributes = dict(_attributes(value))
            url = _join(self._url, attributes.get("URI", ""))
            size, _, begin = attributes.get("BYTERANGE", "").partition("@")
            part = ByteRange(_number(begin or "0"), _number(size)) if size else None
            self._start = Part(url, part, self._key)

    def _read_key(self, attributes: dict[str, str]) -> Key | None:
        method = attributes.get("METHOD", "")
        if method == "NONE":
            return None
        if method != "AES-128":
            raise PlaylistError(f"its segments are encrypted with {method[:40]!r}; supported: AES-128")
        text = attributes.get("IV", "").lower().removeprefix("0x")
        try:
            iv = bytes.fromhex(text.zfill(32)) if text else None
        except ValueError as error:
            raise PlaylistError("the IV of its key is no number") from error
        if iv is not None and len(iv) != 16:
            raise PlaylistError("the IV of its key is longer than 16 bytes")
        return Key(_join(self._url, attributes.get("URI", "")), iv)


def _first_variant(lines: list[str], url: str) -> str:
    """Return the URL of the first variant with a resolution; of the first, if none says one. Raises PlaylistError."""
    first = ""
    attributes: dict[str, str] | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            attributes = dict(_attributes(line.partition(":")[2]))
        elif line and not line.startswith("#") and attributes is not None:
            if "RESOLUTION" in attributes:
                return _join(url, line)
            first = first or _join(url, line)
            attributes = None
    if not first:
        raise PlaylistError("it lists variants without a URL")
    return first


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for match in _ATTRIBUTE.finditer(text):
        yield match[1], match[2].strip('"')


def _number(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) < _SEQUENCE_MAX):
        raise PlaylistError(f"{text[:40]!r} is no number")
    return int(text)


def _join(base: str, uri: str) -> str:
    if not uri:
        raise PlaylistError("a URI is missing")
    try:
        return urljoin(base, uri)
    except ValueError as error:
        raise PlaylistError(f"a URI is none: {error}") from error
