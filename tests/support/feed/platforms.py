"""Imitates media platforms over HTTP: ZLMediaKit, and WVP-PRO in its present and its older form."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
"""HTTP status and what is sent as JSON; bytes are sent as they are."""
Site = Callable[[str, dict[str, str], dict[str, str]], Answer]
"""Maps path, query and headers (names in lower case) to an answer."""


@contextmanager
def serving(site: Site, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """Run a server; yields its URL and the list of targets requested so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            status, value = site(parts.path, query, {name.lower(): header for name, header in self.headers.items()})
            body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def media(app: str, stream: str, schema: str = "rtsp", *, key_frames: int | None = 21, **more: Any) -> dict[str, Any]:
    """An entry of getMediaList as ZLMediaKit writes it (server/WebApi.cpp, makeMediaSourceJson)."""
    video = {
        "codec_id": 0, "codec_id_name": "CodecH264", "codec_type": 0, "fps": 25, "frames": 1119, "width": 1280,
        "gop_interval_ms": 1993, "gop_size": 50, "key_frames": key_frames, "height": 720, "ready": True,
    }  # fmt: skip
    audio = {
        "channels": 1, "codec_id": 2, "codec_id_name": "CodecAAC", "codec_type": 1, "ready": True, "frames": 1119,
        "sample_bit": 16, "sample_rate": 8000,
    }  # fmt: skip
    return {
        "app": app, "readerCount": 0, "totalReaderCount": 0, "schema": schema, "stream": stream, "originSock": None,
        "originType": 4, "originTypeStr": "pull", "originUrl": "", "createStamp": 1602205811, "aliveSecond": 100,
        "bytesSpeed": 12345, "isRecordingHLS": False, "isRecordingMP4": False, "vhost": "__defaultVhost__",
        "tracks": [audio] if key_frames is None else [audio, video],
    } | more  # fmt: skip


def zlmediakit(streams: list[dict[str, Any]], secret: str = "platform-secret-0123456789") -> Site:
    """Return a ZLMediaKit that has these streams."""

    def answer(path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        del headers
        if path != "/index/api/getMediaList":
            return 404, b"<html>not found</html>"
        if query.get("secret") != secret:
            return 200, {"code": -100, "msg": f"Incorrect secret: {query.get('secret')}"}
        listed = [stream for stream in streams if query.get("schema") in (None, stream["schema"])]
        return 200, {"code": 0, **({"data": listed} if listed else {})}

    return answer


def channel(camera_id: str | None, status: Any = "ON", name: str = "", **more: Any) -> dict[str, Any]:
    """A CommonGBChannel as WVP-PRO writes it: every field, most of them null."""
    empty = (
        "gbManufacturer gbModel gbOwner gbCivilCode gbBlock gbAddress gbParental gbParentId gbSafetyWay gbLongitude "
        "gbLatitude gbPtzType recordPLan dataType dataDeviceId"
    )
    named = {"gbId": 7, "gbDeviceId": camera_id, "gbName": name, "gbStatus": status}
    return dict.fromkeys(empty.split()) | named | more


def page_info(rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """com.github.pagehelper.PageInfo of some rows."""
    page, count = int(query["page"]), int(query["count"])
    some = rows[(page - 1) * count : page * count]
    pages = -(-len(rows) // count)
    return {
        "total": len(rows), "list": some, "pageNum": page, "pageSize": count, "size": len(some), "pages": pages,
        "hasNextPage": page < pages, "isLastPage": page >= pages,
    }  # fmt: skip


def wvp(channels: list[dict[str, Any]], token: str = "platform-secret-0123456789") -> Site:
    """Return a WVP-PRO that lists all channels in one place."""

    def answer(path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        if headers.get("access-token") != token:
            return 401, {"code": 401, "msg": "请登录后重新请求"}
        if path == "/api/common/channel/list":
            return 200, {"code": 0, "msg": "成功", "data": page_info(channels, query)}
        return 404, {"code": 404, "msg": "资源未找到"}

    return answer


def old_wvp(devices: dict[str, list[dict[str, Any]]]) -> Site:
    """Return a WVP-PRO before 2.7.3, which lists devices and the channels of each."""

    def answer(path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        del headers
        if path == "/api/device/query/devices":
            rows = [{"deviceId": device, "name": "NVR", "online": 1} for device in devices]
            return 200, {"code": 0, "msg": "成功", "data": page_info(rows, query)}
        start, _, rest = path.partition("/api/device/query/devices/")
        device, _, word = rest.partition("/")
        if not start and word == "channels" and device in devices:
            return 200, {"code": 0, "msg": "成功", "data": page_info(devices[device], query)}
        return 404, {"timestamp": "2026-01-01", "status": 404, "error": "Not Found", "path": path}

    return answer
