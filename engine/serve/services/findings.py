"""FindingService of patrol.v1: the ledger."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from engine.model.findings import FindingCommand, LoggedEvent, Step
from engine.serve.access.gate import Call
from engine.serve.access.scope import no_finding
from engine.serve.messages.findings import event_message, finding_message, query_of
from engine.serve.messages.paging import Pages, page_size_of
from engine.serve.messages.resource_names import number_of
from engine.serve.streams.watch import seq_of, token_of
from patrol.v1 import findings_pb2, findings_pb2_grpc


class FindingService(findings_pb2_grpc.FindingServiceServicer):
    """Arguments are checked by the gate; what they mean is checked here."""

    def __init__(self, page_size_max: int) -> None:
        self._page_size_max = page_size_max

    async def GetFinding(self, request: findings_pb2.GetFindingRequest, call: Call) -> findings_pb2.Finding:
        """One finding."""
        finding = await call.port.finding(number_of(request.name))
        if finding is None:
            raise no_finding(number_of(request.name))
        return finding_message(finding)

    async def ListFindings(
        self, request: findings_pb2.ListFindingsRequest, call: Call
    ) -> findings_pb2.ListFindingsResponse:
        """A page of findings."""
        query = query_of(request.filter)
        pages = Pages("findings", call.port.region, request.filter.SerializeToString(deterministic=True).hex())
        query = replace(
            query,
            page_size=page_size_of(request.page_size, self._page_size_max),
            page_token=pages.number(request.page_token),
        )
        page = await call.port.findings(query)
        return findings_pb2.ListFindingsResponse(
            findings=map(finding_message, page.findings),
            next_page_token=pages.token(page.next_page_token or None),
            total_size=page.total,
        )

    async def ListFindingEvents(
        self, request: findings_pb2.ListFindingEventsRequest, call: Call
    ) -> findings_pb2.ListFindingEventsResponse:
        """What happened to a finding."""
        finding_id = number_of(request.parent)
        size = page_size_of(request.page_size, self._page_size_max)
        pages = Pages("finding events", call.port.region, finding_id)
        after = pages.number(request.page_token)
        left = [one for one in await call.port.finding_events(finding_id) if one.number > after]
        return findings_pb2.ListFindingEventsResponse(
            events=map(event_message, left[:size]),
            next_page_token=pages.token(left[size - 1].number if len(left) > size else None),
        )

    async def AcknowledgeFinding(
        self, request: findings_pb2.AcknowledgeFindingRequest, call: Call
    ) -> findings_pb2.Finding:
        """Somebody takes it on."""
        return await _act(Step.ACKNOWLEDGED, request, call)

    async def ClaimFinding(self, request: findings_pb2.ClaimFindingRequest, call: Call) -> findings_pb2.Finding:
        """Somebody says that it is mended."""
        return await _act(Step.CLAIMED, request, call)

    async def CloseFinding(self, request: findings_pb2.CloseFindingRequest, call: Call) -> findings_pb2.Finding:
        """Struck off by decision."""
        return await _act(Step.CLOSED, request, call)

    async def DismissFinding(self, request: findings_pb2.DismissFindingRequest, call: Call) -> findings_pb2.Finding:
        """It was no fault, or is none of ours."""
        return await _act(Step.DISMISSED, request, call)

    async def SuperviseFinding(self, request: findings_pb2.SuperviseFindingRequest, call: Call) -> findings_pb2.Finding:
        """A higher level watches over it."""
        return await _act(Step.SUPERVISED, request, call)

    async def WatchFindings(self, request: findings_pb2.WatchFindingsRequest, call: Call) -> AsyncIterator[bytes]:
        """Events of the ledger as they are stored."""
        query = query_of(request.filter)
        after = seq_of(request.resume_token) if request.resume_token else await call.port.finding_head()
        if not request.resume_token:
            yield watch_mark(token_of(after))
        async with aclosing(call.port.watch_findings(query, after)) as coming:
            async for body in coming:
                yield body


def watch_body(one: LoggedEvent) -> bytes:
    """An event as a part of the reply of WatchFindings."""
    change = findings_pb2.FindingChange(event=event_message(one.event), finding=finding_message(one.finding))
    return findings_pb2.WatchFindingsResponse(changes=[change]).SerializeToString()


def watch_mark(resume_token: str) -> bytes:
    """A place as a part of it."""
    return findings_pb2.WatchFindingsResponse(resume_token=resume_token).SerializeToString()


async def _act(step: Step, request: Any, call: Call) -> findings_pb2.Finding:
    """The requests of all commands have the same fields."""
    command = FindingCommand(number_of(request.name), step, request.why, request.expected_number, request.request_id)
    return finding_message(await call.port.act(command))
