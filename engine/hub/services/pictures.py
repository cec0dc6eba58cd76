"""Pictures for people: of verdicts, of findings, thumbnails. Workers render them from the keyframes that are kept."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from engine.clock import NS_PER_S, monotonic_ns
from engine.errors import NotFoundError
from engine.feed.intake import Intake
from engine.hub.keyframes.render_jobs import with_visit
from engine.hub.services.render_gate import RenderGate
from engine.hub.services.thumbnails import Thumbnails
from engine.hub.state import HubState
from engine.metrics import Metrics
from engine.model.findings import Finding, LedgerEvent
from engine.model.keyframe import Keyframe
from engine.model.picture import FindingPicture, RenderedPicture, etag_of, names_etag
from engine.model.verdict import Verdict
from engine.storage.evidence.exhibits import Exhibit
from engine.storage.evidence.keyframe_file import Facts, verdict_of
from engine.storage.evidence.store import EvidenceStore

_BEHIND_NS = NS_PER_S // 5
_BESIDE = {FindingPicture.BASELINE: "baseline", FindingPicture.LAST_GOOD: "good"}
"""How an exhibit calls the good pictures that it was compared with."""


class PictureService:
    """Implements engine.serve.port.PicturePort; for one event loop."""

    def __init__(self, state: HubState, evidence: EvidenceStore, metrics: Metrics) -> None:
        self._state = state
        self._evidence = evidence
        workers = state.workers
        # Read from another thread: what is a moment old does no harm.
        gate = RenderGate(lambda: len(workers), lambda: _is_behind(workers.intake))
        self._thumbnails = Thumbnails(evidence, gate, self._small, metrics)

    async def picture(
        self,
        camera_id: str,
        visit_id: int,
        side_px_max: int,
        *,
        annotated: bool = False,
        sha256: str = "",
        if_none_match: str = "",
    ) -> RenderedPicture | None:
        """Return a kept keyframe as JPEG; None if it is not kept, or a newer one has replaced it.

        `sha256`: return this exhibit, as this camera sent it. `annotated`: draw in what its verdict rests on.
        `if_none_match`: etags of pictures that the caller has. Raises IntegrityError if an exhibit's bits have changed
        or a keyframe gives no picture, UnavailableError if no worker is ready or too many renders are in flight.
        """
        if sha256:
            exhibit = await self._exhibit(sha256, camera_id)
            kept = None if exhibit is None else (exhibit.keyframe, exhibit.facts)
        else:
            kept = await asyncio.to_thread(self._evidence.latest, camera_id)
        if kept is None or visit_id not in (0, kept[0].visit_id):
            return None
        return await self._rendered(*kept, side_px_max, annotated, if_none_match)

    async def finding_picture(
        self,
        finding: Finding,
        events: Sequence[LedgerEvent],
        event_number: int,
        which: FindingPicture,
        side_px_max: int,
        *,
        annotated: bool = False,
        if_none_match: str = "",
    ) -> RenderedPicture:
        """Return a picture of a finding as JPEG. `event_number`: whose evidence; 0: of the first event that has any.

        Raises NotFoundError with the reason if it is not kept; otherwise as `picture`.
        """
        digest = _cited(finding, events, event_number)
        camera_id = finding.subject.camera_id
        exhibit = await self._exhibit(digest, camera_id)
        if exhibit is not None and which is not FindingPicture.EVIDENCE:
            digest = exhibit.beside.get(_BESIDE[which], "")
            if not digest:
                raise NotFoundError(
                    f"finding {finding.finding_id} has no {which} picture: none of the camera was kept that was good "
                    "before the fault; EVIDENCE asks for the fault itself"
                )
            exhibit = await self._exhibit(digest, camera_id)
        if exhibit is None:
            raise NotFoundError(
                f"the picture of finding {finding.finding_id} is no longer kept: record.evidence_bytes_max was spent "
                f"(SHA-256 {digest}); give more room for the next"
            )
        return await self._rendered(exhibit.keyframe, exhibit.facts, side_px_max, annotated, if_none_match)

    async def thumbnail(self, camera_id: str, side_px_max: int, if_none_match: str) -> RenderedPicture | None:
        """Return a small JPEG of the camera's latest picture; None if none is kept. Raises as Thumbnails.get."""
        return await self._thumbnails.get(camera_id, side_px_max, if_none_match)

    async def _exhibit(self, sha256: str, camera_id: str) -> Exhibit | None:
        return await asyncio.to_thread(self._evidence.get_exhibit, sha256, camera_id)

    async def _rendered(
        self, keyframe: Keyframe, facts: Facts, side_px_max: int, annotated: bool, if_none_match: str
    ) -> RenderedPicture:
        etag = etag_of(keyframe.visit_id, keyframe.arrival_wall_ns, side_px_max, annotated)
        if names_etag(if_none_match, etag):
            origin = keyframe.visit_id, keyframe.arrival_wall_ns
            return RenderedPicture(b"", 0, 0, *origin, etag=etag, not_modified=True)
        annotate = verdict_of(facts, keyframe.camera_id, keyframe.visit_id) if annotated else None
        return replace(await self._render(keyframe, side_px_max, annotate), etag=etag)

    async def _small(self, keyframe: Keyframe, side_px_max: int) -> RenderedPicture:
        etag = etag_of(keyframe.visit_id, keyframe.arrival_wall_ns, side_px_max, False)
        return replace(await self._render(keyframe, side_px_max, None), etag=etag)

    async def _render(self, keyframe: Keyframe, side_px_max: int, annotate: Verdict | None) -> RenderedPicture:
        def order() -> Future[RenderedPicture]:
            camera = self._state.registry.cameras.get(keyframe.camera_id)
            name = "" if camera is None else f"{camera.name} {camera.site_name}".strip()
            return self._state.workers.render(keyframe, side_px_max, annotate, name)

        answer = await asyncio.wrap_future(self._state.calls.ask(order))
        return with_visit(await asyncio.wrap_future(answer), keyframe)


def _is_behind(intake: Intake) -> bool:
    """Whether a keyframe has waited for a worker for longer than a burst of arrivals takes. Any thread may ask."""
    try:
        return intake.oldest_age_ns(monotonic_ns()) > _BEHIND_NS
    except RuntimeError:
        return False  # the hub's thread took the oldest one meanwhile


def _cited(finding: Finding, events: Sequence[LedgerEvent], event_number: int) -> str:
    """Return the SHA-256 that an event cites, with 0 the first that cites any. Raises NotFoundError."""
    citing = {event.number: event.evidence[0] for event in events if event.evidence}
    if event_number in citing:
        return citing[event_number]
    if not citing:
        why = "no keyframe came" if finding.subject.cause_key == "offline" else "record.evidence kept none"
        raise NotFoundError(f"finding {finding.finding_id} has no picture: {why}; ListFindingEvents shows its events")
    if event_number:
        numbers = ", ".join(map(str, citing))
        raise NotFoundError(
            f"event {event_number} of finding {finding.finding_id} cites no keyframe; events that do: {numbers}"
        )
    return next(iter(citing.values()))
