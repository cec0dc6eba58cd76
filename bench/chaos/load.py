"""Those who use the engine meanwhile: callers who read, an operator who changes cameras, a gateway that pushes."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from bench import province
from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.errors import PatrolError
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.registry import CameraQuery
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport

PUSHED = tuple(f"pushed-{number}" for number in range(24))
_PICTURES = 8
_READ_PAUSE_S = 0.1
_CHANGE_PAUSE_S = 0.5
_RETRY_S = 0.3
_PUSH_PAUSE_S = 0.05
_PUSHES_PER_S = 5.0
_FLOOD_FRAMES = 3000
_KEPT_MAX = 200
"""Cameras of the operator; the oldest are removed again."""
_CALL_S = 5.0


class Load:
    """Runs in threads until `stop`. `read`: calls that were answered; `failed`: calls that were not, by their code.
    `push_per_s`: keyframes that the gateway pushes; may be set at any time."""

    def __init__(self, address: str, intake: str, camera_ids: Sequence[str], seed: int) -> None:
        self._address = address
        self._intake = intake
        self._camera_ids = camera_ids
        self._seed = seed
        self._stopped = threading.Event()
        self._flood = threading.Event()
        self._threads: list[threading.Thread] = []
        self.read = 0
        self.failed: Counter[str] = Counter()
        self.pushed = 0
        self.push_per_s = _PUSHES_PER_S
        self.created: list[str] = []
        self.removed: list[str] = []
        self._doubtful: set[str] = set()

    def start(self) -> None:
        """Start two readers, an operator and a gateway."""
        jobs = (self._read, self._read, self._change, self._push)
        self._threads = [
            threading.Thread(target=job, args=(number,), daemon=True) for number, job in enumerate(jobs, self._seed)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, and wait until all calls have ended."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def flood_frames(self) -> None:
        """Have the gateway push thousands of keyframes at once."""
        self._flood.set()

    def flood_calls(self, seconds: float) -> None:
        """Have 48 callers read pages as fast as they can."""
        until_s = time.monotonic() + seconds

        def read() -> None:
            with PatrolClient(self._address, timeout_s=_CALL_S) as client:
                while time.monotonic() < until_s:
                    with suppress(PatrolError):
                        client.page(CameraQuery(page_size=100))

        threads = [threading.Thread(target=read, daemon=True) for _ in range(48)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + _CALL_S)

    def change_registry(self, number: int) -> None:
        """Import 300 cameras, and remove them again."""
        cameras = [Camera(f"brief-{number}-{n}", f"rtsp://127.0.0.1:1/{n}", push=True) for n in range(300)]
        with PatrolClient(self._address, timeout_s=_CALL_S) as client, suppress(PatrolError):
            client.import_cameras(cameras)
            client.remove_cameras([camera.camera_id for camera in cameras])

    def acknowledged_changes_lost(self) -> list[str]:
        """Return the cameras whose creation or removal was acknowledged, and is not there."""
        with PatrolClient(self._address, timeout_s=30) as client:
            present = {status.camera.camera_id for status in client.cameras()}
        gone = {*self.removed, *self._doubtful}
        lost = [camera_id for camera_id in self.created if camera_id not in present and camera_id not in gone]
        return lost + [camera_id for camera_id in self.removed if camera_id in present]

    def _read(self, seed: int) -> None:
        chance = random.Random(seed)
        with PatrolClient(self._address, timeout_s=_CALL_S) as client:
            while not self._stopped.wait(_READ_PAUSE_S):
                try:
                    if chance.random() < 0.8:
                        client.camera(chance.choice(self._camera_ids))
                    else:
                        client.page(CameraQuery(page_size=50))
                    self.read += 1
                except CallError as error:
                    self.failed[error.status] += 1

    def _change(self, seed: int) -> None:
        """Create cameras, and remove the oldest: each change again until it is acknowledged, under one request id."""
        number = 0
        with PatrolClient(self._address, timeout_s=_CALL_S) as client:
            while not self._stopped.wait(_CHANGE_PAUSE_S):
                number += 1
                camera = Camera(f"operator-{seed}-{number}", f"rtsp://127.0.0.1:1/{number}", push=True)
                request_id = f"create-{seed}-{number}"
                while not self._stopped.is_set():
                    try:
                        client.create_camera(camera, request_id)
                        self.created.append(camera.camera_id)
                        break
                    except CallError as error:
                        self.failed[error.status] += 1
                        self._stopped.wait(_RETRY_S)
                if number > _KEPT_MAX:
                    oldest = self.created[len(self.removed) + len(self._doubtful)]
                    try:
                        client.remove_cameras([oldest])
                        self.removed.append(oldest)
                    except CallError:
                        self._doubtful.add(oldest)  # it may be gone, and may not

    def _push(self, seed: int) -> None:
        payloads = [province.picture(number) for number in range(100, 100 + _PICTURES)]
        chance = random.Random(seed)
        transport = Transport()
        channel = transport.connect_push(self._intake)
        due = 0.0
        while not self._stopped.wait(_PUSH_PAUSE_S):
            due += _PUSH_PAUSE_S * self.push_per_s
            count = _FLOOD_FRAMES if self._flood.is_set() else int(due)
            due -= int(due)
            self._flood.clear()
            for _ in range(count):
                camera_id = chance.choice(PUSHED)
                payload = chance.choice(payloads)
                frame = Keyframe(camera_id, 0, Codec.H264, payload, wall_ns(), None, FeedKind.GATEWAY)
                self.pushed += channel.send(wire.pack_keyframe(frame)) is not False
        transport.close()
