"""Visits through FFmpeg: real nginx for RTMP and HLS, real HTTP servers for the rest, and sources that misbehave."""

import base64
import contextlib
import http.server
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from engine.clock import monotonic_ns
from engine.config.schema import FeedSettings
from engine.feed.camera_url import source_url
from engine.feed.demux import DemuxPool, fetch_now
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.clips import encode, scene, units, write_clip
from tests.support.waiting import wait_until

HLS_TYPE = "application/vnd.apple.mpegurl"
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")


def fetch(url: str, **changes: Any) -> Keyframe | VisitFailure:
    schemes = ("rtsp", "rtmp", "http", "https", "file")
    return fetch_now(url, FeedSettings(**{"schemes": schemes, "deadline_s": 8, "connect_timeout_s": 2, **changes}))


def failure_of(url: str) -> VisitFailure:
    end = fetch(url)
    assert isinstance(end, VisitFailure)
    return end


@pytest.fixture(scope="module", params=[Codec.H264, Codec.H265])
def coded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Codec, Path]:
    codec = request.param
    return codec, write_clip(tmp_path_factory.mktemp("demux") / f"{codec}.mp4", codec, frames=20)


def keyframes(clip: Path, codec: Codec) -> list[list[bytes]]:
    """NAL units of every keyframe in a clip."""
    name = "h264_mp4toannexb" if codec is Codec.H264 else "hevc_mp4toannexb"
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        to_annex_b = av.BitStreamFilterContext(name, stream)
        packets = [whole for packet in container.demux(stream) for whole in to_annex_b.filter(packet)]
        return [units(bytes(packet)) for packet in packets if packet.is_keyframe]


def remux(clip: Path, target: Path, container_format: str) -> Path:
    with av.open(str(clip)) as source, av.open(str(target), "w", format=container_format) as sink:
        stream = source.streams.video[0]
        out = sink.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = out
                sink.mux(packet)
    return target


Page = tuple[str, bytes] | Callable[[http.server.BaseHTTPRequestHandler], None]
"""Content type and body, or what answers."""
Pages = dict[str, Page]
"""By path."""


