"""One who uses the cluster through its front meanwhile: reads cameras, and renames them."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.client import CallError, PatrolClient
from engine.model.camera import Camera

_CALL_S = 30.0
_PAUSE_S = 0.2


class Caller:
    """Reads cameras and renames them, one after the other. `names`: by camera, the last that was acknowledged."""

    def __init__(self, address: Callable[[], str], cameras: Sequence[Camera], seed: int) -> None:
        self._address, self._cameras = address, cameras
        self._random = random.Random(seed)
        self.names: dict[str, str] = {}
        self.calls: Counter[str] = Counter()
        self._unsure: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(2 * _CALL_S)

    def lost(self, stored: "dict[str, str]") -> list[str]:
        """Return the cameras whose acknowledged name is not what is stored."""
        sure = {camera: name for camera, name in self.names.items() if camera not in self._unsure}
        return [camera for camera, name in sure.items() if stored.get(camera) != name]

    def _call(self) -> None:
        number = 0
        while not self._stopped.is_set():
            with contextlib.suppress(CallError), PatrolClient(self._address(), timeout_s=_CALL_S) as client:
                while not self._stopped.is_set():
                    number += 1
                    self._once(client, self._random.choice(self._cameras), f"camera {number}")
                    time.sleep(_PAUSE_S)
            time.sleep(_PAUSE_S)

    def _once(self, client: PatrolClient, camera: Camera, name: str) -> None:
        try:
            client.camera(camera.camera_id)
            self.calls["read"] += 1
            self._unsure.add(camera.camera_id)
            client.import_cameras([replace(camera, name=name)])
            self._unsure.discard(camera.camera_id)
            self.names[camera.camera_id] = name
            self.calls["changed"] += 1
        except CallError as error:
            self.calls[f"failed {error.status}"] += 1
            raise
