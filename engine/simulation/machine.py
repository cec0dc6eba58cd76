"""The machine that runs the patrol: cores that check keyframes, the queue before them, FFmpeg's threads. Pure."""

from collections import deque
from heapq import heapreplace

from engine.clock import ns
from engine.config.schema import Settings
from engine.hub.feeder_pool import visits_allowed
from engine.simulation.camera_model import NEVER_ANSWERED
from engine.simulation.world import World


class Machine:
    """First come, first served; a check costs what its stream's codec and size cost.

    `servers`: checks at a time: one a core, and no more than there are workers.
    """

    def __init__(self, settings: Settings, world: World, cores: int) -> None:
        feed = settings.feed
        self.servers = min(cores, settings.worker.count or cores)
        self._free_ns = [0] * self.servers
        self._threads_ns = [0] * (feed.demuxers * feed.demux_threads)  # when each is free; a heap
        self._order_timeout_ns = ns(settings.scheduler.order_timeout_s)
        self._cost_ns = [round(one.cpu_ms * 1e6) for one in world.streams]
        self._begins_ns: deque[int] = deque()  # of keyframes that wait, ascending
        self.feeders = feed.feeders * feed.visits_per_feeder_max + feed.demuxers * feed.demux_threads
        self._room = settings.intake.queue_frames_max // 2
        self._taken_ns = 0
        self.waiting_max = 0

    def check(self, stream: int, now_ns: int) -> int:
        """A keyframe has come; when its verdict is there."""
        begins_ns = max(now_ns, self._free_ns[0])
        cost_ns = self._cost_ns[stream]
        self._taken_ns += cost_ns
        heapreplace(self._free_ns, begins_ns + cost_ns)
        if begins_ns > now_ns:
            self._begins_ns.append(begins_ns)
        return begins_ns + cost_ns

    def demux(self, lasts_ns: int, now_ns: int) -> int:
        """A visit by FFmpeg: how long it lasts, with its wait for a thread. NEVER_ANSWERED: it is given up before
        one is free. Our own RTSP needs none.
        """
        threads_ns = self._threads_ns
        if not threads_ns or threads_ns[0] - now_ns >= self._order_timeout_ns:
            return NEVER_ANSWERED
        ends_ns = max(now_ns, threads_ns[0]) + lasts_ns
        heapreplace(threads_ns, ends_ns)
        return ends_ns - now_ns

    def done_ns(self, now_ns: int) -> int:
        """CPU spent until now; what was taken on and is not done yet does not count."""
        return self._taken_ns - sum(max(0, free_ns - now_ns) for free_ns in self._free_ns)

    def waiting(self, now_ns: int) -> int:
        """Keyframes that wait for a core."""
        begins_ns = self._begins_ns
        while begins_ns and begins_ns[0] <= now_ns:
            begins_ns.popleft()
        self.waiting_max = max(self.waiting_max, len(begins_ns))
        return len(begins_ns)

    def visits_allowed(self, now_ns: int) -> int:
        """What the hub would allow now; see engine/hub/board.py."""
        return visits_allowed(self.feeders, self._room - self.waiting(now_ns))
