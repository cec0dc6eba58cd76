"""Runs the reader process: it receives keyframes one at a time, decodes them, reads their text, and sends it.

It reads what hostile cameras send, so it is confined as a worker is, and bounded: a picture that spends more CPU time
than it may ends the process (engine/worker/cpu_budget.py), and memory beyond the ceiling is refused by the kernel. It
keeps nothing about a camera between two jobs.
"""

import os

import numpy as np
from PIL import Image

from engine.config.reader import ReaderSettings
from engine.decode.render import decode_rgb, jpeg_of
from engine.errors import DecodeError
from engine.feed.wire import Frame
from engine.model.keyframe import PAYLOAD_BYTES_MAX
from engine.model.overlay import PictureText
from engine.overlay.recognizer import Recognizer, crop_of
from engine.reader import wire
from engine.runtime.confinement import Confined
from engine.runtime.control import Control
from engine.runtime.memory_ceiling import MemoryCeiling
from engine.runtime.transport import Transport
from engine.worker.cpu_budget import CpuBudget
from engine.worker.job_loop import serve_jobs

_CROP_MARGIN_PX = 8
_WARM_UP_PX = (576, 704, 3)


def load(settings: ReaderSettings) -> Recognizer:
    """Return the recognizer, after a first picture: all code and models are loaded before the process is confined."""
    os.nice(settings.nice)
    recognizer = Recognizer()
    recognizer.read(np.zeros(_WARM_UP_PX, np.uint8))
    return recognizer


def run(
    name: str,
    address: str,
    settings: ReaderSettings,
    memory_bytes_max: int,
    recognizer: Recognizer,
    control: Control,
    confined: Confined,
) -> None:
    """Serve the hub at `address` until the supervisor says stop. `memory_bytes_max`: 0 for no ceiling."""
    if memory_bytes_max:
        MemoryCeiling(memory_bytes_max).enforce()
    transport = Transport()
    hub = transport.connect_dealer(address, name)
    budget = CpuBudget(settings.picture_cpu_s_max)
    hub.send([wire.READY])
    try:
        serve_jobs(hub, control, confined, lambda frames: wire.pack_result(_serve(frames, recognizer, budget)))
    finally:
        transport.close()


def _serve(frames: list[Frame], recognizer: Recognizer, budget: CpuBudget) -> wire.Result:
    """Do the job in a message, within its budget. Raises WireError if it is none."""
    job = wire.unpack_job(frames, PAYLOAD_BYTES_MAX)
    budget.begin()
    outcome = run_job(recognizer, job)
    budget.end()
    return wire.Result(job.job_id, outcome)


def run_job(recognizer: Recognizer, job: wire.Job) -> PictureText | bytes | wire.Failed:
    """Do a job; a keyframe that gives no picture, or on which the models fail, is an outcome too."""
    keyframe = job.keyframe
    try:
        rgb = decode_rgb(keyframe.codec, bytes(keyframe.payload))
        if job.crop is None:
            return recognizer.read(rgb)
        return jpeg_of(Image.fromarray(crop_of(rgb, job.crop, _CROP_MARGIN_PX))).jpeg
    except DecodeError as error:
        return wire.Failed(error.reason, str(error))
    except Exception as error:  # noqa: BLE001 (models raise errors of their own libraries, memory that is refused too)
        return wire.Failed("internal", f"{type(error).__name__}: {error}")