class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pages: Pages) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = pages


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(404)
        elif callable(page):
            with contextlib.suppress(OSError):
                page(self)
        else:
            kind, body = page
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def site(pages: Pages) -> Iterator[str]:
    with Site(pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_file_gives_its_first_keyframe_with_parameter_sets(coded: tuple[Codec, Path]) -> None:
    codec, clip = coded
    end = fetch(source_url(str(clip)))
    assert isinstance(end, Keyframe), end
    assert end.codec is codec
    assert units(end.payload) == keyframes(clip, codec)[0]
    assert end.source is FeedKind.DEMUX


def test_mpeg_ts_over_http(coded: tuple[Codec, Path], tmp_path: Path) -> None:
    codec, clip = coded
    body = remux(clip, tmp_path / "a.ts", "mpegts").read_bytes()
    with site({"/live.ts": ("video/mp2t", body)}) as url:
        end = fetch(f"{url}/live.ts")
    assert isinstance(end, Keyframe), end
    slices = [unit for unit in units(end.payload) if len(unit) > 200]
    assert slices == [unit for unit in keyframes(clip, codec)[0] if len(unit) > 200]


def test_http_flv(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", Codec.H264)
    body = remux(clip, tmp_path / "a.flv", "flv").read_bytes()
    with site({"/live.flv": ("video/x-flv", body)}) as url:
        end = fetch(f"{url}/live.flv")
    assert isinstance(end, Keyframe), end
    assert units(end.payload) == keyframes(clip, Codec.H264)[0]


def hls_pages(clip: Path, folder: Path) -> Pages:
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        options = {"hls_time": "0.5", "hls_list_size": "0"}
        with av.open(str(folder / "live.m3u8"), "w", format="hls", options=options) as sink:
            out = sink.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = out
                    sink.mux(packet)
    kinds = {".m3u8": HLS_TYPE, ".ts": "video/mp2t"}
    return {f"/{path.name}": (kinds[path.suffix], path.read_bytes()) for path in folder.iterdir()}


def test_hls_takes_the_newest_segment(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", Codec.H264)
    (tmp_path / "hls").mkdir()
    pages = hls_pages(clip, tmp_path / "hls")
    playlist = (tmp_path / "hls" / "live.m3u8").read_bytes()
    pages["/live.m3u8"] = (HLS_TYPE, playlist.replace(b"#EXT-X-ENDLIST\n", b""))
    with site(pages) as url:
        end = fetch(f"{url}/live.m3u8")
    assert isinstance(end, Keyframe), end
    slices = [max(found, key=len) for found in keyframes(clip, Codec.H264)]
    assert max(units(end.payload), key=len) in slices[1:]


def test_a_playlist_cannot_name_a_file_of_this_machine(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "secret.ts", Codec.H264)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n".encode()
    with site({"/evil.m3u8": ("application/vnd.apple.mpegurl", playlist)}) as url:
        end = fetch(f"{url}/evil.m3u8")
    assert isinstance(end, VisitFailure), "a local file was read through a remote playlist"


def test_a_jpeg_snapshot() -> None:
    jpeg = encode(Codec.MJPEG, [scene(320, 240)])[0]
    with site({"/snap.jpg": ("image/jpeg", jpeg)}) as url:
        end = fetch(f"{url}/snap.jpg")
    assert isinstance(end, Keyframe), end
    assert (end.codec, end.payload) == (Codec.MJPEG, jpeg)


def test_a_snapshot_behind_a_password() -> None:
    jpeg = encode(Codec.MJPEG, [scene(320, 240)])[0]
    wanted = "Basic " + base64.b64encode(b"admin:s3cret").decode()

    def page(handler: http.server.BaseHTTPRequestHandler) -> None:
        ok = handler.headers.get("Authorization") == wanted
        handler.send_response(200 if ok else 401)
        if not ok:
            handler.send_header("WWW-Authenticate", 'Basic realm="cam"')
        handler.send_header("Content-Type", "image/jpeg")
        handler.end_headers()
        handler.wfile.write(jpeg if ok else b"")

    with site({"/snap.jpg": page}) as url:
        place = url.removeprefix("http://")
        assert isinstance(fetch(f"http://admin:s3cret@{place}/snap.jpg"), Keyframe)
        wrong = fetch(f"http://admin:guess@{place}/snap.jpg")
    assert isinstance(wrong, VisitFailure)
    assert wrong.reason is FailureReason.UNAUTHORIZED
    assert "guess" not in wrong.detail


@pytest.fixture(scope="module")
def rtmp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("nginx") is None or not MODULE.exists():
        pytest.skip("needs nginx with RTMP: apt-get install nginx libnginx-mod-rtmp")
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(
        f"load_module {MODULE};\ndaemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/log;\n"
        "events { worker_connections 64; }\n"
        f"rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; wait_key on; }} }} }}\n"
    )
    with subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL) as process:

        def listens() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                return True
            return False

        wait_until(listens, 5, what=f"nginx, whose log is at {folder / 'log'}")
        yield f"rtmp://127.0.0.1:{port}/live"
        process.kill()


@pytest.mark.nginx
def test_rtmp_from_a_real_server(rtmp: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", Codec.H264, frames=60)
    stop = threading.Event()

    def publish() -> None:
        with av.open(str(clip)) as source, av.open(f"{rtmp}/cam", "w", format="flv") as sink:
            stream = source.streams.video[0]
            out = sink.add_stream_from_template(stream)
            for number, packet in enumerate(source.demux(stream)):
                if packet.dts is None or stop.wait(0.05 if number else 0):
                    break
                packet.stream = out
                sink.mux(packet)

    publisher = threading.Thread(target=publish)
    publisher.start()
    time.sleep(0.5)
    end = fetch(f"{rtmp}/cam")
    stop.set()
    publisher.join()
    assert isinstance(end, Keyframe), end
    slices = [max(found, key=len) for found in keyframes(clip, Codec.H264)]
    assert max(units(end.payload), key=len) in slices
    assert end.timings.total_ns < 6_000_000_000


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.end_headers()
    handler.wfile.write(b"\xff\xd8\xff\xe0" + bytes(1000))
    for _ in range(2000):
        handler.wfile.write(bytes(65_536))


def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "video/x-flv")
    handler.end_headers()
    for byte in b"FLV\1\5\0\0\0\x09" + bytes(1000):
        handler.wfile.write(bytes([byte]))
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("page", "reasons"),
    [
        (endless, {FailureReason.DAMAGED, FailureReason.PROTOCOL_ERROR, FailureReason.TIMEOUT_KEYFRAME,
                   FailureReason.TIMEOUT_CONNECT}),
        (drip, {FailureReason.TIMEOUT_CONNECT, FailureReason.TIMEOUT_KEYFRAME}),
        (lambda h: time.sleep(3), {FailureReason.TIMEOUT_CONNECT}),
        (("text/html", b"<html>login please</html>" * 20), {FailureReason.PROTOCOL_ERROR}),
        (("video/mp4", b""), {FailureReason.PROTOCOL_ERROR}),
    ],
)  # fmt: skip
def test_a_source_that_misbehaves_ends_in_time_with_a_reason(page: Page, reasons: set[FailureReason]) -> None:
    with site({"/x": page}) as url:
        began = time.monotonic()
        end = fetch(f"{url}/x", deadline_s=1.5, connect_timeout_s=1)
        assert time.monotonic() - began < 2.5
    assert isinstance(end, VisitFailure)
    assert end.reason in reasons, end


def test_wrong_places_have_their_reason(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert failure_of(f"http://127.0.0.1:{bound.getsockname()[1]}/x").reason is FailureReason.REFUSED
    with site({}) as url:
        assert failure_of(f"{url}/nothing").reason is FailureReason.NOT_FOUND
    assert failure_of("http://no-such-host.invalid/x").reason is FailureReason.DNS
    assert failure_of(source_url(str(tmp_path / "absent.mp4"))).reason is FailureReason.NOT_FOUND


def test_sound_without_a_picture_is_no_video(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    end = failure_of(source_url(str(path)))
    assert end.reason is FailureReason.NO_VIDEO
    assert "audio" in end.detail


def test_a_codec_that_is_not_ours_is_named(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(64, 64), format="rgb24")))
        container.mux(stream.encode(None))
    end = failure_of(source_url(str(tmp_path / "a.avi")))
    assert end.reason is FailureReason.UNSUPPORTED_CODEC
    assert "mpeg4" in end.detail


def test_broken_files_never_hang_or_crash(shared_data: Path) -> None:
    for path in sorted((shared_data / "broken").iterdir()):
        began = time.monotonic()
        end = fetch(source_url(str(path)), deadline_s=5)
        assert time.monotonic() - began < 5, path
        assert isinstance(end, Keyframe | VisitFailure)


def silent_server() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    kept: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                kept.append(server.accept()[0])

    threading.Thread(target=accept, daemon=True).start()
    return server


def test_the_pool_ends_every_visit_once_and_gives_stuck_threads_up() -> None:
    ends: list[VisitFailure | Keyframe] = []
    settings = FeedSettings(demux_threads=4, demux_stuck_max=2, deadline_s=1, connect_timeout_s=5)
    with silent_server() as server:
        pool = DemuxPool(settings, ends.append)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        orders = [VisitOrder(n, f"c{n}", url, 500_000_000, FeedKind.DEMUX) for n in range(5)]
        assert [pool.submit(order) for order in orders] == [True] * 4 + [False]

        def all_ended() -> bool:
            pool.tick(monotonic_ns())
            return len(ends) >= 4

        wait_until(all_ended, 5)
        assert sorted(end.visit_id for end in ends) == [0, 1, 2, 3]
        assert {end.reason for end in ends if isinstance(end, VisitFailure)} == {FailureReason.TIMEOUT_CONNECT}
        assert pool.in_flight == 0
        assert pool.submit(orders[4]), "the pool has room again"
        pool.close(0.1)
    assert len({end.visit_id for end in ends}) == len(ends)


def test_closing_the_pool_waits_for_visits_in_flight_and_not_for_idle_or_stuck_threads() -> None:
    ends: list[VisitFailure | Keyframe] = []
    jpeg = encode(Codec.MJPEG, [scene(320, 240)])[0]

    def slow(handler: http.server.BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)
        handler.send_response(200)
        handler.send_header("Content-Type", "image/jpeg")
        handler.end_headers()
        handler.wfile.write(jpeg)

    settings = FeedSettings(demux_threads=4, connect_timeout_s=5)
    with silent_server() as server, site({"/slow": slow, "/quick": ("image/jpeg", jpeg)}) as url:
        pool = DemuxPool(settings, ends.append)
        silent = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        assert pool.submit(VisitOrder(1, "c1", silent, 100_000_000, FeedKind.DEMUX))
        assert pool.submit(VisitOrder(2, "c2", f"{url}/quick", 5_000_000_000, FeedKind.DEMUX))

        def none_in_flight() -> bool:
            pool.tick(monotonic_ns() + 300_000_000)
            return pool.in_flight == 0

        wait_until(none_in_flight, 5)
        assert pool.submit(VisitOrder(3, "c3", f"{url}/slow", 5_000_000_000, FeedKind.DEMUX))
        began = time.monotonic()
        pool.close(10)
        assert time.monotonic() - began < 5
        assert [end.visit_id for end in ends if isinstance(end, Keyframe)] == [2, 3]


def test_closing_the_pool_gives_a_visit_up_when_the_time_has_passed() -> None:
    ends: list[VisitFailure | Keyframe] = []
    with silent_server() as server:
        pool = DemuxPool(FeedSettings(demux_threads=4, connect_timeout_s=5), ends.append)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        for number in range(3):
            assert pool.submit(VisitOrder(number, "c", url, 5_000_000_000, FeedKind.DEMUX))
        began = time.monotonic()
        pool.close(0.4)
        assert 0.3 < time.monotonic() - began < 1.5
        assert ends == []
