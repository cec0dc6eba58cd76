"""Makes the clips that the demo's cameras stream: 12 GOPs of one second each, encoded once and cached."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from engine.demo.pictures import damaged, frame, passing, photo

GOPS = 12
FRAMES_PER_S = 2
_VERSION = 5
_QUALITY = 21


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """What a camera's clip shows. `shift`: which part of the photo, 0..1. `fault`: see engine.demo.county.FAULTS."""

    number: int
    photo: str
    shift: float
    width: int
    height: int
    codec: Literal["libx264", "libx265"]
    fault: str


Clip = list[bytes]
"""Access units in Annex B; every FRAMES_PER_S-th is a keyframe with its parameter sets."""


def clip(plan: ClipPlan) -> Clip:
    """Return the clip from the cache; encode and cache it if it is not there."""
    digest = hashlib.blake2b(json.dumps([_VERSION, asdict(plan)]).encode(), digest_size=12).hexdigest()
    path = _cache() / f"{digest}.clip"
    try:
        return _load(path)
    except (OSError, ValueError):
        units = _encode(plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(_pack(units))
    temporary.replace(path)
    return units


def _encode(plan: ClipPlan) -> Clip:
    random = np.random.default_rng(plan.number)
    scene = photo(plan.photo, plan.width, plan.height, plan.shift)
    context = av.CodecContext.create(plan.codec, "w")
    context.width, context.height, context.pix_fmt = plan.width, plan.height, "yuv420p"
    context.framerate = Fraction(FRAMES_PER_S)
    context.gop_size = FRAMES_PER_S
    context.max_b_frames = 0
    context.thread_count = 1
    # A constant quantiser without adaptive quantisation codes a frozen picture the same every time.
    if plan.codec == "libx264":
        context.options = {
            "preset": "superfast",
            "qp": str(_QUALITY),
            "x264-params": "aq-mode=0:scenecut=0:repeat-headers=1:rc-lookahead=0",
        }
    else:
        common = "aq-mode=0:scenecut=0:repeat-headers=1:rc-lookahead=1:log-level=none:pools=none:frame-threads=1"
        context.options = {"preset": "ultrafast", "x265-params": f"qp={_QUALITY}:keyint={FRAMES_PER_S}:{common}"}
    units: Clip = []
    frozen = plan.fault == "frozen"
    picture = scene
    for index in range(GOPS * FRAMES_PER_S):
        second = index // FRAMES_PER_S
        if index % FRAMES_PER_S == 0 and not frozen:
            picture = damaged(passing(scene, second / GOPS), plan.fault, np.random.default_rng(plan.number))
        clock, name = f"2026-09-01 11:30:{second:02}", f"CAM {plan.number:02}"
        rgb = frame(picture, clock, name, None if frozen else random)
        yuv = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        yuv.pts = index
        units += [bytes(packet) for packet in context.encode(yuv)]
    units += [bytes(packet) for packet in context.encode(None)]
    return units


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "kitchen-patrol" / "demo"


def _pack(units: Clip) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def _load(path: Path) -> Clip:
    raw = path.read_bytes()
    units: Clip = []
    offset = 0
    while offset < len(raw):
        size = int.from_bytes(raw[offset : offset + 4], "big")
        unit = raw[offset + 4 : offset + 4 + size]
        if len(unit) != size or not size:
            raise ValueError(f"{path} is cut short")
        units.append(unit)
        offset += 4 + size
    if len(units) != GOPS * FRAMES_PER_S:
        raise ValueError(f"{path} holds {len(units)} pictures")
    return units
