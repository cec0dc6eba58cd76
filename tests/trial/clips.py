"""The pictures of the trial's cameras: the demo's clips as files, elementary streams and MPEG-4, and as JPEGs."""

import io
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.demo.clips import FRAMES_PER_S, ClipPlan, clip

FAULTS = ("", "blurred", "dark", "covered", "frozen")
"""What a clip shows; empty: a sharp kitchen. engine.demo.pictures makes them."""
_NAMES = {"": "clear"}


@dataclass(frozen=True, slots=True)
class ClipFiles:
    """One clip. `stream`: H.264 or H.265 in Annex B; `movie`: the same as MPEG-4."""

    stream: Path
    movie: Path


def name_of(fault: str, codec: Literal["h264", "h265"] = "h264") -> str:
    return f"{_NAMES.get(fault, fault)}-{codec}"


def write_clips(folder: Path) -> dict[str, ClipFiles]:
    """Write the clips that cameras show, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    plans: list[tuple[str, Literal["h264", "h265"]]] = [(fault, "h264") for fault in FAULTS]
    plans.append(("", "h265"))
    files = {}
    for number, (fault, codec) in enumerate(plans):
        encoder: Literal["libx264", "libx265"] = "libx265" if codec == "h265" else "libx264"
        plan = ClipPlan(100 + number, "motorcycle_left.png", 0.5, 704, 576, encoder, fault)
        name = name_of(fault, codec)
        stream = folder / f"{name}.{codec[1:]}"
        stream.write_bytes(b"".join(clip(plan)))
        movie = folder / f"{name}.mp4"
        # -framerate: the stream has no timing of its own.
        command = ["ffmpeg", "-v", "error", "-y", "-framerate", str(FRAMES_PER_S), "-i", str(stream)]
        subprocess.run([shutil.which("ffmpeg") or "ffmpeg", *command[1:], "-c", "copy", str(movie)], check=True)
        files[name] = ClipFiles(stream, movie)
    return files


def jpegs(movie: Path) -> list[bytes]:
    """The keyframes of a clip as JPEGs."""
    import av

    pictures = []
    with av.open(str(movie)) as container:
        for frame in container.decode(video=0):
            if frame.key_frame:
                output = io.BytesIO()
                frame.to_image().save(output, "JPEG", quality=92)
                pictures.append(output.getvalue())
    return pictures
