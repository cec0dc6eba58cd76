"""What belongs to the hub's thread, in one value."""

from dataclasses import dataclass

from engine.hub.configuration import Configuration
from engine.hub.keyframes.judging import Judge
from engine.hub.keyframes.pipeline import KeyframePipeline
from engine.hub.keyframes.worker_pool import WorkerPool
from engine.hub.registry import Registry
from engine.hub.telemetry import Telemetry
from engine.hub.thread_calls import ThreadCalls
from engine.hub.visiting.visits import Visits
from engine.model.keyframe import Keyframe


@dataclass(frozen=True, slots=True)
class HubState:
    """Only the hub's thread may touch these. Other threads reach them through `calls`."""

    calls: ThreadCalls
    registry: Registry
    visits: Visits
    workers: WorkerPool
    judge: Judge
    pipeline: KeyframePipeline
    telemetry: Telemetry
    configuration: Configuration

    def pushed(self, keyframe: Keyframe, now_ns: int) -> None:
        """Pass on a keyframe that a gateway pushed, to this engine or to a front."""
        self.visits.pushed(keyframe.camera_id, now_ns)
        self.pipeline.arrived(keyframe, now_ns)
