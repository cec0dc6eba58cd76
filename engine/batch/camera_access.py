"""Gives commands all that is known of one camera: through the engine's API if it runs, else from database and files."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.batch.picture_order import PictureOrder, Which, fault_event
from engine.batch.registry import running_engine, unknown_camera
from engine.client import CallError, PatrolClient
from engine.config.schema import Settings
from engine.errors import NotFoundError, PatrolError
from engine.interchange.registry_rules import masked
from engine.model.findings import Finding, FindingQuery, LedgerEvent
from engine.model.picture import FindingPicture, RenderedPicture
from engine.model.registry import CameraStatus
from engine.model.schedule import CameraPlanReport
from engine.model.stories.story import CameraStory
from engine.model.verdict import LoggedVerdict, Verdict
from engine.redact import redact
from engine.storage.db.passwords.keys import source_of
from engine.storage.db.store import Store

if TYPE_CHECKING:
    from engine.batch.kept_pictures import PictureFiles

_API_PICTURE = {
    Which.FAULT: FindingPicture.EVIDENCE,
    Which.BASELINE: FindingPicture.BASELINE,
    Which.LAST_GOOD: FindingPicture.LAST_GOOD,
}
_PAGE_ROWS = 100
_FINDINGS_MAX = 100


class CameraAccess(Protocol):
    """Where a command reads of cameras and findings. `name` says for people where that is. Raises PatrolError."""

    name: str

    def status(self, camera_id: str) -> CameraStatus:
        """Return a camera with its latest verdict, passwords masked."""

    def plan(self, camera_id: str) -> CameraPlanReport | None:
        """Return when a camera is due, and why; None if no engine runs."""

    def verdicts(self, camera_id: str) -> Iterator[Verdict]:
        """Yield the verdicts on a camera that are kept, newest first."""

    def logged(self, camera_id: str) -> Iterator[LoggedVerdict]:
        """Yield the same with their places in the verdict log, where these are known."""

    def story(self, camera_id: str) -> CameraStory:
        """Return the story of a camera that a running engine keeps; one without events if there is none."""

    def findings(self, camera_id: str, *, open_only: bool) -> list[Finding]:
        """Return the findings about a camera, newest first, at most 100."""

    def finding_events(self, finding_id: int) -> Sequence[LedgerEvent]:
        """Return the events of a finding, oldest first."""

    def picture_of_camera(self, camera_id: str, order: PictureOrder) -> RenderedPicture:
        """Return a picture of a camera."""

    def picture_of_finding(self, finding_id: int, order: PictureOrder) -> RenderedPicture:
        """Return a picture of a finding's fault, of what it was compared with, or the latest of its camera."""


class ApiCameras:
    """Cameras and findings of a running engine, through its API."""

    def __init__(self, client: PatrolClient, address: str) -> None:
        self._client = client
        self.name = f"the engine at {address}"

    def status(self, camera_id: str) -> CameraStatus:
        """Return a camera with its latest verdict. Raises CallError."""
        return self._client.camera(camera_id)

    def plan(self, camera_id: str) -> CameraPlanReport | None:
        """Return when a camera is due, and why. Raises CallError."""
        return self._client.plan(camera_id)

    def verdicts(self, camera_id: str) -> Iterator[Verdict]:
        """Yield the verdicts on a camera that are kept, newest first. Raises CallError."""
        return self._client.verdicts(camera_id, _PAGE_ROWS)

    def logged(self, camera_id: str) -> Iterator[LoggedVerdict]:
        """Yield the same without their places, which the API does not tell. Raises CallError."""
        return (LoggedVerdict(0, verdict, changed=False) for verdict in self.verdicts(camera_id))

    def story(self, camera_id: str) -> CameraStory:
        """Return the story of a camera. Raises CallError."""
        try:
            return self._client.story(camera_id)
        except CallError as error:
            if error.status != "UNIMPLEMENTED":  # an engine of the release before
                raise
            return CameraStory(camera_id)

    def finding_events(self, finding_id: int) -> Sequence[LedgerEvent]:
        """Return the events of a finding, oldest first. Raises CallError."""
        return tuple(self._client.findings.events(finding_id))

    def findings(self, camera_id: str, *, open_only: bool) -> list[Finding]:
        """Return the findings about a camera, newest first. Raises CallError."""
        query = FindingQuery(camera_id=camera_id, open_only=open_only, page_size=_FINDINGS_MAX)
        return list(islice(self._client.findings.list(query), _FINDINGS_MAX))

    def picture_of_camera(self, camera_id: str, order: PictureOrder) -> RenderedPicture:
        """Return a picture of a camera; but for the latest it is one of its newest finding with a picture.

        Raises PatrolError.
        """
        if order.which is Which.LATEST:
            return self._client.picture(camera_id, side_px_max=order.side_px_max, annotated=order.annotated)
        for finding in self.findings(camera_id, open_only=False):
            event = fault_event(self._client.findings.events(finding.finding_id))
            if event is not None:
                return self._of_event(event, order)
        raise NotFoundError(
            f"no finding about camera {camera_id!r} has a picture; --which latest is its latest picture"
        )

    def picture_of_finding(self, finding_id: int, order: PictureOrder) -> RenderedPicture:
        """Return a picture of a finding. Raises PatrolError."""
        if order.which is Which.LATEST:
            return self.picture_of_camera(self._client.findings.get(finding_id).subject.camera_id, order)
        event = fault_event(self._client.findings.events(finding_id))
        if event is None:
            raise _without_picture(finding_id)
        return self._of_event(event, order)

    def _of_event(self, event: LedgerEvent, order: PictureOrder) -> RenderedPicture:
        return self._client.findings.picture(
            event.finding_id,
            _API_PICTURE[order.which],
            event_number=event.number,
            side_px_max=order.side_px_max,
            annotated=order.annotated,
        )


