"""Which URLs may be visited, and what of them may be said."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SourceRefusedError
from engine.feed.camera_url import (
    check_url,
    file_path,
    has_host_name,
    host_of,
    route,
    source_url,
    uplink_and_host,
)
from engine.model.visit import FeedKind
from engine.redact import redact

SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https")


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://10.0.0.1/1", "RTSP://user:p%40ss@Host.example:8554/a?b=c", "rtsps://h/1", "http://[2001:db8::1]:80/s.flv",
        "https://h/live/index.m3u8?token=x", "rtmp://h/live/1",
    ],
)  # fmt: skip
def test_camera_urls_are_allowed(url: str) -> None:
    check_url(url, SCHEMES)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "printable"),
        ("camera", "scheme 'none'"),
        ("file:///etc/passwd", "'file' is not allowed"),
        ("concat:a|b", "'concat' is not allowed"),
        ("pipe:0", "'pipe'"),
        ("data:text/plain,x", "'data'"),
        ("ftp://h/1", "allowed: rtsp"),
        ("rtsp:///1", "no host"),
        ("rtsp://h:0/1", "port 0"),
        ("rtsp://h:99999/1", "port"),
        ("rtsp://h:port/1", "port"),
        ("rtsp://h/a b", "%20"),
        ("rtsp://h/\n", "printable"),
        ("rtsp://" + "h" * 3000, "2048"),
        ("rtsp://[::1/1", "IPv6"),
    ],
)
def test_other_things_are_refused_with_the_remedy(url: str, what: str) -> None:
    with pytest.raises(SourceRefusedError) as caught:
        check_url(url, SCHEMES)
    assert what in str(caught.value)


def test_files_are_allowed_where_the_operator_says_so() -> None:
    check_url("file:///srv/clips/a%20b.mp4", (*SCHEMES, "file"))
    with pytest.raises(SourceRefusedError, match="path on this machine"):
        check_url("file://server/share.mp4", (*SCHEMES, "file"))
    assert file_path("file:///srv/a%20b.mp4") == "/srv/a b.mp4"


def test_rtsp_goes_to_our_own_client_and_all_else_to_ffmpeg() -> None:
    assert route("RTSP://h/1") is route("rtsps://h/1") is FeedKind.RTSP
    assert route("http://h/1") is route("file:///a") is FeedKind.DEMUX


def test_uplinks_are_host_and_port() -> None:
    assert uplink_and_host("rtsp://u:p@NVR.example/1") == ("nvr.example:554", "nvr.example")
    assert uplink_and_host("http://h:8080/x") == ("h:8080", "h")
    assert uplink_and_host("file:///a") == ("", "")
    assert uplink_and_host("rtsp://h:port/") == ("", "h")
    assert uplink_and_host("rtsp://h:70000/") == ("", "h")
    assert uplink_and_host("rtsp://[2001:db8::1]:80/s") == ("2001:db8::1:80", "2001:db8::1")
    assert uplink_and_host("rtsp://[::1/1") == ("", "")
    assert host_of("rtsp://u:p%40@H:8554") == "h"


PARTS = st.sampled_from(
    ["rtsp", "://", "://", "RTMP", "@", ":", "/", "a", "B.c", "1", "554", "0", "70000", "?", "#", "[::1]", "[", "]",
     "%", "\\", " ", "\n", "\t", "é", "ı", "-", "_", "!", ";", "~"]
)  # fmt: skip


@given(st.builds("".join, st.tuples(st.sampled_from(["rtsp://", "http://u:p@", ""]), st.lists(PARTS).map("".join))))
def test_the_quick_look_at_a_url_sees_what_a_thorough_one_does(url: str) -> None:
    """Both give host and port as urllib has them."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        assert uplink_and_host(url) == ("", "")
        return
    uplink, seen = uplink_and_host(url)
    assert seen == host
    try:
        port = parts.port
    except ValueError:
        assert uplink == ""
        return
    assert uplink.startswith(f"{host}:" if host else "")
    assert not (host and port) or uplink == f"{host}:{port}"


def test_a_path_on_the_command_line_becomes_a_file_url(tmp_path: Path) -> None:
    assert source_url(str(tmp_path / "a b.mp4")) == (tmp_path / "a b.mp4").as_uri()
    assert source_url("rtsp://h/1") == "rtsp://h/1"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("open rtsp://admin:secret@h/1 failed", "open rtsp://admin:***@h/1 failed"),
        ("rtsp://admin:se/cr@et@h/1", "rtsp://admin:***@h/1"),
        ("http://h/x?user=a&password=secret&b=1", "http://h/x?user=a&password=***&b=1"),
        ("http://h/x?TOKEN=secret", "http://h/x?TOKEN=***"),
        ("nothing to hide at 10:30", "nothing to hide at 10:30"),
    ],
)
def test_passwords_never_come_out(text: str, clean: str) -> None:
    assert redact(text) == clean


@given(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=4, max_size=30).filter(
        lambda s: "***" not in s and not re.match(r"\d+[/?#]", s)  # that may be a port: more is masked
    ),
    st.sampled_from(["rtsp://user:{}@10.0.0.1/1", "error: http://u:{}@h:80/x?a=b (denied)"]),
)
def test_whatever_the_password_it_is_taken_out(password: str, pattern: str) -> None:
    clean = redact(pattern.format(password))
    assert clean == pattern.format("***")


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("rtsp://cam.example/1", True), ("http://10.0.0.1:80/x", False), ("http://[2001:db8::1]/x", False),
        ("file:///a.mp4", False), ("http://[::1/x", False),
    ],
)  # fmt: skip
def test_a_host_is_a_name_or_an_address(url: str, named: bool) -> None:
    assert has_host_name(url) is named
