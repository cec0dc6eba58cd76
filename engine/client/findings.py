"""Calls FindingService: the ledger of findings."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.client.channel import CallError, Channel, error_of_status
from engine.model.digest import DigestQuery, DigestReport
from engine.model.findings import Finding, FindingQuery, FindingSummary, GroupBy, LedgerEvent
from engine.model.photograph import Photograph
from engine.model.picture import FindingPicture, RenderedPicture
from engine.model.viewing import Viewer
from engine.serve.messages.digests import digest_of, digest_query_message
from engine.serve.messages.findings import (
    COLLECTION,
    event_of,
    filter_message,
    finding_of,
    order_text,
    summary_of,
    viewers_of,
)
from engine.serve.messages.pictures import finding_picture_number, photograph_of, picture_of
from engine.serve.messages.resource_names import number_of, numbered_name
from patrol.v1 import findings_pb2, findings_pb2_grpc


@dataclass(frozen=True, slots=True)
class FindingChanges:
    """Events that were stored together, each with its finding. `resume_token`: resumes the watch after them."""

    changes: tuple[tuple[LedgerEvent, Finding], ...]
    resume_token: str


class FindingClient:
    """The ledger. Every method raises CallError.

    Of commands: FAILED_PRECONDITION: the finding's state does not allow it; ABORTED: more has happened to the finding
    than `number`, its latest event as the caller knows it (0: do not check). A retry with the same `request_id` is the
    same command.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = findings_pb2_grpc.FindingServiceStub(channel.grpc_channel)

    def get(self, finding_id: int) -> Finding:
        """Return a finding."""
        request = findings_pb2.GetFindingRequest(name=numbered_name(COLLECTION, finding_id))
        return finding_of(self._channel.call(self._stub.GetFinding, request))

    def list(self, query: FindingQuery | None = None) -> Iterator[Finding]:
        """Yield all findings of a query in its order, page by page. `query.after` is ignored.

        By number they come newest first, whatever `query.descending` says.
        """
        query = query or FindingQuery()
        request = findings_pb2.ListFindingsRequest(
            filter=filter_message(query), page_size=query.page_size, order_by=order_text(query)
        )
        while True:
            reply = self._channel.call(self._stub.ListFindings, request)
            yield from map(finding_of, reply.findings)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return

    def summarize(
        self, query: FindingQuery | None = None, tables: Iterable[tuple[GroupBy, ...]] = ()
    ) -> FindingSummary:
        """Count the findings of a filter: all of them, and grouped in each of the ways of `tables`, at most 16."""
        request = findings_pb2.SummarizeFindingsRequest(
            filter=filter_message(query or FindingQuery()), group_by=map(",".join, tables)
        )
        return summary_of(self._channel.call(self._stub.SummarizeFindings, request))

    def digest(self, query: DigestQuery | None = None) -> DigestReport:
        """Return the digest of a region. NOT_FOUND: nothing was counted or found in its period."""
        request = digest_query_message(query or DigestQuery())
        return digest_of(self._channel.call(self._stub.GetDigest, request))

    def events(self, finding_id: int) -> Iterator[LedgerEvent]:
        """Yield the events of a finding, oldest first, page by page."""
        request = findings_pb2.ListFindingEventsRequest(parent=numbered_name(COLLECTION, finding_id))
        while True:
            reply = self._channel.call(self._stub.ListFindingEvents, request)
            yield from map(event_of, reply.events)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return

    def acknowledge(self, finding_id: int, why: str = "", *, number: int = 0, request_id: str = "") -> Finding:
        """Acknowledge a finding: a person has seen it."""
        return self._act(
            self._stub.AcknowledgeFinding, findings_pb2.AcknowledgeFindingRequest, finding_id, why, number, request_id
        )

    def claim(
        self,
        finding_id: int,
        why: str = "",
        *,
        number: int = 0,
        request_id: str = "",
        photographs: Sequence[bytes] = (),
    ) -> Finding:
        """Claim that the fault is put right; rechecks decide.

        `photographs`: up to three JPEG or PNG files, of at most 5,000,000 bytes and 40 megapixels, that show it.
        """
        request = findings_pb2.ClaimFindingRequest(
            name=numbered_name(COLLECTION, finding_id),
            why=why,
            expected_number=number,
            request_id=request_id,
            photographs=photographs,
        )
        return finding_of(self._channel.call(self._stub.ClaimFinding, request))

    def close(self, finding_id: int, why: str, *, number: int = 0, request_id: str = "") -> Finding:
        """Close a finding by decision, without a passed recheck."""
        return self._act(self._stub.CloseFinding, findings_pb2.CloseFindingRequest, finding_id, why, number, request_id)

    def dismiss(self, finding_id: int, why: str, *, number: int = 0, request_id: str = "") -> Finding:
        """Dismiss a finding: it is no fault, or not one to be put right here."""
        return self._act(
            self._stub.DismissFinding, findings_pb2.DismissFindingRequest, finding_id, why, number, request_id
        )

    def reopen(self, finding_id: int, why: str, *, number: int = 0, request_id: str = "") -> Finding:
        """Undo a person's dismissal: the finding stands again as it stood before."""
        return self._act(
            self._stub.ReopenFinding, findings_pb2.ReopenFindingRequest, finding_id, why, number, request_id
        )

    def supervise(self, finding_id: int, why: str, *, number: int = 0, request_id: str = "") -> Finding:
        """Put a finding under the supervision of a higher level."""
        return self._act(
            self._stub.SuperviseFinding, findings_pb2.SuperviseFindingRequest, finding_id, why, number, request_id
        )

    def acknowledge_all(
        self, findings: Mapping[int, int], why: str = "", *, request_id: str = ""
    ) -> tuple[Finding | CallError, ...]:
        """Acknowledge findings, each by itself; return what `acknowledge` would return or raise, in their order.

        `findings`: by number of the finding, the number of its latest event as the caller knows it (0: do not check);
        at most 1,000.
        """
        request = findings_pb2.BatchAcknowledgeFindingsRequest
        return self._act_all(self._stub.BatchAcknowledgeFindings, request, findings, why, request_id)

    def claim_all(
        self, findings: Mapping[int, int], why: str = "", *, request_id: str = ""
    ) -> tuple[Finding | CallError, ...]:
        """Claim that faults are put right; otherwise as `acknowledge_all`."""
        request = findings_pb2.BatchClaimFindingsRequest
        return self._act_all(self._stub.BatchClaimFindings, request, findings, why, request_id)

    def dismiss_all(
        self, findings: Mapping[int, int], why: str, *, request_id: str = ""
    ) -> tuple[Finding | CallError, ...]:
        """Dismiss findings; otherwise as `acknowledge_all`."""
        request = findings_pb2.BatchDismissFindingsRequest
        return self._act_all(self._stub.BatchDismissFindings, request, findings, why, request_id)

    def picture(
        self,
        finding_id: int,
        which: FindingPicture = FindingPicture.EVIDENCE,
        *,
        event_number: int = 0,
        side_px_max: int = 0,
        annotated: bool = False,
        etag: str = "",
    ) -> RenderedPicture:
        """Return a picture of a finding; `event_number`: whose evidence, 0: of the first event that has any.

        NOT_FOUND, with the reason: it is not kept. `etag`: of a picture that the caller has.
        """
        request = findings_pb2.GetFindingPictureRequest(
            name=numbered_name(COLLECTION, finding_id),
            picture=finding_picture_number(which),
            event_number=event_number,
            side_px_max=side_px_max,
            annotated=annotated,
            if_none_match=etag,
        )
        return picture_of(self._channel.call(self._stub.GetFindingPicture, request))

    def photograph(self, finding_id: int, sha256: str, *, event_number: int = 0, etag: str = "") -> Photograph:
        """Return a photograph that came with a claim; `event_number`: of the event that has it, 0: of any.

        NOT_FOUND, with the reason: there is none, or it is no longer kept. `etag`: of one that the caller has.
        """
        request = findings_pb2.GetFindingPhotographRequest(
            name=numbered_name(COLLECTION, finding_id), event_number=event_number, sha256=sha256, if_none_match=etag
        )
        return photograph_of(self._channel.call(self._stub.GetFindingPhotograph, request))

    def mark_viewing(self, finding_id: int, *, viewing: bool = True) -> tuple[Viewer, ...]:
        """Say that the caller has a finding open, or no longer has; return who has. A mark ends after 60 s."""
        request = findings_pb2.MarkViewingRequest(name=numbered_name(COLLECTION, finding_id), viewing=viewing)
        return viewers_of(self._channel.call(self._stub.MarkViewing, request))

    def viewers(self, finding_ids: Iterable[int]) -> Mapping[int, tuple[Viewer, ...]]:
        """Return who has findings open, by number; at most 100 at once."""
        names = [numbered_name(COLLECTION, finding_id) for finding_id in finding_ids]
        reply = self._channel.call(self._stub.ListViewers, findings_pb2.ListViewersRequest(names=names))
        return {number_of(found.name): viewers_of(found) for found in reply.findings}

    def watch(self, query: FindingQuery | None = None, resume_token: str = "") -> Generator[FindingChanges, None, None]:
        """Yield events as they are stored, with resume tokens; close the iterator to end the watch."""
        request = findings_pb2.WatchFindingsRequest(
            filter=filter_message(query or FindingQuery()), resume_token=resume_token
        )
        for reply in self._channel.stream(self._stub.WatchFindings, request):
            changes = tuple((event_of(change.event), finding_of(change.finding)) for change in reply.changes)
            yield FindingChanges(changes, reply.resume_token)

    def _act_all(
        self, method: Any, request: Any, findings: Mapping[int, int], why: str, request_id: str
    ) -> tuple[Finding | CallError, ...]:
        targets = [
            findings_pb2.FindingTarget(name=numbered_name(COLLECTION, finding_id), expected_number=number)
            for finding_id, number in findings.items()
        ]
        reply = self._channel.call(method, request(targets=targets, why=why, request_id=request_id))
        return tuple(
            finding_of(result.finding) if result.HasField("finding") else error_of_status(result.error)
            for result in reply.results
        )

    def _act(self, method: Any, request: Any, finding_id: int, why: str, number: int, request_id: str) -> Finding:
        name = numbered_name(COLLECTION, finding_id)
        message = request(name=name, why=why, expected_number=number, request_id=request_id)
        return finding_of(self._channel.call(method, message))
