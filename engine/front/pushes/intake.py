"""The intake of a front: a thread that takes what gateways push, by the same rules as the hub of an engine alone."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping

from engine.clock import NS_PER_S, monotonic_ns, ns
from engine.config.schema import Settings
from engine.errors import WireError
from engine.front.pushes.passing_on import PassingOn
from engine.front.pushes.waiting import Bounds
from engine.hub.keyframes.gateways import Gateways
from engine.hub.keyframes.intake_socket import open_intake
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import DropReason
from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.descriptors import connections_within
from engine.runtime.transport import Channel, Poller, Transport
from engine.serve.access.refusals import Refusals

_WAIT_MS = 100
_MESSAGES_A_TURN = 64
_FLUSH_S = 2.0
_FLUSH_STEP_S = 0.02


def takes_pushes(settings: Settings) -> bool:
    """Whether the front's file wants an intake: it is none of the defaults of a front."""
    return bool(settings.intake.listen) and "listen" in settings.intake.model_fields_set


def bounds_of(settings: Settings) -> Bounds:
    """Return how much may wait at a front, and for how long."""
    front, intake = settings.front, settings.intake
    return Bounds(
        front.shard_queue_frames_max,
        front.shard_queue_bytes_max,
        intake.queue_frames_max,
        intake.queue_bytes_max,
        ns(intake.stale_after_s),
    )


class CameraShards:
    """Which shard has a camera: that of its county, `of_region(region)`. For any thread."""

    def __init__(self, cameras: Mapping[str, Camera], of_region: Callable[[str], int]) -> None:
        self._cameras = cameras
        self._of_region = of_region

    def __call__(self, camera_id: str) -> int:
        """Return the number of the shard; 0 if there is none, or the camera is not in the registry."""
        camera = self._cameras.get(camera_id)
        return 0 if camera is None else self._of_region(camera.region)


class FrontIntake:
    """Takes pushes in a thread of its own from its construction until `close`. `address`: that was bound.

    Raises ListenError if it cannot be bound, ConfigError if the CURVE keys cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        cameras: Mapping[str, Camera],
        shard_of: CameraShards,
        passing_on: PassingOn,
        metrics: Metrics,
        refusals: Refusals,
    ) -> None:
        self._shard_of = shard_of
        self._passing_on = passing_on
        self._stopping = threading.Event()
        self._next_second_ns = 0
        intake = settings.intake
        connections = ConnectionLimit(connections_within(intake.connections_max, share=4))
        with contextlib.ExitStack() as stack:
            transport = Transport()
            stack.callback(transport.close)
            self._pushes, keys, self.address = open_intake(intake, transport, connections, stack)
            self._gateways = Gateways(intake, cameras, keys, metrics, connections, refusals)
            self._stack = stack.pop_all()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether pushes are taken; if not, a fault of ours ended the thread, and stderr says which."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Take nothing any more, and give the shards a moment for what waits."""
        self._stopping.set()
        self._thread.join()
        self._stack.close()
        give_up_s = time.monotonic() + _FLUSH_S
        while not self._passing_on.is_idle and time.monotonic() < give_up_s:
            time.sleep(_FLUSH_STEP_S)
        self._passing_on.shut_down()

    def _run(self) -> None:
        poller = Poller()
        poller.watch("pushes", self._pushes)
        while not self._stopping.is_set():
            if poller.wait(_WAIT_MS):
                self._receive(self._pushes)
                self._passing_on.wake()
            now_ns = monotonic_ns()
            if now_ns >= self._next_second_ns:
                self._next_second_ns = now_ns + NS_PER_S
                self._gateways.each_second(self._pushes.drain_failed_handshakes())
                self._passing_on.each_second()

    def _receive(self, channel: Channel) -> None:
        for _ in range(_MESSAGES_A_TURN):
            frames = channel.receive()
            if frames is None:
                return
            push = self._gateways.receive(frames, channel.sender_key)
            if push is None:
                continue
            camera_id = push.keyframe.camera_id
            shard_no = self._shard_of(camera_id)
            if shard_no:
                self._passing_on.offer(push, shard_no)
            else:
                why = "no shard has the county of its camera; `patrol cluster assign` gives each county one"
                self._gateways.refuse(push.gateway, camera_id, WireError(DropReason.NO_SHARD, why))