class KeptCameras:
    """Cameras and findings in the database, and the pictures that the engine has kept beside it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._record = settings.record
        self.name = f"the database {redact(settings.record.url)}"

    def status(self, camera_id: str) -> CameraStatus:
        """Return a camera with its latest verdict. Raises RegistryError if there is no such camera."""
        status = self._store.registry.get(camera_id)
        if status is None:
            raise unknown_camera(camera_id, self.name)
        return replace(status, camera=masked(status.camera))

    def plan(self, camera_id: str) -> CameraPlanReport | None:
        """Return None: only a running engine has a plan."""
        return None

    def verdicts(self, camera_id: str) -> Iterator[Verdict]:
        """Yield the verdicts on a camera that are kept, newest first."""
        return (logged.verdict for logged in self.logged(camera_id))

    def logged(self, camera_id: str) -> Iterator[LoggedVerdict]:
        """Yield the same with their places in the verdict log."""
        before_seq = 0
        while rows := self._store.history.of_camera(camera_id, before_seq, _PAGE_ROWS):
            yield from rows
            before_seq = rows[-1].seq

    def story(self, camera_id: str) -> CameraStory:
        """Return a story without events: only a running engine keeps one."""
        return CameraStory(camera_id)

    def finding_events(self, finding_id: int) -> Sequence[LedgerEvent]:
        """Return the events of a finding, oldest first."""
        return self._store.findings.events_of(finding_id)

    def findings(self, camera_id: str, *, open_only: bool) -> list[Finding]:
        """Return the findings about a camera, newest first."""
        query = FindingQuery(camera_id=camera_id, open_only=open_only, page_size=_FINDINGS_MAX)
        return list(self._store.findings.page(query).findings)

    def picture_of_camera(self, camera_id: str, order: PictureOrder) -> RenderedPicture:
        """Return a picture of a camera; its fault is the last picture that was not ok. Raises PatrolError."""
        return self._pictures().of_camera(self.status(camera_id).camera.camera_id, order)

    def picture_of_finding(self, finding_id: int, order: PictureOrder) -> RenderedPicture:
        """Return a picture of a finding. Raises PatrolError if there is no such finding, or its picture is not kept."""
        finding = self._store.findings.get(finding_id)
        if finding is None:
            raise NotFoundError(f"findings/{finding_id}: there is none such in {self.name}")
        camera_id = finding.subject.camera_id
        if order.which is Which.LATEST:
            return self._pictures().of_camera(camera_id, order)
        event = fault_event(self._store.findings.events_of(finding_id))
        if event is None:
            raise _without_picture(finding_id)
        return self._pictures().of_exhibit(event.evidence[0], camera_id, order)

    def _pictures(self) -> "PictureFiles":
        from engine.batch.kept_pictures import PictureFiles  # loads compiled kernels, and few commands draw

        return PictureFiles(self._record)


@contextmanager
def open_cameras(
    settings: Settings, server: str, token: str, ca: Path | None, *, files: bool = False
) -> Iterator[CameraAccess]:
    """Open the engine if it answers; else, unless `server` names one, the database and the files beside it.

    `files`: read them even if an engine runs, unless `server` names one. Raises NoDatabaseError without a database.
    """
    if server or not files:
        with running_engine(settings, server, token, ca) as client:
            if client is not None:
                yield ApiCameras(client, server or settings.serve.grpc_listen)
                return
    with closing(Store.open_existing(settings.record.url, source_of(settings.record))) as store:
        yield KeptCameras(store, settings)


def _without_picture(finding_id: int) -> PatrolError:
    return NotFoundError(f"findings/{finding_id} has no picture: no keyframe showed it; --which latest is the camera's")
