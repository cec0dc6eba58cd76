"""Fills in the URL template under which a media platform serves its channels. Pure."""

import re
from urllib.parse import quote

from engine.errors import ConfigError
from engine.redact import redact_url

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ALLOWED = ("camera_id", "parent_id", "app", "stream", "vhost")


class StreamUrl:
    """A template for the URLs of a platform's channels, like `rtsp://media:554/rtp/{parent_id}_{camera_id}`.

    Raises ConfigError if it has an unknown place, or none.
    """

    def __init__(self, template: str) -> None:
        unknown = [name for name in _PLACEHOLDER.findall(template) if name not in _ALLOWED]
        if unknown or not _PLACEHOLDER.search(template):
            allowed = ", ".join(f"{{{name}}}" for name in _ALLOWED)
            wrong = f"unknown {', '.join(unknown)}" if unknown else "the same for every camera"
            raise ConfigError(
                f"stream URL {redact_url(template)!r}: {wrong}; allowed: {allowed}; "
                "give one like rtsp://media:554/rtp/{parent_id}_{camera_id}"
            )
        self._template = template

    def of(self, camera_id: str, parent_id: str = "", *, app: str = "", stream: str = "", vhost: str = "") -> str:
        """Return the URL of one channel; empty if it lacks a value that the template needs."""
        values = dict(zip(_ALLOWED, (camera_id, parent_id, app, stream, vhost), strict=True))
        if not all(values[name] for name in _PLACEHOLDER.findall(self._template)):
            return ""
        return _PLACEHOLDER.sub(lambda place: quote(values[place[1]], safe="/"), self._template)
