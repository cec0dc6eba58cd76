"""How surely clocks burnt into pictures are read: synthetic overlays after real H.264 coding, and the shared clips.

    python -m bench.clock --data ../shared/data --json [--record] [--fonts DIR] [--seeds N]

Each overlay is one of the formats below in one of five fonts, with an outline and without, at D1, 720p and 1080p, over
a crop of a real picture, coded by libx264 and decoded as the engine does. `right`: the time, and the date if one is
shown, are those drawn. `silent`: nothing sure was read. `right_or_silent`: the share that is one of the two (target:
0.99); the rest would be held against the arrival with a wrong time. `cpu_ms_*`: CPU time of a reading, by size.
Needs the extra kitchen-patrol[ocr]. A font that is not on the machine is named in `skipped`; `--fonts` adds a folder.
"""

import argparse
import datetime
import itertools
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bench.history import append
from engine.clock import thread_cpu_ns
from engine.decode.render import decode_rgb
from engine.model.keyframe import Codec
from engine.overlay.clock_text import ClockReading
from engine.overlay.installed import is_installed
from engine.overlay.layout import overlay_of
from engine.overlay.recognizer import Recognizer

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CONFIDENCE_MIN = 0.9
"""As reader.confidence_min has it."""
SIZES = {"d1": (704, 576, 20), "720p": (1280, 720, 32), "1080p": (1920, 1080, 44)}
"""Width, height, and height of the letters in pixels."""
LATIN_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%m-%d-%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%Y-%m-%d %a %H:%M:%S",
    "%d-%m-%Y %A %I:%M:%S %p",
    "%H:%M:%S",
)
CHINESE_FORMATS = ("%Y年%m月%d日 {weekday} %H:%M:%S", "%Y-%m-%d {weekday} %H:%M:%S", "%Y年%m月%d日 {half} %I:%M:%S")
FONTS = ("DejaVuSans.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf", "LiberationSans-Regular.ttf", "wqy-microhei.ttc")
"""The first three come with matplotlib, the others are Debian's fonts-liberation and fonts-wqy-microhei."""
CHINESE_FONT = "wqy-microhei.ttc"
CLIP_CLOCK = datetime.datetime(2023, 11, 14, 22, 13, 20)  # noqa: DTZ001 (as the shared clips show it)
"""What the first keyframe of every shared clip shows; its other keyframes follow every two seconds."""

Rgb = npt.NDArray[np.uint8]


