"""Says what the FFmpeg that PyAV was built with can decode."""

from collections.abc import Sequence

import av

NEEDED = ("h264", "hevc", "mjpeg")
"""Decoders of FFmpeg that the codecs of cameras need."""


def missing(names: Sequence[str] = NEEDED) -> list[str]:
    """Return those of the decoders that this FFmpeg does not have."""
    return [name for name in names if not _has(name)]


def versions() -> str:
    """Return the versions of PyAV and of libavcodec."""
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"PyAV {av.__version__}, libavcodec {codec}"


def _has(name: str) -> bool:
    try:
        av.Codec(name, "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
