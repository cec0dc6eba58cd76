"""Parses an SDP: which track is the video, and how it is coded. Pure.

Sources: RFC 8866; fmtp, RFC 6184 8.2 and RFC 7798 7.2.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

from engine.model.keyframe import Codec

_CODECS = {"H264": Codec.H264, "H265": Codec.H265, "HEVC": Codec.H265}
_STATIC = {26: "JPEG", 32: "MPV", 33: "MP2T"}
_PARAMETER_SETS = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
_SET_BYTES_MAX = 4096
_TRACKS_MAX = 32
_DIGITS_MAX = 9


@dataclass(slots=True)
class Track:
    """One media section. `encoding`: the name in its rtpmap, in upper case."""

    kind: str
    payload_type: int
    encoding: str = ""
    clock_hz: int = 90_000
    control: str = ""
    parameter_sets: list[bytes] = field(default_factory=list)
    interleaves: bool = False
    """RFC 6184 mode 2, or decoding order numbers of RFC 7798: cameras do not use them, and they are not supported."""

    @property
    def codec(self) -> Codec | None:
        """The codec of its payload; None if it is not supported."""
        return _CODECS.get(self.encoding)


@dataclass(slots=True)
class Description:
    """A whole SDP: the control URL of the session, and its tracks."""

    control: str = ""
    tracks: list[Track] = field(default_factory=list)

    def video(self) -> Track | None:
        """Return the first video track of a supported codec, else the first video track, else None."""
        videos = [track for track in self.tracks if track.kind == "video"]
        return next((track for track in videos if track.codec is not None), videos[0] if videos else None)


def parse(body: bytes) -> Description:
    """Parse what can be parsed; malformed lines are skipped. Raises nothing."""
    description = Description()
    track: Track | None = None
    for line in body.decode("utf-8", "replace").splitlines():
        kind, _, value = line.strip().partition("=")
        if kind == "m" and len(description.tracks) < _TRACKS_MAX:
            words = value.split()
            payload_type = _read_number(words[3]) if len(words) > 3 else None
            number = -1 if payload_type is None else payload_type
            track = Track(words[0].lower() if words else "", number, _STATIC.get(number, ""))
            description.tracks.append(track)
        elif kind == "a":
            _read_attribute(description, track, value)
    return description


def control_url(base: str, control: str) -> str:
    """Return the URL that a control attribute names, resolved against the base of the description."""
    if not control or control == "*":
        return base
    if "://" in control:
        return control
    if control.startswith("/"):
        scheme, _, rest = base.partition("://")
        return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}{control}"
    # RFC 2326 C.1.1 requires RFC 1808, but servers mean: the base, a slash, the control.
    return f"{base}{control}" if base.endswith("/") else f"{base}/{control}"


def _read_attribute(description: Description, track: Track | None, value: str) -> None:
    name, _, rest = value.partition(":")
    if name == "control":
        if track is None:
            description.control = rest.strip()
        else:
            track.control = rest.strip()
    elif track is not None and name == "rtpmap":
        number, _, encoding = rest.partition(" ")
        if number.strip() == str(track.payload_type):
            words = encoding.strip().split("/")
            track.encoding = words[0].upper()
            track.clock_hz = (_read_number(words[1]) if len(words) > 1 else None) or track.clock_hz
    elif track is not None and name == "fmtp":
        _read_format(track, rest.partition(" ")[2])


def _read_format(track: Track, parameters: str) -> None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        name = name.lower()
        if name in _PARAMETER_SETS:
            for text in value.split(","):
                try:
                    raw = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
                except (binascii.Error, ValueError):
                    continue
                if 1 < len(raw) <= _SET_BYTES_MAX:
                    track.parameter_sets.append(raw)
        elif (name == "packetization-mode" and value == "2") or (
            name == "sprop-max-don-diff" and value not in ("", "0")
        ):
            track.interleaves = True


def _read_number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= _DIGITS_MAX else None
