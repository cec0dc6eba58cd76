"""The thread that has clocks and names read: once a day for each camera, from its latest kept keyframe, one at a time.

It reads files and waits for the reader, so it is no part of the hub's thread; that is asked for the registry, the
reader and the ledger.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S, monotonic_ns
from engine.config.reader import ReaderSettings
from engine.hub.overlay.conclusions import PictureReading, conclude, read_picture
from engine.hub.overlay.reader_link import LOST, Outcome, ReaderLink
from engine.hub.registry import Registry
from engine.hub.services.findings import FindingsService, ReadingProof
from engine.hub.thread_calls import Answer, ThreadCalls
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import Keyframe
from engine.model.overlay import Box, OverlayVerdict, PictureText
from engine.model.photograph import photograph_name
from engine.model.verdict import FaultKind, Verdict
from engine.overlay.confirmation import Confirmation
from engine.overlay.pace import AGAIN_NS, HOUR_NS, Pace
from engine.reader.wire import Failed
from engine.runtime.control import TOO_COSTLY
from engine.runtime.log import logger
from engine.storage.evidence.keyframe_file import verdict_of
from engine.storage.evidence.store import EvidenceStore

_FIRST_S = 5.0
"""The patrol begins before the reading."""
_IDLE_S = 1.0
_RECHECK_NS = 20 * NS_PER_S
"""A re-check reads a camera so long after the ledger has asked: the visit that it orders has brought a keyframe."""
_JOB_S_MAX = 3600.0
"""No job lasts so long: its reader is replaced before. A bound for the hub's own mistakes."""
_HUB_S_MAX = 60.0
_OUTCOMES = {TOO_COSTLY: "too_costly", LOST: "lost"}


class OverlayReadings:
    """`start` begins the thread, `close` ends it. `configure` is for the hub's thread."""

    def __init__(
        self,
        settings: ReaderSettings,
        zone: ZoneInfo,
        link: ReaderLink,
        calls: ThreadCalls,
        registry: Registry,
        findings: FindingsService,
        evidence: EvidenceStore,
        metrics: Metrics,
    ) -> None:
        self._in_force = settings, zone
        self._link = link
        self._calls = calls
        self._registry = registry
        self._findings = findings
        self._evidence = evidence
        self._metrics = metrics
        self._pace = Pace(settings.cameras_per_min)
        self._confirmation = Confirmation()
        self._last_arrival_ns: dict[str, int] = {}
        self._followed_version = -1
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="overlay", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Begin no other reading. One that is under way ends with the process: the hub's thread no longer answers."""
        self._ending.set()

    def configure(self, settings: ReaderSettings, timezone: str) -> None:
        """Apply new settings to the readings that follow."""
        self._in_force = settings, ZoneInfo(timezone)

    def _run(self) -> None:
        wait_s = _FIRST_S
        while not self._ending.wait(wait_s):
            try:
                wait_s = 0.0 if self._turn() else _IDLE_S
            except Exception as error:  # noqa: BLE001 (one camera's keyframe must not end the reading of all others)
                self._metrics.reading("failed")
                logger().warning("clock and name were not read", detail=str(error))
                wait_s = _IDLE_S

    def _turn(self) -> bool:
        """Read the camera that is due; return whether there was one."""
        now_ns = monotonic_ns()
        self._pace.configure(self._in_force[0].cameras_per_min)
        self._follow_registry(now_ns)
        requested, is_free = self._ask(lambda: (self._findings.drain_reading_requests(), self._link.is_free))
        for camera_id in requested:
            self._pace.again(camera_id, now_ns + _RECHECK_NS)
        due = self._pace.take(now_ns) if is_free else None
        if due is None:
            return False
        self._read(due, now_ns)
        return True

    def _follow_registry(self, now_ns: int) -> None:
        """Know the cameras that the registry has now, if it has changed: a province's are not listed each second."""
        if self._registry.version == self._followed_version:
            return
        self._followed_version, cameras = self._ask(lambda: (self._registry.version, self._enabled_cameras()))
        gone = self._pace.follow(cameras, now_ns)
        self._confirmation.forget(gone)
        for camera_id in gone:
            self._last_arrival_ns.pop(camera_id, None)

    def _enabled_cameras(self) -> list[str]:
        return [camera_id for camera_id, camera in self._registry.cameras.items() if camera.enabled]

    def _read(self, camera_id: str, now_ns: int) -> None:
        kept = self._evidence.latest(camera_id)
        camera = self._ask(lambda: self._registry.cameras.get(camera_id))
        if kept is None or camera is None or kept[0].arrival_wall_ns == self._last_arrival_ns.get(camera_id):
            self._metrics.reading("no_keyframe")
            self._pace.again(camera_id, now_ns + HOUR_NS)
            return
        keyframe, facts = kept
        self._last_arrival_ns[camera_id] = keyframe.arrival_wall_ns
        outcome = self._outcome(keyframe)
        if not isinstance(outcome, PictureText):
            self._metrics.reading(_OUTCOMES.get(outcome.reason, "failed") if isinstance(outcome, Failed) else "failed")
            return
        verdict = verdict_of(facts, camera_id, keyframe.visit_id)
        picture = read_picture(outcome, verdict, keyframe.arrival_wall_ns, camera, *self._in_force)
        self._metrics.reading(picture.reading.clock.sign.value)
        conclusion = self._confirmation.add(camera_id, picture.reading)
        if conclusion.is_open:
            self._pace.again(camera_id, now_ns + AGAIN_NS)
        concluded = conclude(picture, conclusion, camera)
        if concluded.faults or concluded.right:
            self._tell(concluded, camera, keyframe, verdict, picture)

    def _tell(
        self, concluded: OverlayVerdict, camera: Camera, keyframe: Keyframe, verdict: Verdict, picture: PictureReading
    ) -> None:
        """Tell the ledger. What opens a finding is kept before the event that cites it is committed, and pinned until
        then."""
        opening = self._ask(lambda: self._findings.opened_by(concluded))
        pinned: list[str] = []
        try:
            proofs = {kind: self._proof(kind, keyframe, verdict, picture, pinned) for kind in opening}
            committed = self._ask(lambda: self._findings.observe_reading(concluded, camera, proofs))
            committed.result(_HUB_S_MAX)
        finally:
            self._evidence.unpin(pinned)

    def _proof(
        self, kind: FaultKind, keyframe: Keyframe, verdict: Verdict, picture: PictureReading, pinned: list[str]
    ) -> ReadingProof:
        """Keep the keyframe as an exhibit, and the part of it that shows the fault; add their names to `pinned`."""
        exhibit = self._evidence.add_exhibit(keyframe, verdict)
        self._evidence.sync()
        box = picture.box_of(kind)
        jpeg = None if box is None else self._outcome(keyframe, box)
        crop = self._evidence.add_photograph(jpeg) if isinstance(jpeg, bytes) else ""
        kept = [*exhibit[:1], *([photograph_name(crop)] if crop else [])]
        self._evidence.pin(kept)
        pinned += kept
        return ReadingProof(exhibit[:1], (crop,) if crop else ())

    def _outcome(self, keyframe: Keyframe, crop: Box | None = None) -> Outcome:
        answer: Future[Outcome] = self._ask(lambda: self._link.ask(keyframe, crop))
        return answer.result(_JOB_S_MAX)

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """Run a call in the hub's thread. Raises TimeoutError if it does not answer."""
        return self._calls.ask(call).result(_HUB_S_MAX)
