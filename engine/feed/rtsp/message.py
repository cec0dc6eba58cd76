"""Formats RTSP requests and parses responses. Pure. Source: RFC 2326, sections 4 to 7 and 12."""

from dataclasses import dataclass

HEAD_BYTES_MAX = 16_384
BODY_BYTES_MAX = 65_536
_HEADERS_MAX = 100
_DIGITS_MAX = 9
_CONTROLS = dict.fromkeys((*range(0x20), 0x7F))


class MessageError(ValueError):
    """Raised when the peer's bytes are no RTSP message."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response, or a request of the server (`status` 0).

    Header names are in lower case. The values of a header that occurs several times are joined by line feeds.
    """

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


def request(method: str, url: str, sequence: int, headers: dict[str, str]) -> bytes:
    """Return the bytes of a request without a body. Control characters are left out: they would begin another line."""
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {sequence}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    printable = [line if line.isprintable() else line.translate(_CONTROLS) for line in lines]  # translating takes long
    return ("\r\n".join(printable) + "\r\n\r\n").encode()


def parse(data: bytes) -> tuple[Response, int] | None:
    """Return the message at the start of `data` and its length; None while it is incomplete.

    Raises MessageError if it is malformed or too long.
    """
    end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
    if end < 0:
        if len(data) >= HEAD_BYTES_MAX:
            raise MessageError(f"a head of more than {HEAD_BYTES_MAX} bytes")
        return None
    lines = data[:end].decode("utf-8", "replace").split("\r\n")
    headers = _parse_headers(lines[1:])
    length = headers.get("content-length", "0").partition("\n")[0].strip()
    if not length.isdecimal() or len(length) > _DIGITS_MAX or int(length) > BODY_BYTES_MAX:
        raise MessageError(f"a Content-Length of {length[:20]!r}; at most {BODY_BYTES_MAX} is allowed")
    total = end + 4 + int(length)
    if len(data) < total:
        return None
    status, reason = _parse_start_line(lines[0])
    return Response(status, reason, headers, data[end + 4 : total]), total


def _parse_start_line(line: str) -> tuple[int, str]:
    version, _, rest = line.partition(" ")
    if version.startswith("RTSP/"):
        code, _, reason = rest.partition(" ")
        if not code.isdecimal() or len(code) != 3:
            raise MessageError(f"a status line {line[:60]!r}")
        return int(code), reason[:100]
    if line.endswith("RTSP/1.0"):
        return 0, version[:20]
    raise MessageError(f"a first line {line[:60]!r}")


def _parse_headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > _HEADERS_MAX:
        raise MessageError(f"{len(lines)} header lines; at most {_HEADERS_MAX} are allowed")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers[key] = f"{headers[key]}\n{value.strip()}" if key in headers else value.strip()
    return headers
