"""Photographs that people send with a claim, of what was put right; their limits. Pure."""

from dataclasses import dataclass

PHOTOGRAPHS_MAX = 3
"""Most photographs of one claim."""
PHOTOGRAPH_BYTES_MAX = 5_000_000
"""Largest file that a caller may send, in bytes."""
PHOTOGRAPH_PIXELS_MAX = 40_000_000
"""Most pixels of a picture that a caller may send."""
PHOTOGRAPH_SIDE_PX_MAX = 1600
"""Longest side of what is kept, in pixels."""


PHOTOGRAPH_SUFFIX = ".jpg"


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph as it is kept: a JPEG without metadata.

    `width`, `height`: in pixels. `etag`: quoted as in HTTP. `not_modified`: the caller has it, so that there is no
    JPEG, no width and no height.
    """

    jpeg: bytes
    width: int
    height: int
    etag: str = ""
    not_modified: bool = False


def photograph_name(sha256: str) -> str:
    """Return the name of a photograph's file, by which it is pinned; a keyframe that is kept has its SHA-256 alone."""
    return f"{sha256}{PHOTOGRAPH_SUFFIX}"


def photograph_etag(sha256: str) -> str:
    """Return the etag, quoted as in HTTP, of the photograph with this SHA-256 in hexadecimal digits."""
    return f'"{sha256}"'
