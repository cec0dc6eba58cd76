"""Records what one visit and its camera say to each other: lines with times, and sizes of what is no text. Pure.

RTSP with packets between its messages, HTTP, and whatever FFmpeg speaks through the relay. Passwords, tokens and
digests are masked, terminal escapes made harmless. A hostile server may send anything: lines, their length and their
number are bounded. A line is masked as a whole, in however many pieces it comes. Times are monotonic, in nanoseconds.
"""

import re

from engine.model.dialogue import Side, TraceLine
from engine.printable import printable
from engine.redact import MASK, without_secrets_of

LINES_MAX = 400
LINE_CHARS_MAX = 500
_LINE_BYTES_MAX = 8192
"""Of a line that are kept until it is masked and cut to LINE_CHARS_MAX; the rest is counted."""
_CHARS_MAX = 64 * 1024
_INTERLEAVED = 0x24
_PACKET_HEADER = 4
_DIGITS_MAX = 9
_TEXT_KINDS = ("text/", "application/sdp", "mpegurl", "json", "xml")
_CREDENTIALS = re.compile(r"\s*(?P<name>(?:proxy-)?authorization)\s*:\s*(?P<scheme>[A-Za-z]{1,20})?", re.IGNORECASE)
_DIGEST = re.compile(
    r"\b(?P<name>nonce|cnonce|nextnonce|opaque|response|rspauth)\s*=\s*(?:\"[^\"]*\"?|[^\s,;\"]+)", re.IGNORECASE
)
_SESSION = re.compile(r"^(?P<name>\s*(?:x-sessioncookie|session)\s*:\s*)[^;\s]+", re.IGNORECASE)
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that no line of a protocol has; an escape may stand in a hostile one, and is shown as `\\x1b`."""


class DialogueTrace:
    """The trace of one visit. `url`: the camera's, whose secrets are masked wherever they turn up."""

    def __init__(self, url: str, began_ns: int, lines_max: int = LINES_MAX) -> None:
        self._url = url
        self._began_ns = began_ns
        self._lines_max = lines_max
        self._lines: list[TraceLine] = []
        self._chars = 0
        self._left_out = 0
        self._sides = {side: _Reader(self, side) for side in (Side.ENGINE, Side.CAMERA)}

    def note(self, now_ns: int, text: str) -> None:
        """Note what the visit does."""
        for reader in self._sides.values():
            reader.say_counts()
        self.add(now_ns, Side.NOTE, text.encode())

    def connected(self, now_ns: int, text: str) -> None:
        """Note that a connection begins: what is said on it has nothing to do with the one before."""
        for reader in self._sides.values():
            reader.flush(now_ns)
        self.note(now_ns, text)
        self._sides = {side: _Reader(self, side) for side in self._sides}

    def sent(self, now_ns: int, data: bytes) -> None:
        """Add bytes that the engine sent."""
        self._sides[Side.CAMERA].say_counts()
        self._sides[Side.ENGINE].read(now_ns, data)

    def received(self, now_ns: int, data: bytes) -> None:
        """Add bytes that the camera sent."""
        self._sides[Side.ENGINE].say_counts()
        self._sides[Side.CAMERA].read(now_ns, data)

    def datagram(self, now_ns: int, size: int) -> None:
        """Add a datagram of `size` bytes that the camera sent."""
        self._sides[Side.CAMERA].count(now_ns, "datagrams", size)

    def lines(self, now_ns: int) -> list[TraceLine]:
        """Return all lines so far; the last says how many were left out, if any were."""
        for reader in self._sides.values():
            reader.flush(now_ns)
        lines = list(self._lines)
        if self._left_out:
            text = f"{self._left_out} more lines are left out; {len(lines)} are kept"
            lines.append(TraceLine(now_ns - self._began_ns, Side.NOTE, text))
        return lines

    def add(self, now_ns: int, side: Side, line: bytes) -> None:
        """Add a line, masked and cut; beyond the bounds count it."""
        if len(self._lines) >= self._lines_max or self._chars >= _CHARS_MAX:
            self._left_out += 1
            return
        text = self._masked(printable(line.decode("utf-8", "replace")))
        if len(text) > LINE_CHARS_MAX:
            text = f"{text[:LINE_CHARS_MAX]} ... ({len(text)} characters)"
        self._chars += len(text)
        self._lines.append(TraceLine(max(0, now_ns - self._began_ns), side, text))

    def _masked(self, text: str) -> str:
        credentials = _CREDENTIALS.match(text)
        if credentials is not None:
            return " ".join(filter(None, (f"{credentials['name']}:", credentials["scheme"], MASK)))
        text = _DIGEST.sub(rf"\g<name>={MASK}", text)
        text = _SESSION.sub(rf"\g<name>{MASK}", text)
        return without_secrets_of(self._url, text)


