"""Models the machine that runs the patrol: cores that check keyframes, their queue, FFmpeg's threads. Pure."""

from collections import deque
from heapq import heapreplace

from engine.clock import ns
from engine.config.schema import Settings
from engine.hub.visiting.feeder_pool import visits_allowed
from engine.simulation.camera_model import NEVER_ANSWERED
from engine.simulation.world import World


class Machine:
    """A first-come-first-served queue; the cost of a check depends on the camera's stream.

    `servers`: checks at a time: one for each core, and no more than there are workers.
    """

    def __init__(self, settings: Settings, world: World, cores: int) -> None:
        feed = settings.feed
        self.servers = min(cores, settings.worker.count or cores)
        self._free_ns = [0] * self.servers
        self._threads_free_ns = [0] * (feed.demuxers * feed.demux_threads)  # a heap
        self._order_timeout_ns = ns(settings.scheduler.order_timeout_s)
        self._cost_ns = [round(stream.cpu_ms * 1e6) for stream in world.streams]
        self._sub_cost_ns = [round(stream.sub_cpu_ms * 1e6) for stream in world.streams]
        self._begins_ns: deque[int] = deque()  # of waiting keyframes, ascending
        self.feeders = feed.feeders * feed.visits_per_feeder_max + feed.demuxers * feed.demux_threads
        self._room = settings.intake.queue_frames_max // 2
        self._accepted_ns = 0
        self.waiting_max = 0

    def check(self, stream: int, now_ns: int, *, on_sub: bool = False) -> int:
        """Queue the check of a keyframe that arrives now; return when its verdict is done. `on_sub`: the keyframe is
        one of the sub-stream."""
        begins_ns = max(now_ns, self._free_ns[0])
        cost_ns = (self._sub_cost_ns if on_sub else self._cost_ns)[stream]
        self._accepted_ns += cost_ns
        heapreplace(self._free_ns, begins_ns + cost_ns)
        if begins_ns > now_ns:
            self._begins_ns.append(begins_ns)
        return begins_ns + cost_ns

    def demux(self, duration_ns: int, now_ns: int) -> int:
        """Return how long a visit by FFmpeg lasts, its wait for a thread included; NEVER_ANSWERED if its order expires
        before a thread is free. Visits by our own RTSP client need no thread.
        """
        threads_free_ns = self._threads_free_ns
        if not threads_free_ns or threads_free_ns[0] - now_ns >= self._order_timeout_ns:
            return NEVER_ANSWERED
        ends_ns = max(now_ns, threads_free_ns[0]) + duration_ns
        heapreplace(threads_free_ns, ends_ns)
        return ends_ns - now_ns

    def done_ns(self, now_ns: int) -> int:
        """Return the CPU time spent until now; accepted work that is not done yet does not count."""
        return self._accepted_ns - sum(max(0, free_ns - now_ns) for free_ns in self._free_ns)

    def waiting(self, now_ns: int) -> int:
        """Return the number of keyframes that wait for a core."""
        begins_ns = self._begins_ns
        while begins_ns and begins_ns[0] <= now_ns:
            begins_ns.popleft()
        self.waiting_max = max(self.waiting_max, len(begins_ns))
        return len(begins_ns)

    def visits_allowed(self, now_ns: int) -> int:
        """Return how many visits the hub would allow now; see engine/hub/feeder_pool.py."""
        return visits_allowed(self.feeders, self._room - self.waiting(now_ns))
