"""Compares what a media platform claims about its channels with what the engine sees. Pure.

The claim is stored as `platform_status` and never trusted: platforms report dead pictures as ON, and live ones as OFF.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.model.camera import Camera
from engine.model.registry import CameraStatus
from engine.model.verdict import State, Verdict
from engine.redact import redact
from engine.rows.gbt28181 import OFF, ON

_ONLINE = frozenset({"on", "online", "ok", "true", "1", "在线"})
_OFFLINE = frozenset({"off", "offline", "false", "0", "vlost", "defect", "离线"})
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_PLAYBACK_SUFFIX = re.compile(r"(\.live)?\.(flv|ts|mp4)$|/hls(\.fmp4)?\.m3u8$")
"""What ZLMediaKit appends to app/stream in URLs of HTTP-FLV, -TS, -fMP4 and HLS."""
_STATUS_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as a platform lists it.

    `ids`: camera ids it may have, the best first. `status`: the platform's claim. `places`: where it comes from or is
    served, as `place_of` and `stream_place` write them. `app`, `stream`, `vhost`: ZLMediaKit's names of a stream.
    """

    ids: tuple[str, ...]
    status: str
    name: str = ""
    region: str = ""
    parent_id: str = ""
    places: tuple[str, ...] = ()
    app: str = ""
    stream: str = ""
    vhost: str = ""


class ClaimedChannels:
    """The channels of one platform. One that is listed several times (a stream in several protocols) is ON if any is.

    A name or place that two channels share (the same stream name in two apps) leads to neither.
    """

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._channels: dict[str, Channel] = {}
        self._by_id: dict[str, str] = {}
        self._by_place: dict[str, str] = {}
        for channel in channels:
            first = channel.ids[0]
            if first not in self._channels or claimed_online(channel.status):
                self._channels[first] = channel
            for names, index in ((channel.ids, self._by_id), (channel.places, self._by_place)):
                for name in names:
                    index[name] = first if index.get(name, first) == first else ""

    def __len__(self) -> int:
        """The number of channels, each counted once."""
        return len(self._channels)

    def __iter__(self) -> Iterator[Channel]:
        """Iterate over the channels, each once, in the order of the list."""
        return iter(self._channels.values())

    def find(self, camera: Camera) -> Channel | None:
        """Return the channel of a camera: by its id, else by the place its URL leads to; None if there is none."""
        first = self._by_id.get(camera.camera_id)
        if not first and camera.url:
            first = self._by_place.get(place_of(camera.url)) or self._by_place.get(_stream_place_of(camera.url))
        return self._channels[first] if first else None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A camera on which platform and engine disagree. `since_wall_ns`: since when the engine announces its state."""

    camera: Camera
    platform_online: bool
    ours: State
    why: str
    since_wall_ns: int


def claimed_online(status: str) -> bool | None:
    """Return whether a status means online or offline; None if it is empty, or means neither."""
    word = status.strip().lower()
    return True if word in _ONLINE else False if word in _OFFLINE else None


def seen_online(verdict: Verdict | None) -> bool | None:
    """Return whether the engine gets a picture, by the announced state; None if unknown or not visited yet."""
    return None if verdict is None else _announced_online(verdict.announced)


def disagrees(camera: Camera, announced: State | None) -> bool:
    """Return whether the platform calls a camera online that the engine announces as offline, or the reverse.

    `announced`: None before the first visit. The engine says nothing of cameras that are disabled.
    """
    claimed = claimed_online(camera.platform_status) if camera.enabled else None
    seen = None if announced is None else _announced_online(announced)
    return claimed is not None and seen is not None and claimed != seen


def disagreement(status: CameraStatus) -> Disagreement | None:
    """Return how platform and engine disagree on a camera; None if they agree, or one of them says nothing.

    The engine says nothing of cameras that are disabled.
    """
    latest = status.latest
    if latest is None or not disagrees(status.camera, latest.announced):
        return None
    seen = seen_online(latest)
    reason = ", ".join(latest.announced_kinds) if seen else latest.reason if latest.state is State.OFFLINE else ""
    return Disagreement(status.camera, not seen, latest.announced, reason, latest.since_wall_ns)


def _announced_online(announced: State) -> bool | None:
    return None if announced is State.UNKNOWN else announced is not State.OFFLINE


def normalise_status(value: object) -> str:
    """Return a platform's status as the registry keeps it: ON, OFF, or its own word cut to what the column holds."""
    if value is None:
        return ""
    word = str(value).strip()
    claimed = claimed_online(word)
    if claimed is None:
        return "".join(char for char in word if char.isprintable())[:_STATUS_CHARS_MAX].strip()
    return ON if claimed else OFF


def place_of(url: str) -> str:
    """Return host:port/path?query for comparison, without user and password; empty if it is no network URL."""
    try:
        parts = urlsplit(redact(url))
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return ""
    if not parts.hostname or not port:
        return ""
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.hostname.lower()}:{port}{parts.path.rstrip('/')}{query}"


def stream_place(host: str, app: str, stream: str) -> str:
    """Return where a media server serves a stream, independent of protocol and port."""
    return f"{host.lower()} {app}/{stream}"


def _stream_place_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    app, _, stream = _PLAYBACK_SUFFIX.sub("", parts.path.strip("/")).partition("/")
    return stream_place(host, app, stream)