class _Reader:
    """Takes apart what one side says: lines of messages, bodies, packets between messages, other bytes."""

    def __init__(self, trace: DialogueTrace, side: Side) -> None:
        self._trace = trace
        self._side = side
        self._line = bytearray()
        self._is_overlong = False
        self._in_head = self._is_http = self._body_is_text = False
        self._body_left: int | None = 0
        """Bytes of the body that are to come; None: all until the connection ends."""
        self._packet = bytearray()
        self._packet_left = 0
        self._counts: dict[str, tuple[int, int]] = {}
        self._counted_ns = 0

    def read(self, now_ns: int, data: bytes) -> None:
        """Take the next bytes."""
        place = 0
        while place < len(data):
            place += self._step(now_ns, data, place)

    def count(self, now_ns: int, what: str, size: int, number: int = 1) -> None:
        """Count bytes that are no text; they become one line before the next line."""
        numbers, sizes = self._counts.get(what, (0, 0))
        self._counts[what] = numbers + number, sizes + size
        self._counted_ns = now_ns

    def flush(self, now_ns: int) -> None:
        """Make lines of what was counted, and of a line that has not ended."""
        if self._line:
            self._tell_line(now_ns)
        self.say_counts()

    def say_counts(self) -> None:
        """Make lines of what was counted."""
        counts, self._counts = self._counts, {}
        for what, (number, size) in counts.items():
            text = f"[{number:,} {what}, {size:,} bytes]" if what else f"[{size:,} bytes]"
            self._trace.add(self._counted_ns, self._side, text.encode())

    def _step(self, now_ns: int, data: bytes, place: int) -> int:
        """Take bytes of one kind, from `place` on; returns how many."""
        if self._packet or self._packet_left:
            return self._take_packet(now_ns, data, place)
        if not self._in_head and self._body_left != 0:
            return self._take_body(now_ns, data, place)
        if not self._line and data[place] == _INTERLEAVED:
            return self._take_packet(now_ns, data, place)
        return self._take_line(now_ns, data, place)

    def _take_packet(self, now_ns: int, data: bytes, place: int) -> int:
        if not self._packet_left:
            taken = data[place : place + _PACKET_HEADER - len(self._packet)]
            self._packet += taken
            if len(self._packet) == _PACKET_HEADER:
                self._packet_left = int.from_bytes(self._packet[2:])
                self.count(now_ns, f"packets on channel {self._packet[1]}", self._packet_left)
                self._packet.clear()
            return len(taken)
        size = min(self._packet_left, len(data) - place)
        self._packet_left -= size
        return size

    def _take_body(self, now_ns: int, data: bytes, place: int) -> int:
        size = len(data) - place
        if self._body_left is not None:
            size = min(self._body_left, size)
        end = -1
        if self._body_is_text:
            size = min(size, _LINE_BYTES_MAX)
            end = data.find(b"\n", place, place + size)
            size = end + 1 - place if end >= 0 else size
            self._extend(now_ns, data[place : place + size])
        else:
            self.count(now_ns, "", size, 0)
        if self._body_left is not None:
            self._body_left -= size
        if self._body_is_text and (end >= 0 or self._body_left == 0):
            self._tell_line(now_ns)
        return size

    def _take_line(self, now_ns: int, data: bytes, place: int) -> int:
        end = data.find(b"\n", place, place + _LINE_BYTES_MAX)
        piece = data[place : place + _LINE_BYTES_MAX] if end < 0 else data[place : end + 1]
        if _NOT_TEXT.search(piece) is not None:
            # No protocol of lines, or one that lost its place: the rest of this read is bytes. Half a line might show
            # half a secret.
            self.count(now_ns, "", len(self._line) + len(data) - place, 0)
            self._line.clear()
            return len(data) - place
        self._extend(now_ns, piece)
        if end >= 0:
            self._end_line(now_ns)
        return len(piece)

    def _extend(self, now_ns: int, piece: bytes) -> None:
        room = _LINE_BYTES_MAX - len(self._line)
        self._line += piece[:room]
        if len(piece) > room:
            self._is_overlong = True  # what is counted is told after the line, and not before
            self.count(now_ns, "", len(piece) - room, 0)

    def _end_line(self, now_ns: int) -> None:
        """A line outside of a body has ended."""
        line = self._tell_line(now_ns)
        if self._in_head:
            self._read_header(line)
        elif line:  # empty lines stand between messages
            self._begin_head(line)

    def _tell_line(self, now_ns: int) -> bytes:
        """Add the line to the trace, and return it."""
        line = bytes(self._line).rstrip(b"\r\n")
        self._line.clear()
        if not self._is_overlong:
            self.say_counts()
        self._is_overlong = False
        if line:
            self._trace.add(now_ns, self._side, line)
        return line

    def _begin_head(self, line: bytes) -> None:
        self._in_head = True
        self._is_http = line.startswith(b"HTTP/")
        self._body_is_text = not self._is_http  # a body of RTSP is a description, whether it says so or not
        self._body_left = None if self._is_http else 0

    def _read_header(self, line: bytes) -> None:
        if not line:
            self._in_head = False
            return
        name, _, value = line.decode("latin-1").partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "content-length" and value.isdecimal() and len(value) <= _DIGITS_MAX:
            self._body_left = int(value)
        elif name == "content-type":
            self._body_is_text = any(kind in value.lower() for kind in _TEXT_KINDS)
