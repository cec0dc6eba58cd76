"""The cameras of a hub, in all parts that keep something of them in memory."""

from collections.abc import Mapping, Sequence

from engine.clock import monotonic_ns
from engine.hub.catalog import Catalog
from engine.hub.services.findings import FindingsService
from engine.hub.state import HubState
from engine.hub.stories.stories import Stories
from engine.model.camera import Camera
from engine.model.findings import Finding
from engine.model.registry import CameraStatus


class LocalCameras:
    """For the hub's thread."""

    def __init__(self, state: HubState, catalog: Catalog, findings: FindingsService, stories: Stories) -> None:
        self._state = state
        self._catalog = catalog
        self._findings = findings
        self._stories = stories

    def upsert(self, cameras: Sequence[Camera]) -> None:
        """Add cameras, or replace those whose id is known, and visit them."""
        self._state.registry.upsert(cameras)
        self._state.visits.upsert(cameras, monotonic_ns())

    def forget(self, camera_ids: Sequence[str]) -> None:
        """Drop cameras, with all that is known of them. Their findings stay."""
        state = self._state
        state.visits.remove(camera_ids, monotonic_ns())
        state.registry.remove(camera_ids)
        self._catalog.forget(camera_ids)
        self._stories.forget(camera_ids)
        self._findings.forget(camera_ids)
        for camera_id in camera_ids:
            state.judge.forget(camera_id)
            state.workers.proven.forget(camera_id)

    def arrive(
        self, statuses: Sequence[CameraStatus], judge_states: Mapping[str, bytes], findings: Sequence[Finding]
    ) -> None:
        """Take cameras over that another shard had: their latest verdicts, judge states and open findings."""
        registry, known = self._state.registry, self._state.registry.cameras
        fresh = [status for status in statuses if status.camera.camera_id not in known]
        for status in fresh:
            camera_id = status.camera.camera_id
            if camera_id in judge_states:
                self._state.judge.load(camera_id, judge_states[camera_id])
        visited = [verdict.visit_id for status in fresh if (verdict := status.latest) is not None]
        self._state.visits.skip_visit_ids(max(visited, default=0))
        self.upsert([status.camera for status in statuses if known.get(status.camera.camera_id) != status.camera])
        for status in fresh:
            verdict = status.latest
            if verdict is not None:
                registry.announce(verdict.camera_id, verdict.announced, verdict.since_wall_ns)
                self._catalog.show(status)
        arrived = {status.camera.camera_id for status in fresh}
        self._findings.adopt(finding for finding in findings if finding.subject.camera_id in arrived)

    def leave(self, camera_ids: Sequence[str]) -> None:
        """Leave cameras to the shard that has them now, with their open findings."""
        self.forget(camera_ids)
        self._findings.release(camera_ids)
