"""Which track of a session is the video. Pure. Sources: RFC 8866; fmtp, RFC 6184 8.2 and RFC 7798 7.2."""

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.model.keyframe import Codec

_CODECS = {"H264": Codec.H264, "H265": Codec.H265, "HEVC": Codec.H265}
_STATIC = {26: "JPEG", 32: "MPV", 33: "MP2T"}
_PARAMETER_SETS = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
_SET_BYTES_MAX = 4096
_TRACKS_MAX = 32


@dataclass(slots=True)
class Track:
    """One media section. `codec` None: not one of ours, `encoding` says which."""

    kind: str
    payload_type: int
    encoding: str = ""
    clock_hz: int = 90_000
    control: str = ""
    parameter_sets: list[bytes] = field(default_factory=list)
    interleaves: bool = False
    """RFC 6184 mode 2, or decoding order numbers of RFC 7798: not spoken by cameras, nor by us."""

    @property
    def codec(self) -> Codec | None:
        """What its payload is coded with."""
        return _CODECS.get(self.encoding)


@dataclass(slots=True)
class Description:
    """A whole SDP: the session's own control URL and its tracks."""

    control: str = ""
    tracks: list[Track] = field(default_factory=list)

    def video(self) -> Track | None:
        """The first video track of a codec we take, else the first video track."""
        videos = [track for track in self.tracks if track.kind == "video"]
        return next((track for track in videos if track.codec is not None), videos[0] if videos else None)


def parse(body: bytes) -> Description:
    """Whatever can be read; lines that make no sense are passed over."""
    description = Description()
    track: Track | None = None
    for line in body.decode("utf-8", "replace").splitlines():
        kind, _, value = line.strip().partition("=")
        if kind == "m" and len(description.tracks) < _TRACKS_MAX:
            words = value.split()
            number = int(words[3]) if len(words) > 3 and words[3].isdecimal() else -1
            track = Track(words[0].lower() if words else "", number, _STATIC.get(number, ""))
            description.tracks.append(track)
        elif kind == "a":
            _attribute(description, track, value)
    return description


def control_url(base: str, control: str) -> str:
    """The URL that a control attribute names, against the base of the description."""
    if not control or control == "*":
        return base
    if "://" in control:
        return control
    if control.startswith("/"):
        parts = urlsplit(base)
        return f"{parts.scheme}://{parts.netloc}{control}"
    # RFC 2326 C.1.1 asks for RFC 1808, but servers mean: the base, a slash, the control.
    return f"{base}{control}" if base.endswith("/") else f"{base}/{control}"


def _attribute(description: Description, track: Track | None, value: str) -> None:
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
            if len(words) > 1 and words[1].isdecimal() and int(words[1]):
                track.clock_hz = int(words[1])
    elif track is not None and name == "fmtp":
        _format(track, rest.partition(" ")[2])


def _format(track: Track, parameters: str) -> None:
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
