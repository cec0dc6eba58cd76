"""Serves style sheets, scripts and icons, under a path with one hash of all of them, so that browsers keep them, and a
script's imports of the files beside it lead to the same version.

`vendor/` has what others wrote, pinned in `vendor/packages.json`; `python setup.py assets` fetches and verifies it.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from engine.web.errors import refusal
from engine.web.replies import PieceResponse, takes_gzip

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HASH_CHARS = 12
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file. `path`: below the console's own path."""

    path: str
    media_type: str
    body: bytes
    compressed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Return all files by name, such as `console.css` and `vendor/htmx.min.js`."""
    found = dict(sorted(_files(files("engine.web.console") / "assets", "")))
    digest = hashlib.sha256()
    for name, body in found.items():
        digest.update(f"{name} {len(body)} ".encode() + body)
    version = digest.hexdigest()[:_HASH_CHARS]
    return {name: _asset(version, name, body) for name, body in found.items()}


async def serve_asset(request: Request) -> Response:
    """Answer `/assets/{hash}/{name}`. A hash of another version gets the file too, but is not kept."""
    name = request.path_params["name"]
    asset = assets().get(name)
    if asset is None:
        raise refusal("NOT_FOUND", "NO_SUCH_PATH", f"{name[:100]!r} is no file of the console")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if asset.path != f"/assets/{request.path_params['hash']}/{name}":
        headers["Cache-Control"] = "no-cache"
    if takes_gzip(request.headers.get("accept-encoding", "")):
        return PieceResponse(asset.compressed, 200, headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type)
    return PieceResponse(asset.body, 200, headers, media_type=asset.media_type)


def _asset(version: str, name: str, body: bytes) -> Asset:
    suffix = name[name.rindex(".") :]
    return Asset(f"/assets/{version}/{name}", _TYPES[suffix], body, gzip.compress(body, 9, mtime=0))


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _files(item, f"{prefix}{item.name}/")
        elif item.name[item.name.rfind(".") :] in _TYPES:
            yield prefix + item.name, item.read_bytes()
