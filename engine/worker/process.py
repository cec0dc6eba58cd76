"""Runs a worker process: it receives jobs, decodes and measures one keyframe at a time, and sends the results.

A worker keeps nothing about a camera between two jobs. A job that spends more CPU time than its picture may take ends
the process (engine/worker/cpu_budget.py).
"""

import gc
from collections.abc import Iterable
from types import ModuleType

from engine.clock import monotonic_ns, thread_cpu_ns
from engine.decode.decoder import Decoder
from engine.decode.photograph import photograph_jpeg
from engine.decode.render import decode_rgb, jpeg_of, render_jpeg
from engine.errors import DecodeError
from engine.feed.wire import Frame
from engine.kernels.score import score
from engine.kernels.summary import STRUCTURE_MIN
from engine.model.active_area import ActiveArea, area_in
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Keyframe
from engine.model.measurement import Measurement
from engine.model.picture import RenderedPicture
from engine.model.verdict import Verdict
from engine.runtime.confinement import Confined
from engine.runtime.control import STOP, TAKE, Control
from engine.runtime.memory import keep_freed_memory
from engine.runtime.transport import Poller, Transport
from engine.worker import wire
from engine.worker.cpu_budget import RENDER_SHARE, CpuBudget
from engine.worker.job_loop import serve_jobs

_WAIT_MS = 1000
_LOOK_EVERY = 8
_GOLDEN = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: its multiples spread evenly, whichever of them are taken."""


def wait_for_place(control: Control) -> bool:
    """Wait as the spare worker until a place is free; return whether it is, and not the end of the engine."""
    poller = Poller()
    poller.watch("control", control.descriptor)
    control.ready()
    while True:
        control.beat()
        if "control" in poller.wait(_WAIT_MS):
            words = {word for word, *_ in control.receive()}
            if STOP in words or TAKE in words:
                return STOP not in words


def run(name: str, address: str, credit: int, cpu_limit_s: float, control: Control, confined: Confined) -> None:
    """Serve the hub at `address` until the supervisor says stop.

    `credit`: jobs that may wait here at once. `cpu_limit_s`: CPU seconds for the largest picture. `confined`: what this
    process was confined to.
    """
    keep_freed_memory()
    transport = Transport()
    hub = transport.connect_dealer(address, name)
    budget = CpuBudget(cpu_limit_s)
    decoder = Decoder(before_decode=budget.size_known)
    hub.send([wire.READY, str(credit).encode()])
    gc.freeze()  # what is loaded stays: the collector need not walk it again and again
    try:
        serve_jobs(
            hub, control, confined, lambda frames: wire.pack_result(_serve(frames, decoder, budget, control)), _jobs_of
        )
    finally:
        decoder.close()
        transport.close()


def _jobs_of(frames: list[Frame]) -> Iterable[list[Frame]]:
    """Return the jobs in a message. Raises WireError if there is none."""
    is_photograph = frames[0] == wire.PHOTOGRAPH
    return wire.split(frames, wire.PHOTOGRAPH_FRAMES if is_photograph else wire.JOB_FRAMES)


def _serve(frames: list[Frame], decoder: Decoder, budget: CpuBudget, control: Control) -> wire.Result:
    """Do a job within its budget. Raises WireError if it is none."""
    if frames[0] == wire.PHOTOGRAPH:
        photograph = wire.unpack_photograph(frames, PAYLOAD_BYTES_MAX)
        control.begins(photograph.job_id)
        budget.begin(RENDER_SHARE)
        result = wire.Result(photograph.job_id, run_photograph(photograph))
    else:
        job = wire.unpack_job(frames, PAYLOAD_BYTES_MAX)
        control.begins(job.job_id)
        if job.annotate is not None:
            _drawing()
        budget.begin(RENDER_SHARE if job.render else 1.0)
        result = wire.Result(job.job_id, run_job(decoder, job))
    budget.end()
    return result


def run_photograph(job: wire.PhotographJob) -> wire.Failed | RenderedPicture:
    """Make a JPEG of a caller's file; one that gives no picture is an outcome too."""
    try:
        return photograph_jpeg(job.payload, job.side_px_max)
    except DecodeError as error:
        return wire.Failed(error.reason, str(error))


