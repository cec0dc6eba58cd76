"""Follows the registry of all shards: takes over cameras that come into this shard's counties, leaves those that go.

Who changes a camera's county writes the registry; the hubs of both counties read it here, within a second or two.
"""

import threading

from engine.errors import PatrolError
from engine.hub.local_cameras import LocalCameras
from engine.hub.registry import Registry
from engine.hub.services.kpis import KpiService
from engine.hub.thread_calls import ThreadCalls
from engine.runtime.log import logger
from engine.storage.db.store import Store

_EVERY_S = 1.0
_ANSWER_S = 10.0


class RegistryFollower:
    """Reads what has changed once a second, in a thread of its own, until `close`. `place`: behind the changes that
    this hub has loaded."""

    def __init__(
        self, store: Store, place: int, registry: Registry, cameras: LocalCameras, kpis: KpiService, calls: ThreadCalls
    ) -> None:
        self._store = store
        self._place = place
        self._registry = registry
        self._cameras = cameras
        self._kpis = kpis
        self._calls = calls
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def follow(self) -> None:
        """Apply what has changed since the last time. Raises StoreError, and then the next call begins there again."""
        changes = self._store.changes.after(self._place)
        if changes.camera_ids:
            self._apply(changes.camera_ids)
        self._place = changes.place

    def _apply(self, camera_ids: tuple[str, ...]) -> None:
        counties = self._store.counties or ()
        stored = self._store.registry.statuses(camera_ids)
        here = [status for status in stored.values() if status.camera.region in counties]
        known = self._registry.cameras
        changed = [status for status in here if known.get(status.camera.camera_id) != status.camera]
        staying = {status.camera.camera_id for status in here}
        gone = [camera_id for camera_id in camera_ids if camera_id in known and camera_id not in staying]
        if changed:
            fresh = [status.camera.camera_id for status in changed if status.camera.camera_id not in known]
            judge_states, findings = self._store.judge_states(fresh), self._store.findings.open_of(fresh)
            self._calls.ask(lambda: self._cameras.arrive(changed, judge_states, findings)).result(_ANSWER_S)
            self._kpis.upsert(status.camera for status in changed)
            logger().info("cameras came from elsewhere", cameras=len(changed), new=len(fresh))
        if gone:
            self._calls.ask(lambda: self._cameras.leave(gone)).result(_ANSWER_S)
            self._kpis.remove(gone)
            logger().info("cameras left this shard", cameras=len(gone))

    def _run(self) -> None:
        failing = False
        while not self._stopped.wait(_EVERY_S):
            try:
                self.follow()
                failing = False
            except (PatrolError, TimeoutError) as error:
                if not failing:
                    logger().warning("changes of cameras are not followed", detail=str(error))
                failing = True
