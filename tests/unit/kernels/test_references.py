"""Reference values of the FFmpeg suite that need no sample file, where a kernel measures the same thing.

From FFmpeg's tests/ref/fate: filter-metadata-signalstats-yuv420p, -yuv420p10 and filter-refcmp-siti-yuv. The codes of
the 10-bit case are fed as the reference states them (943, 514): FFmpeg's scaler of today writes 940 and 512 there.
"""

from typing import cast

import av
import numpy as np
import pytest

from engine.kernels import chroma, luma
from engine.kernels.figures import figures
from engine.kernels.plane import analysis_plane
from engine.model.keyframe import Codec
from engine.model.picture import Picture

SI_OF_TESTSRC2 = (106.72, 109.40, 109.29, 113.27, 110.87)
SI_TOLERANCE = 0.015
"""FFmpeg rounds levels to whole ones when it widens the range; ours does not."""


def pull(source: tuple[str, str], pixel_format: str, count: int) -> list[av.VideoFrame]:
    graph = av.filter.Graph()
    graph.link_nodes(graph.add(*source), graph.add("format", pixel_format), graph.add("buffersink")).configure()
    return [cast(av.VideoFrame, graph.pull()) for _ in range(count)]


def plane(frame: av.VideoFrame, index: int) -> np.ndarray:
    of = frame.planes[index]
    return np.frombuffer(memoryview(of), np.uint8).reshape(-1, of.line_size)[: of.height, : of.width]


def test_white_reads_as_in_the_signalstats_reference() -> None:
    (frame,) = pull(("color", "c=white:duration=1:r=1"), "yuv420p", 1)
    picture = Picture(
        plane(frame, 0), (plane(frame, 1), plane(frame, 2)), frame.width, frame.height, Codec.H264, "yuv420p", 8, False,
        False,
    )  # fmt: skip
    (code,) = np.flatnonzero(luma.measure(analysis_plane(picture)).bins)
    assert code / 4 == 235  # YMIN = YLOW = YAVG = YHIGH = YMAX
    for of in picture.chroma or ():
        sums = chroma.measure(of)
        assert np.all(sums.totals == 128 * sums.samples)  # UMIN to UMAX, VMIN to VMAX
    named = figures(picture).named
    assert named["luma_min"] == named["luma_mean"] == named["luma_max"] == 255
    assert named["chroma_u_mean"] == named["chroma_v_mean"] == named["chroma_std"] == 0  # SATAVG


def test_ten_bit_white_reads_as_in_the_signalstats_reference() -> None:
    white, grey = np.full((240, 320), 943, np.uint16), np.full((120, 160), 514, np.uint16)
    picture = Picture(white, (grey, grey), 320, 240, Codec.H265, "yuv420p10le", 10, False, False)
    (code,) = np.flatnonzero(luma.measure(analysis_plane(picture)).bins)
    assert code == 943  # a quarter level is one code of 10 bits
    named = figures(picture).named
    assert named["luma_min"] == named["luma_p50"] == named["luma_max"] == 255
    saturation = np.hypot(named["chroma_u_mean"], named["chroma_v_mean"]) * 224 / 255 * 4
    assert int(saturation) == 2  # SATAVG, cut to a whole code as FFmpeg does


def test_spatial_information_is_that_of_the_siti_reference() -> None:
    frames = pull(("testsrc2", "size=300x200:rate=1:duration=5"), "yuv420p", 5)
    for frame, expected in zip(frames, SI_OF_TESTSRC2, strict=True):
        picture = Picture(plane(frame, 0), None, 300, 200, Codec.H264, "yuv420p", 8, False, False)
        assert figures(picture).named["spatial_information"] == pytest.approx(expected, rel=SI_TOLERANCE)