def run_job(decoder: Decoder, job: wire.Job) -> Measurement | wire.Failed | RenderedPicture:
    """Do a job; a keyframe that gives no picture is an outcome too."""
    keyframe = job.keyframe
    try:
        if job.annotate is not None:
            return render_annotated(decoder, keyframe, job.annotate, job.side_px_max, job.camera_name)
        if job.render:
            return render_jpeg(keyframe.codec, bytes(keyframe.payload), side_px_max=job.side_px_max)
        return measure(decoder, keyframe, job.known_area)
    except DecodeError as error:
        return wire.Failed(error.reason, str(error))


def render_annotated(
    decoder: Decoder, keyframe: Keyframe, verdict: Verdict, side_px_max: int, camera_name: str = ""
) -> RenderedPicture:
    """Render the keyframe with what the verdict rests on drawn in. Raises DecodeError if it gives no picture."""
    tiles = measure(decoder, keyframe, area_in(verdict.figures)).tiles
    rgb = decode_rgb(keyframe.codec, bytes(keyframe.payload))
    annotate, formatting = _drawing()
    title = "  ".join(filter(None, (keyframe.camera_id, camera_name, formatting.utc_text(keyframe.arrival_wall_ns))))
    sheet = annotate.draw_check(rgb, tiles, verdict, title, STRUCTURE_MIN, side_px_max=side_px_max)
    return jpeg_of(sheet, side_px_max=side_px_max)


def _drawing() -> tuple[ModuleType, ModuleType]:
    """Import what only annotated pictures need: without it a worker starts in two thirds of the time."""
    from engine.terminal import formatting
    from engine.worker import annotate

    return annotate, formatting


def looks_for_bars(visit_id: int) -> bool:
    """Return whether a picture's own bars and views are looked for although its camera's area is known: in one visit of
    eight, whatever the order of visits. The camera's change is a matter of days, and looking costs a fifth of scoring.
    """
    return visit_id * _GOLDEN % 2**64 < 2**64 // _LOOK_EVERY


def measure(decoder: Decoder, keyframe: Keyframe, known_area: ActiveArea | None = None) -> Measurement:
    """Decode and measure one keyframe. Raises DecodeError if it gives no picture.

    `known_area`: the active area that the camera's pictures have; None if it is not known.
    """
    began_ns, began_cpu_ns = monotonic_ns(), thread_cpu_ns()
    picture = decoder.decode(keyframe.codec, keyframe.payload)
    decoded_ns, decoded_cpu_ns = monotonic_ns(), thread_cpu_ns()
    scored = score(picture, known_area, looks=looks_for_bars(keyframe.visit_id))
    scored_ns, scored_cpu_ns = monotonic_ns(), thread_cpu_ns()
    return Measurement(
        camera_id=keyframe.camera_id,
        visit_id=keyframe.visit_id,
        arrival_wall_ns=keyframe.arrival_wall_ns,
        stream_time_ns=keyframe.stream_time_ns,
        source=keyframe.source,
        codec=keyframe.codec,
        width=picture.width,
        height=picture.height,
        pixel_format=picture.pixel_format,
        full_range=picture.full_range,
        interlaced=picture.interlaced,
        damage=picture.damage,
        figures=scored.figures,
        scores=scored.scores,
        tiles=scored.tiles,
        signature=scored.signature,
        decode_ns=decoded_ns - began_ns,
        kernels_ns=scored_ns - decoded_ns,
        decode_cpu_ns=decoded_cpu_ns - began_cpu_ns,
        kernels_cpu_ns=scored_cpu_ns - decoded_cpu_ns,
        headers=picture.headers,
        fragile=picture.fragile,
        area=scored.area,
        seen_area=scored.seen_area,
        views=scored.views,
    )
