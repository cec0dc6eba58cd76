"""Those who use the cluster through its front meanwhile: one renames cameras, one works in the ledger, and a gateway
pushes keyframes.
"""

import contextlib
import random
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from bench import province
from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingQuery, FindingState
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport

_CALL_S = 30.0
_PAUSE_S = 0.2
_AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


class User(ABC):
    """Does something over and over in a thread, from `start` until `stop`. `failure`: why it ended by itself, which it
    must not."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it."""
        self.stopped.set()
        self._thread.join(2 * _CALL_S)

    @abstractmethod
    def use(self) -> None:
        """Use the cluster until `stopped`."""

    def _run(self) -> None:
        try:
            self.use()
        except Exception as error:
            self.failure = error


class Caller(User):
    """Reads cameras and renames them, one after the other. `names`: by camera, the last that was acknowledged."""

    def __init__(self, address: Callable[[], str], token: str, cameras: Sequence[Camera], seed: int) -> None:
        super().__init__()
        self._address, self._token, self._cameras = address, token, cameras
        self._random = random.Random(seed)
        self.names: dict[str, str] = {}
        self.calls: Counter[str] = Counter()
        self._unsure: set[str] = set()

    def lost(self, stored: "dict[str, str]") -> list[str]:
        """Return the cameras whose acknowledged name is not what is stored."""
        sure = {camera: name for camera, name in self.names.items() if camera not in self._unsure}
        return [camera for camera, name in sure.items() if stored.get(camera) != name]

    def use(self) -> None:
        """Call, at whatever front there is."""
        number = 0
        while not self.stopped.is_set():
            with (
                contextlib.suppress(CallError),
                PatrolClient(self._address(), token=self._token, timeout_s=_CALL_S) as client,
            ):
                while not self.stopped.is_set():
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


class Clerk(User):
    """Dismisses findings and opens them again, each with words of its own. A call that was not answered is made again
    with the same request id. `acknowledged`: the words of what was; `unsure`: of what may have been done."""

    def __init__(self, address: Callable[[], str], token: str, seed: int) -> None:
        super().__init__()
        self._address, self._token = address, token
        self._random = random.Random(seed)
        self.acknowledged: set[str] = set()
        self.unsure: set[str] = set()
        self.calls: Counter[str] = Counter()

    def use(self) -> None:
        """Change findings, at whatever front there is."""
        while not self.stopped.is_set():
            with contextlib.suppress(CallError), PatrolClient(self._address(), token=self._token) as client:
                found = list(client.findings.list(FindingQuery()))
                if found:
                    self._change(self._random.choice(found))
            time.sleep(_PAUSE_S)

    def _change(self, finding: Finding) -> None:
        why, request_id = f"order {uuid.uuid4().hex}", uuid.uuid4().hex
        while not self.stopped.is_set():
            try:
                with PatrolClient(self._address(), token=self._token, timeout_s=_CALL_S) as client:
                    dismissed = finding.state is FindingState.DISMISSED
                    act = client.findings.reopen if dismissed else client.findings.dismiss
                    act(finding.finding_id, why, request_id=request_id)
                self.acknowledged.add(why)
                self.unsure.discard(why)
                self.calls["acknowledged"] += 1
                return
            except CallError as error:
                self.calls[f"failed {error.status}"] += 1
                if error.status not in _AGAIN:
                    return
                self.unsure.add(why)
                time.sleep(_PAUSE_S)


class Gateway(User):
    """Pushes a keyframe of one camera after the other to the front's intake. `pushed`: so many so far."""

    def __init__(self, intake: str, cameras: Sequence[Camera]) -> None:
        super().__init__()
        self._intake, self._cameras = intake, cameras
        self._payloads = [province.picture(number) for number in range(4)]
        self.pushed = 0

    def use(self) -> None:
        """Push."""
        channel = Transport().connect_push(self._intake)
        while not self.stopped.wait(_PAUSE_S):
            camera_id = self._cameras[self.pushed % len(self._cameras)].camera_id
            payload = self._payloads[self.pushed % len(self._payloads)]
            frame = Keyframe(camera_id, 0, Codec.H264, payload, wall_ns(), None, FeedKind.GATEWAY)
            channel.send(wire.pack_keyframe(frame))
            self.pushed += 1
