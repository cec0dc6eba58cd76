"""Loads the compiled reading of packets, compiles it if no process has yet, and runs it once."""

from engine.feed.rtsp.packet_runs import Fragments
from engine.runtime import numba_cache
from engine.runtime.compile_stage import OnStage, tell_nobody


def warm_up(on_stage: OnStage = tell_nobody) -> None:
    """Pass over no packet. Must run before anything else imports the compiled module."""
    numba_cache.load("packets", "engine.feed.packets.runs", on_stage=on_stage)
    from engine.feed.packets.runs import COMPILED

    COMPILED.skip_slices(b"$", 0, 0, 1)
    COMPILED.take_fragments(b"$", 0, 0, 1, 96, Fragments(sequence=0, timestamp=0, unit_type=5, room=1))
