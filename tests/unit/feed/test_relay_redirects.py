"""The relay finds every redirect that FFmpeg's RTSP client would follow, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feed.sources.relay import _RedirectScan

REDIRECTS = [
    b"RTSP/1.0 302 Moved\r\nLocation: rtsp://x/\r\n\r\n",
    b"RTSP/1.0\t301\r\n",
    b"RTSP/9 +0302\r\n",
    b"RT\rSP/1.0 3\r05 x\r\n",
    b"RTSP/1.0 4294967598\r\n",
    b"$\0\0\4abcdRTSP/1.0 303 x\r\n",
    b"RTSP/" + b"a" * 3000 + b" 302\n",
]
HARMLESS = [
    b"RTSP/1.0 200 OK\r\nCSeq: 302\r\n\r\n",
    b"RTSP/1.0 404 302\r\n",
    b"RTSP/1.0\n302\n",
    bytes(range(256)) * 20,
]


def finds(data: bytes, cuts: list[int]) -> bool:
    scan = _RedirectScan()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found = [scan.finds(data[begin:end]) for begin, end in pairwise(places)]
    return any(found)


@given(st.sampled_from(REDIRECTS), st.binary(max_size=300), st.lists(st.integers(0, 10_000), max_size=6))
def test_a_redirect_is_found_in_any_pieces(redirect: bytes, before: bytes, cuts: list[int]) -> None:
    assert finds(before + b"\n" + redirect, cuts)


@pytest.mark.parametrize("data", HARMLESS)
def test_what_is_no_redirect_passes(data: bytes) -> None:
    assert not finds(data, [])


def test_a_flood_of_status_lines_costs_little() -> None:
    import time

    scan, block = _RedirectScan(), b"RTSP/ 1 RTSP/1 2 \t" * 3641
    began = time.process_time()
    for _ in range(16):
        assert not scan.finds(block)
    assert time.process_time() - began < 3
