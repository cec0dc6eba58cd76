"""What a media platform claims of its channels, beside what we saw ourselves. Pure.

A platform's word is kept as `platform_status` and never trusted: it says ON of dead pictures, and OFF of live ones.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.interchange.gbt28181 import OFF, ON
from engine.model.camera import Camera
from engine.model.registry import CameraStatus
from engine.model.verdict import State, Verdict
from engine.redact import redact

_ONLINE = frozenset({"on", "online", "ok", "true", "1", "在线"})
_OFFLINE = frozenset({"off", "offline", "false", "0", "vlost", "defect", "离线"})
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_PLAYBACK_SUFFIX = re.compile(r"(\.live)?\.(flv|ts|mp4)$|/hls(\.fmp4)?\.m3u8$")
"""What ZLMediaKit puts behind app/stream where a player wants HTTP-FLV, -TS, -fMP4 or HLS."""
_STATUS_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as a platform lists it.

    `ids`: camera ids it may go by, the best first. `status`: the platform's claim. `places`: where it comes from or is
    served, as `place_of` and `stream_place` write them. `app`, `stream`, `vhost`: as ZLMediaKit calls a stream.
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
    """Channels of one platform. One that is listed several times (a stream in several protocols) is ON if any is.

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
            for names, led in ((channel.ids, self._by_id), (channel.places, self._by_place)):
                for name in names:
                    led[name] = first if led.get(name, first) == first else ""

    def __len__(self) -> int:
        """Channels, each once."""
        return len(self._channels)

    def __iter__(self) -> Iterator[Channel]:
        """Channels, each once, in the order of the list."""
        return iter(self._channels.values())

    def find(self, camera: Camera) -> Channel | None:
        """The channel of a camera: by its id, else by where its URL leads."""
        first = self._by_id.get(camera.camera_id)
        if not first and camera.url:
            first = self._by_place.get(place_of(camera.url)) or self._by_place.get(_stream_place_of(camera.url))
        return self._channels[first] if first else None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A camera of which the platform says one thing and we another. `since_wall_ns`: when we began to say so."""

    camera: Camera
    platform_online: bool
    ours: State
    why: str
    since_wall_ns: int


def claimed_online(status: str) -> bool | None:
    """Whether a word means online or offline; None for no word, or one that says neither."""
    word = status.strip().lower()
    return True if word in _ONLINE else False if word in _OFFLINE else None


def seen_online(verdict: Verdict | None) -> bool | None:
    """Whether we get a picture, by what is announced; None where we stand by nothing (unseen, unknown)."""
    if verdict is None or verdict.announced is State.UNKNOWN:
        return None
    return verdict.announced is not State.OFFLINE


def disagreement(status: CameraStatus) -> Disagreement | None:
    """What the platform and we say differently of a camera; None where they agree, or one of them says nothing.

    Cameras that are not visited (disabled) have no word of ours.
    """
    claimed, seen = claimed_online(status.camera.platform_status), seen_online(status.latest)
    latest = status.latest
    if claimed is None or seen is None or claimed == seen or latest is None or not status.camera.enabled:
        return None
    reason = ", ".join(latest.announced_kinds) if seen else latest.reason if latest.state is State.OFFLINE else ""
    return Disagreement(status.camera, claimed, latest.announced, reason, latest.since_wall_ns)


def normalise_status(value: object) -> str:
    """A platform's status as we keep it: ON and OFF where it means one of them, else its own word, cut to what fits."""
    if value is None:
        return ""
    word = str(value).strip()
    claimed = claimed_online(word)
    if claimed is None:
        return "".join(one for one in word if one.isprintable())[:_STATUS_CHARS_MAX].strip()
    return ON if claimed else OFF


def place_of(url: str) -> str:
    """host:port/path?query in a form that compares, without user and password; empty for what is no network URL."""
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
    """Where a media server serves a stream, whatever the protocol and its port."""
    return f"{host.lower()} {app}/{stream}"


def _stream_place_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    app, _, stream = _PLAYBACK_SUFFIX.sub("", parts.path.strip("/")).partition("/")
    return stream_place(host, app, stream)
