"""FindingService of patrol.v1: the ledger."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from engine.model.findings import FindingCommand, LoggedEvent, Step
from engine.model.verdict import View
from engine.serve.access.interceptor import Call
from engine.serve.access.not_found import no_finding
from engine.serve.messages.findings import event_message, finding_message, query_of
from engine.serve.messages.paging import PageTokens, page_size_of
from engine.serve.messages.pictures import finding_picture_of, picture_message
from engine.serve.messages.resource_names import number_of
from engine.serve.messages.resume_token import decode_resume_token, encode_resume_token
from patrol.v1 import findings_pb2, findings_pb2_grpc, patrol_pb2


class FindingService(findings_pb2_grpc.FindingServiceServicer):
    """Findings, their events, and the commands on them."""

    def __init__(self, page_size_max: int) -> None:
        self._page_size_max = page_size_max

    async def GetFinding(self, request: findings_pb2.GetFindingRequest, call: Call) -> findings_pb2.Finding:
        """Return a finding."""
        finding = await call.hub.finding(number_of(request.name))
        if finding is None:
            raise no_finding(number_of(request.name))
        return finding_message(finding)

    async def ListFindings(
        self, request: findings_pb2.ListFindingsRequest, call: Call
    ) -> findings_pb2.ListFindingsResponse:
        """Return a page of findings."""
        query = query_of(request.filter)
        pages = PageTokens("findings", call.hub.region, request.filter.SerializeToString(deterministic=True).hex())
        query = replace(
            query,
            page_size=page_size_of(request.page_size, self._page_size_max),
            page_token=pages.number(request.page_token),
        )
        page = await call.hub.findings(query)
        return findings_pb2.ListFindingsResponse(
            findings=map(finding_message, page.findings),
            next_page_token=pages.token(page.next_page_token or None),
            total_size=page.total,
        )

    async def ListFindingEvents(
        self, request: findings_pb2.ListFindingEventsRequest, call: Call
    ) -> findings_pb2.ListFindingEventsResponse:
        """Return a page of the events of a finding."""
        finding_id = number_of(request.parent)
        size = page_size_of(request.page_size, self._page_size_max)
        pages = PageTokens("finding events", call.hub.region, finding_id)
        after = pages.number(request.page_token)
        events = [event for event in await call.hub.finding_events(finding_id) if event.number > after]
        return findings_pb2.ListFindingEventsResponse(
            events=map(event_message, events[:size]),
            next_page_token=pages.token(events[size - 1].number if len(events) > size else None),
        )

    async def AcknowledgeFinding(
        self, request: findings_pb2.AcknowledgeFindingRequest, call: Call
    ) -> findings_pb2.Finding:
        """Record that a person has seen the finding."""
        return await _act(Step.ACKNOWLEDGED, request, call)

    async def ClaimFinding(self, request: findings_pb2.ClaimFindingRequest, call: Call) -> findings_pb2.Finding:
        """Record a person's claim that the fault is put right."""
        return await _act(Step.CLAIMED, request, call)

    async def CloseFinding(self, request: findings_pb2.CloseFindingRequest, call: Call) -> findings_pb2.Finding:
        """Close the finding by a person's decision."""
        return await _act(Step.CLOSED, request, call)

    async def DismissFinding(self, request: findings_pb2.DismissFindingRequest, call: Call) -> findings_pb2.Finding:
        """Dismiss the finding: it is no fault, or not one to be put right here."""
        return await _act(Step.DISMISSED, request, call)

    async def SuperviseFinding(self, request: findings_pb2.SuperviseFindingRequest, call: Call) -> findings_pb2.Finding:
        """Put the finding under the supervision of a higher level."""
        return await _act(Step.SUPERVISED, request, call)

    async def WatchFindings(self, request: findings_pb2.WatchFindingsRequest, call: Call) -> AsyncIterator[bytes]:
        """Send events of the ledger as they are stored."""
        query = query_of(request.filter)
        after = decode_resume_token(request.resume_token) if request.resume_token else await call.hub.finding_head()
        if not request.resume_token:
            yield encode_watch_token(encode_resume_token(after))
        async with aclosing(call.hub.watch_findings(query, after)) as messages:
            async for message in messages:
                yield message

    async def GetFindingPicture(self, request: findings_pb2.GetFindingPictureRequest, call: Call) -> patrol_pb2.Picture:
        """Return a picture of a finding. Raises NotFoundError, with the reason, if none is kept."""
        finding, picture = await call.hub.finding_picture(
            number_of(request.name),
            request.event_number,
            finding_picture_of(request.picture),
            request.side_px_max,
            annotated=request.annotated,
            if_none_match=request.if_none_match,
        )
        return picture_message(picture, finding.subject.camera_id)


def encode_watch_event(logged: LoggedEvent, _: View) -> bytes:
    """Return a WatchFindingsResponse that holds only an event; such messages can be joined. Findings have one view."""
    change = findings_pb2.FindingChange(event=event_message(logged.event), finding=finding_message(logged.finding))
    return findings_pb2.WatchFindingsResponse(changes=[change]).SerializeToString()


def encode_watch_token(resume_token: str) -> bytes:
    """Return a WatchFindingsResponse that holds only a resume token; it can be joined with others."""
    return findings_pb2.WatchFindingsResponse(resume_token=resume_token).SerializeToString()


async def _act(step: Step, request: Any, call: Call) -> findings_pb2.Finding:
    """Carry out a command; the requests of all commands have the same fields."""
    command = FindingCommand(number_of(request.name), step, request.why, request.expected_number, request.request_id)
    return finding_message(await call.hub.act(command))
