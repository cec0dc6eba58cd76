"""A gateway in a process of its own that pushes keyframes to a real engine, for benchmarks."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from bench import province
from engine.clock import wall_ns
from engine.feed import wire
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport

PICTURES = 16
_STOP_S = 30.0
_STEP = 40_503


@contextmanager
def child(target: Any, *arguments: Any) -> "Iterator[Connection[Any, Any]]":
    """Run `target` with these arguments and a pipe in a process of its own; yield the pipe's other end."""
    context = multiprocessing.get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=target, args=(*arguments, child_end), daemon=True)
    process.start()
    child_end.close()
    try:
        yield parent_end
    finally:
        process.terminate()
        process.join()
        parent_end.close()


def push(intake: str, ids: Sequence[str], checks_per_s: float, pipe: "Connection[Any, Any]") -> None:
    """Act as a gateway: push so many keyframes a second at even distances, each of another camera, until told to stop.

    It says `ready` at the beginning, and at the end how many it has pushed.
    """
    payloads = [province.picture(number) for number in range(100, 100 + PICTURES)]
    transport = Transport()
    channel = transport.connect_push(intake)
    pipe.send("ready")
    first = wall_ns() % len(ids)  # each run begins with another camera
    number, began_s = 0, time.monotonic()
    while not pipe.poll(max(0.0, began_s + number / checks_per_s - time.monotonic())):
        camera_id = ids[(first + number * _STEP) % len(ids)]
        frame = Keyframe(camera_id, 0, Codec.H264, payloads[number % PICTURES], wall_ns(), None, FeedKind.GATEWAY)
        channel.send(wire.pack_keyframe(frame))
        number += 1
    pipe.recv()
    pipe.send(number)
    pipe.poll(_STOP_S)
