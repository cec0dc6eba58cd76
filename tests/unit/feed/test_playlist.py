"""HLS playlists: variants, segments, ranges, keys; and text that is no playlist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feed.sources.playlist import ByteRange, Key, Part, PlaylistError, read_playlist

URL = "http://10.0.0.1:8080/live/cam.m3u8?token=a"


def read(text: str) -> object:
    return read_playlist(text.encode(), URL)


def test_segments_are_numbered_and_their_urls_complete() -> None:
    playlist = read_playlist(
        b"\xef\xbb\xbf#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MEDIA-SEQUENCE:17\r\n#EXTINF:2.5,\r\na.ts\r\n"
        b"#EXTINF:2.5,\r\n/b.ts?c=d\r\n#EXTINF:1,\r\nhttps://other/c.ts\r\n",
        URL,
    )
    assert [(segment.number, segment.part.url) for segment in playlist.segments] == [
        (17, "http://10.0.0.1:8080/live/a.ts"),
        (18, "http://10.0.0.1:8080/b.ts?c=d"),
        (19, "https://other/c.ts"),
    ]
    assert (playlist.variant, playlist.is_complete, playlist.target_s) == ("", False, 4.0)


def test_the_first_variant_with_a_picture_is_chosen() -> None:
    text = (
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\nsound.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=2,CODECS="avc1.4d,mp4a",RESOLUTION=640x360\nsmall.m3u8\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1920x1080\nlarge.m3u8\n"
    )
    assert read_playlist(text.encode(), URL).variant == "http://10.0.0.1:8080/live/small.m3u8"
    without = text.replace(",RESOLUTION=640x360", "").replace(",RESOLUTION=1920x1080", "")
    assert read_playlist(without.encode(), URL).variant == "http://10.0.0.1:8080/live/sound.m3u8"


def test_ranges_follow_one_another_and_begin_again_with_another_file() -> None:
    text = (
        '#EXTM3U\n#EXT-X-MAP:URI="a.mp4",BYTERANGE="100@0"\n#EXT-X-BYTERANGE:50@100\na.mp4\n'
        "#EXT-X-BYTERANGE:70\na.mp4\n#EXT-X-BYTERANGE:30\nb.mp4\nc.mp4\n#EXT-X-ENDLIST\n"
    )
    playlist = read_playlist(text.encode(), URL)
    assert [segment.part.range for segment in playlist.segments] == [
        ByteRange(100, 50), ByteRange(150, 70), ByteRange(0, 30), None,
    ]  # fmt: skip
    assert {segment.start for segment in playlist.segments} == {
        Part("http://10.0.0.1:8080/live/a.mp4", ByteRange(0, 100), None)
    }
    assert playlist.is_complete


def test_a_key_holds_until_the_next() -> None:
    text = (
        '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k1",IV=0x0F\na.ts\nb.ts\n#EXT-X-KEY:METHOD=AES-128,URI="/k2"\nc.ts\n'
        "#EXT-X-KEY:METHOD=NONE\nd.ts\n"
    )
    first = Key("http://10.0.0.1:8080/live/k1", bytes(15) + b"\x0f")
    keys = [segment.part.key for segment in read_playlist(text.encode(), URL).segments]
    assert keys == [first, first, Key("http://10.0.0.1:8080/k2", None), None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begin with #EXTM3U"),
        ("hello", "begin with #EXTM3U"),
        ("#EXTM3U\n" + "a.ts\n" * 20_001, "more than 20000 lines"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "variants without a URL"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-4\na.ts\n", "'-4' is no number"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:99999999999999999999\na.ts\n", "is no number"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:x@1\na.ts\n", "'x' is no number"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\na.ts\n', "supported: AES-128"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0xgg\na.ts\n', "IV of its key"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x' + "0" * 34 + "\na.ts\n", "longer than 16 bytes"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\na.ts\n", "a URI is missing"),
        ("#EXTM3U\nhttp://[::1/a.ts\n", "a URI is none"),
    ],
)
def test_what_is_no_playlist_says_why(text: str, said: str) -> None:
    with pytest.raises(PlaylistError, match=said.replace("'", "'")):
        read(text)


LINES = st.sampled_from(
    ["#EXTM3U", "#EXT-X-STREAM-INF:", "#EXT-X-MAP:URI=", "#EXT-X-KEY:METHOD=AES-128,URI=", "#EXT-X-BYTERANGE:", "a.ts"]
)


@given(st.lists(st.tuples(LINES, st.text(max_size=12)), max_size=12), st.binary(max_size=40))
def test_any_bytes_are_a_playlist_or_none(lines: list[tuple[str, str]], tail: bytes) -> None:
    data = b"#EXTM3U\n" + "\n".join(a + b for a, b in lines).encode("utf-8", "surrogatepass") + tail
    try:
        playlist = read_playlist(data, URL)
    except PlaylistError:
        return
    assert all(segment.number >= 0 for segment in playlist.segments)
