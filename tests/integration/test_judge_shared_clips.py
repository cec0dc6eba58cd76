"""Decoder, kernels and judge on real clips and photographs: what a person sees in them is what the verdict says."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from engine.config.judge import JudgeSettings
from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.kernels.score import score
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement
from engine.model.picture import Picture
from engine.model.verdict import FaultKind, State, Verdict
from engine.model.visit import FeedKind
from tests.support.expect import present

pytestmark = pytest.mark.shared

CODECS = {"h264": Codec.H264, "hevc": Codec.H265}
TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
KEYFRAMES = 3
"""Of each clip: the first carries less noise than the others, which is where scores drift apart."""


def keyframes(path: Path, count: int = KEYFRAMES) -> Iterator[tuple[Codec, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        name = stream.codec_context.name
        convert = av.BitStreamFilterContext(TO_ANNEX_B[name], stream)
        for packet in container.demux(stream):
            for whole in convert.filter(packet):
                if whole.is_keyframe and whole.size and count:
                    count -= 1
                    yield CODECS[name], bytes(whole)


def judge_picture(picture: Picture) -> Verdict:
    of = score(picture)
    measurement = Measurement(
        "c", 1, 0, None, FeedKind.GATEWAY, picture.codec, picture.width, picture.height, picture.pixel_format,
        picture.full_range, picture.interlaced, picture.damage, of.figures, of.scores, of.tiles, of.signature,
    )  # fmt: skip
    return judge_measurement(measurement, JudgeState(), JudgeSettings())[0]


def verdicts(data: Path, pattern: str) -> list[tuple[str, Verdict]]:
    decoder = Decoder()
    try:
        return [
            (path.name, judge_picture(decoder.decode(codec, payload)))
            for path in sorted((data / "camera").glob(pattern))
            for codec, payload in keyframes(path)
        ]
    finally:
        decoder.close()


@pytest.mark.parametrize("pattern", ["canteen_[17D]*.mp4", "office180_1*.mp4", "road_*.mp4"])
def test_good_clips_are_ok(shared_data: Path, pattern: str) -> None:
    judged = verdicts(shared_data, pattern)
    assert judged
    for name, verdict in judged:
        assert verdict.state == State.OK, (name, verdict.kinds, verdict.reason, verdict.scores)


@pytest.mark.parametrize("pattern", ["canteen_defocus*", "canteen_motion*", "office180_defocus*"])
def test_really_blurred_clips_are_blurred_and_nothing_else(shared_data: Path, pattern: str) -> None:
    judged = verdicts(shared_data, pattern)
    assert judged
    for name, verdict in judged:
        assert verdict.kinds == (FaultKind.BLURRED,), (name, verdict.scores)


def test_the_over_exposed_street_is_too_bright(shared_data: Path) -> None:
    for name, verdict in verdicts(shared_data, "street_over*"):
        assert verdict.kinds == (FaultKind.TOO_BRIGHT,), (name, verdict.scores)


@pytest.mark.parametrize("pattern", ["lobby*", "campus*", "desk*"])
def test_soft_but_good_clips_are_never_called_blurred(shared_data: Path, pattern: str) -> None:
    judged = verdicts(shared_data, pattern)
    assert judged
    for name, verdict in judged:
        assert verdict.state in (State.OK, State.UNKNOWN), (name, verdict.kinds, verdict.scores)


def test_broken_streams_are_never_called_a_picture_fault_of_the_lens(shared_data: Path) -> None:
    lens = set(FaultKind)
    decoder = Decoder()
    judged = 0
    for path in sorted((shared_data / "broken").iterdir()):
        codec = {".h265": Codec.H265, ".jpg": Codec.MJPEG}.get(path.suffix, Codec.H264)
        try:
            payloads = [(codec, path.read_bytes())] if codec == Codec.MJPEG else list(keyframes(path))
        except (av.FFmpegError, UnicodeDecodeError, IndexError):
            continue  # no stream in it: nothing that a feeder would bring
        for of, payload in payloads:
            try:
                verdict = judge_picture(decoder.decode(of, payload))
            except DecodeError:
                continue
            judged += 1
            assert not lens & set(verdict.kinds), (path.name, verdict.kinds, verdict.scores)
    decoder.close()
    assert judged >= 5


def spread(luma: np.ndarray, rows: int = 1080) -> np.ndarray:
    """The photograph at 1080 lines, as a camera would send it."""
    columns = round(luma.shape[1] * rows / luma.shape[0])
    return np.asarray(Image.fromarray(luma).resize((columns, rows), Image.Resampling.BICUBIC), np.float64)


def defocus(levels: np.ndarray, radius: int) -> np.ndarray:
    """Blur with a disc, summed row by row of the disc."""
    rows, columns = levels.shape
    padded = np.pad(levels, radius, mode="reflect")
    sums = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1)
    total, weight = np.zeros_like(levels), 0
    for step in range(-radius, radius + 1):
        half = int((radius**2 - step**2) ** 0.5)
        row = sums[radius + step : radius + step + rows]
        total += row[:, radius + half + 1 :][:, :columns] - row[:, radius - half :][:, :columns]
        weight += 2 * half + 1
    return total / weight


def smear(levels: np.ndarray, length: int) -> np.ndarray:
    """Motion blur along a row."""
    columns = levels.shape[1]
    sums = np.cumsum(np.pad(levels, ((0, 0), (length, 0)), mode="reflect"), axis=1)
    smeared: np.ndarray = (sums[:, length:] - sums[:, :-length])[:, :columns] / length
    return smeared


def through_a_camera(levels: np.ndarray) -> Picture:
    """With sensor noise, through H.264 and back."""
    noisy = levels + np.random.default_rng(3).normal(0, 2, levels.shape)
    rows, columns = (side // 2 * 2 for side in levels.shape)
    grey = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)[:rows, :columns]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), format="gray").reformat(format="yuv420p")
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = columns, rows, "yuv420p", Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "26"}
    payload = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    return Decoder().decode(Codec.H264, payload)


def test_sharpness_tells_photographs_from_their_blurred_copies(shared_data: Path) -> None:
    names = ["skimage/coffee.png", "skimage/chelsea.png", "darknet/dog.jpg", "darknet/person.jpg", "opencv/messi5.jpg",
             "opencv/home.jpg", "opencv/leuvenA.jpg", "sklearn/china.jpg"]  # fmt: skip
    sharp, blurred = [], []
    for name in names:
        levels = spread(np.asarray(Image.open(shared_data / "photos" / name).convert("L")))
        sharp.append(present(score(through_a_camera(levels)).scores.sharpness))
        blurred += [
            score(through_a_camera(defocus(levels, 6))).scores.sharpness,
            score(through_a_camera(smear(levels, 16))).scores.sharpness,
        ]
    assert min(sharp) > JudgeSettings().sharpness_min
    told = [figure for figure in blurred if figure is not None]
    assert len(told) >= len(blurred) - 1
    assert np.mean([figure < JudgeSettings().sharpness_min for figure in told]) >= 0.9
    order = np.mean([good > bad for good in sharp for bad in told])
    assert order >= 0.98
