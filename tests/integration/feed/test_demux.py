"""Visits through FFmpeg: real nginx for RTMP and HLS, real HTTP servers for the rest, and sources that misbehave."""

import base64
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from engine.config.feed import FeedSettings
from engine.feed.camera_url import source_url
from engine.feed.demuxing.pool import fetch_now
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure
from tests.support.feed.clips import encode, remux, scene, units, write_clip
from tests.support.feed.http_site import Page, Pages, site
from tests.support.feed.nginx_rtmp import nginx_rtmp

HLS_TYPE = "application/vnd.apple.mpegurl"


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
    with nginx_rtmp(tmp_path_factory.mktemp("nginx")) as url:
        yield f"{url}/live"


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
        (endless, {FailureReason.FLOOD, FailureReason.TIMEOUT_KEYFRAME}),
        (drip, {FailureReason.TIMEOUT_KEYFRAME}),
        (("video/mp4", b""), {FailureReason.PROTOCOL_ERROR}),
    ],
)
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
        for scheme in ("http", "rtmp"):
            end = failure_of(f"{scheme}://127.0.0.1:{bound.getsockname()[1]}/x/y")
            assert end.reason is FailureReason.REFUSED, end
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