def main() -> int:
    """Run the benchmark and print its result; exit code 1 where it cannot run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="directory of clips and photos")
    parser.add_argument("--fonts", type=Path, help="a further folder with fonts")
    parser.add_argument("--seeds", type=int, default=2, help="overlays of each kind")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    options = parser.parse_args()
    if not is_installed():
        print("no reader is installed; pip install 'kitchen-patrol[ocr]'", file=sys.stderr)
        return 1
    result = run(options.data, options.fonts, options.seeds)
    if options.record:
        append({"bench": "clock", **result})
    print(json.dumps(result, ensure_ascii=False) if options.json else json.dumps(result, ensure_ascii=False, indent=2))
    return 0


def run(data: Path, fonts: Path | None, seeds: int) -> dict[str, Any]:
    """Read every overlay and clip; return counts, shares, CPU times, and what was read wrong."""
    recognizer = Recognizer()
    files, skipped = _font_files(fonts)
    outcomes: dict[str, Counter[str]] = {"synthetic": Counter(), "clips": Counter()}
    wrong: list[str] = []
    cpu_ms: dict[str, list[float]] = {size: [] for size in SIZES}
    for size, payload, drawn, text in _overlays(data, files, seeds):
        outcome, took_ms, read = _read(recognizer, payload, drawn)
        outcomes["synthetic"][outcome] += 1
        cpu_ms[size].append(took_ms)
        if outcome == "wrong":
            wrong.append(f"{size}: drawn {text!r}, read {read!r}")
    for name, payload, shown in _clip_keyframes(data):
        outcome, _, read = _read(recognizer, payload, ClockReading(shown.time(), True, (shown.date(),)))
        outcomes["clips"][outcome] += 1
        if outcome == "wrong":
            wrong.append(f"{name}: shown {shown}, read {read!r}")
    counted = outcomes["synthetic"] + outcomes["clips"]
    return {
        "overlays": sum(outcomes["synthetic"].values()),
        "clip_keyframes": sum(outcomes["clips"].values()),
        "right_or_silent": round(1 - counted["wrong"] / max(1, counted.total()), 4),
        **{f"{kind}_{outcome}": count[outcome] for kind, count in outcomes.items() for outcome in OUTCOMES},
        **{f"cpu_ms_{size}": round(median(times), 1) for size, times in cpu_ms.items() if times},
        "skipped": skipped,
        "wrong": wrong[:20],
    }


OUTCOMES = ("right", "silent", "wrong")


def _read(recognizer: Recognizer, payload: tuple[Codec, bytes], drawn: ClockReading) -> tuple[str, float, str]:
    """Return the outcome, the CPU time of decoding and reading in ms, and the text that was read."""
    began_ns = thread_cpu_ns()
    clock = overlay_of(recognizer.read(decode_rgb(*payload)), CONFIDENCE_MIN).clock
    took_ms = (thread_cpu_ns() - began_ns) / 1e6
    if clock is None:
        return "silent", took_ms, ""
    reading = clock.reading
    shown = drawn.time if reading.has_seconds else drawn.time.replace(second=0)
    is_right = reading.time == shown and (not drawn.dates or drawn.dates[0] in reading.dates)
    return "right" if is_right else "wrong", took_ms, clock.text


def _overlays(
    data: Path, files: dict[str, Path], seeds: int
) -> Iterator[tuple[str, tuple[Codec, bytes], ClockReading, str]]:
    """Yield coded pictures with an overlay: size, payload, what the clock shows, and the text that was drawn."""
    photos = sorted(path for path in (data / "photos").rglob("*") if path.suffix.lower() in (".jpg", ".png", ".jpeg"))
    rng = random.Random(1)
    for size, (name, file), is_outlined in itertools.product(SIZES, files.items(), (True, False)):
        formats = (*LATIN_FORMATS, *CHINESE_FORMATS) if name == CHINESE_FONT else LATIN_FORMATS
        for form, _ in itertools.product(formats, range(seeds)):
            when = datetime.datetime(2019, 1, 1) + datetime.timedelta(seconds=rng.randrange(10**9 // 3))  # noqa: DTZ001
            text = _text(form, when)
            dates = (when.date(),) if "%d" in form else ()
            picture = _draw(_background(photos, size, rng), text, file, SIZES[size][2], is_outlined, rng)
            yield size, (Codec.H264, _encode(picture)), ClockReading(when.time(), True, dates), text


def _text(form: str, when: datetime.datetime) -> str:
    weekday = "星期" + "一二三四五六日"[when.weekday()]
    return when.strftime(form.format(weekday=weekday, half="上午" if when.hour < 12 else "下午"))


def _background(photos: list[Path], size: str, rng: random.Random) -> Rgb:
    """Return a real picture at this size; without photos, noise in blocks."""
    width, height, _ = SIZES[size]
    if photos:
        with Image.open(rng.choice(photos)) as photo:
            return np.asarray(photo.convert("RGB").resize((width, height)), np.uint8)
    blocks = np.random.default_rng(rng.randrange(2**32)).integers(20, 230, (height // 16 + 1, width // 16 + 1, 3))
    return np.kron(blocks, np.ones((16, 16, 1)))[:height, :width].astype(np.uint8)


def _draw(picture: Rgb, text: str, file: Path, letter_px: int, is_outlined: bool, rng: random.Random) -> Rgb:
    """Return the picture with the text in one of its corners: white, with a black outline or without."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(file), letter_px)
    stroke = max(1, letter_px // 16) if is_outlined else 0
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font, stroke_width=stroke)
    margin = letter_px // 2
    x = rng.choice((margin, image.width - margin - int(right - left)))
    y = rng.choice((margin, image.height - margin - int(bottom - top)))
    draw.text((x - left, y - top), text, "white", font, stroke_width=stroke, stroke_fill="black")
    return np.asarray(image, np.uint8)


def _encode(picture: Rgb) -> bytes:
    """Return the picture as one keyframe of H.264, about as large as a camera's of 25 frames a second."""
    height, width, _ = picture.shape
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.thread_count, context.pix_fmt = width, height, 1, "yuv420p"
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.options = {"preset": "veryfast", "crf": "30", "x264-params": "repeat-headers=1:log-level=none"}
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _clip_keyframes(data: Path) -> Iterator[tuple[str, tuple[Codec, bytes], datetime.datetime]]:
    """Yield every keyframe of the shared clips, with what its clock shows."""
    for path in sorted((data / "camera").glob("*.mp4")):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            codec = Codec.H265 if stream.codec_context.name == "hevc" else Codec.H264
            to_annexb = av.BitStreamFilterContext(f"{stream.codec_context.name}_mp4toannexb", stream)
            for packet in container.demux(stream):
                for unit in to_annexb.filter(packet) if packet.size else ():
                    if unit.is_keyframe and unit.pts is not None:
                        since_s = int(unit.pts * (stream.time_base or 0))
                        yield path.name, (codec, bytes(unit)), CLIP_CLOCK + datetime.timedelta(seconds=since_s)


def _font_files(folder: Path | None) -> tuple[dict[str, Path], list[str]]:
    """Return the files of the fonts that are here, and why others are skipped."""
    folders = [Path(mpl.get_data_path()) / "fonts" / "ttf", Path("/usr/share/fonts"), *([folder] if folder else [])]
    found: dict[str, Path] = {}
    for name in FONTS:
        file = next((file for place in folders for file in sorted(place.rglob(name))), None)
        if file is not None:
            found[name] = file
    return found, [f"{name}: not on this machine" for name in FONTS if name not in found]


if __name__ == "__main__":
    sys.exit(main())
