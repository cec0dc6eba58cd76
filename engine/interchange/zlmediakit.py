"""Reads the streams of a ZLMediaKit: GET /index/api/getMediaList. Pure: the caller does the network.

A stream is listed once per protocol. It counts as ON if it has a video track that is ready and, if the server counts
them, has had a keyframe; else as OFF.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.errors import PlatformError
from engine.interchange.platform_claims import Channel, place_of, stream_place
from engine.rows.gbt28181 import OFF, ON, code_of

PATH = "/index/api/getMediaList"
_CODE = re.compile(r"(?<!\d)\d{20}(?!\d)", re.ASCII)
_VIDEO = 0

Fetch = Callable[[str, Mapping[str, str]], Any]
"""Fetches the JSON of a path and query; raises PlatformError."""


def channels(fetch: Fetch, hosts: Sequence[str], schema: str = "") -> Iterator[Channel]:
    """Yield the streams of a server. Raises PlatformError if the answer is none of a ZLMediaKit.

    `hosts`: the server's names in the URLs of cameras. `schema`: only streams of this protocol.
    """
    reply = fetch(PATH, {"schema": schema} if schema else {})
    if not isinstance(reply, dict) or "code" not in reply:
        raise PlatformError(f"{PATH}: the answer has no code; is this a ZLMediaKit?")
    if reply["code"] != 0:
        raise PlatformError(
            f"{PATH}: the server answered code {reply['code']!r}, {str(reply.get('msg'))[:200]!r}; wanted: 0; is the "
            "secret that of its config.ini (api.secret)?"
        )
    listed = reply.get("data") or []
    if not isinstance(listed, list):
        raise PlatformError(f"{PATH}: data is no list; is this a ZLMediaKit?")
    for item in listed:
        if isinstance(item, dict) and item.get("stream"):
            yield _channel(item, hosts)


def _channel(item: Mapping[str, Any], hosts: Sequence[str]) -> Channel:
    app, stream = str(item.get("app", "")), str(item["stream"])
    # WVP-PRO names a stream device_channel: the last code is the camera's, the one before it its device's.
    codes = _CODE.findall(stream)
    ids = (*codes[-1:], f"{app}/{stream}", stream)
    parent = codes[-2] if len(codes) > 1 else ""
    code = code_of(codes[-1]) if codes else None
    places = [stream_place(host, app, stream) for host in hosts]
    origin = place_of(str(item.get("originUrl") or ""))
    return Channel(
        ids=tuple(dict.fromkeys(ids)),
        status=ON if _has_picture(item.get("tracks")) else OFF,
        name=stream,
        region="" if code is None else code.county,
        parent_id=parent,
        places=(*places, origin) if origin else tuple(places),
        app=app,
        stream=stream,
        vhost=str(item.get("vhost", "")),
    )


def _has_picture(tracks: Any) -> bool:
    if not isinstance(tracks, list):
        return False
    return any(
        isinstance(track, dict)
        and track.get("codec_type") == _VIDEO
        and track.get("ready") is not False
        and track.get("key_frames", 1) != 0
        for track in tracks
    )
