"""Checks from outside on which stream each camera is visited, from the text of docs/scheduler.md alone."""

from dataclasses import dataclass

from engine.config.schema import SchedulerSettings
from engine.model.camera import CameraStream
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.classes import base_class, is_suspicious
from engine.scheduler.events import CameraPlan, Judged

_ASKED = "somebody asked for it"


@dataclass
class _Known:
    """What is known of one camera. `why_main`: why its next visit must be on the main stream; empty: it need not."""

    why_main: str = ""
    subs_in_a_row: int = 0


class StreamAuditor:
    """Each method returns what is wrong; empty if nothing is."""

    def __init__(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._cameras: dict[str, _Known] = {}

    def configure(self, settings: SchedulerSettings) -> None:
        """Take other settings; runs of visits begin anew."""
        self._settings = settings
        for known in self._cameras.values():
            known.subs_in_a_row = 0

    def forget(self, camera_id: str) -> None:
        """A camera is gone, or is another now."""
        self._cameras.pop(camera_id, None)

    def asked(self, camera_id: str) -> None:
        """Somebody asked for a camera."""
        self._known(camera_id).why_main = _ASKED

    def judged(self, event: Judged) -> None:
        """The judge spoke; while its camera fails, that changes nothing."""
        known = self._known(event.camera_id)
        if known.why_main in ("", "the judge", "a sub-stream failed"):
            doubted = is_suspicious(event.state, event.announced) or event.main_soon or event.main_next
            known.why_main = "the judge" if doubted else ""

    def ended(self, camera_id: str, stream: CameraStream, failure: FailureReason | None) -> None:
        """A visit ended."""
        known = self._known(camera_id)
        if failure is not None and failure not in NOT_JUDGED:
            known.why_main = "a sub-stream failed" if stream is CameraStream.SUB else "its last visit failed"
        elif failure is None and known.why_main != "the judge":
            known.why_main = ""

    def started(self, plan: CameraPlan, stream: CameraStream, *, probes: bool) -> str:
        """A visit begins."""
        known, settings = self._known(plan.camera_id), self._settings
        if stream is CameraStream.MAIN:
            known.subs_in_a_row = 0
            known.why_main = "" if known.why_main == _ASKED else known.why_main
            return ""
        known.subs_in_a_row += 1
        policy = settings.streams.get(base_class(plan.key_point, plan.required, settings).label, "main")  # type: ignore[call-overload]
        why = known.why_main or ("it probes" if probes else "")
        if not plan.sub or policy == "main":
            return f"{plan.camera_id} is visited on a sub-stream, which its policy {policy} does not allow"
        if why:
            return f"{plan.camera_id} is visited on its sub-stream, although {why}"
        if policy == "sub_with_main" and known.subs_in_a_row >= settings.main_every:
            return f"{plan.camera_id} was visited on its sub-stream {known.subs_in_a_row} times in a row"
        return ""

    def _known(self, camera_id: str) -> _Known:
        return self._cameras.setdefault(camera_id, _Known())
