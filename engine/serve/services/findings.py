"""FindingService of patrol.v1: the ledger."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from engine.errors import InvalidArgumentError
from engine.model.findings import (
    REQUEST_ID_CHARS_MAX,
    Finding,
    FindingCommand,
    FindingCursor,
    GroupBy,
    LoggedEvent,
    Step,
)
from engine.model.verdict import View
from engine.serve.access.interceptor import Call
from engine.serve.access.not_found import no_finding
from engine.serve.messages.digests import digest_message, digest_query_of
from engine.serve.messages.findings import (
    event_message,
    finding_message,
    order_of,
    query_of,
    summary_message,
    viewers_message,
)
from engine.serve.messages.paging import PageTokens, page_size_of
from engine.serve.messages.pictures import finding_picture_of, photograph_message, picture_message
from engine.serve.messages.resource_names import number_of
from engine.serve.messages.resume_token import decode_resume_token, encode_resume_token
from engine.serve.status import status_of
from engine.serve.streams.filters import FINDINGS
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
        order, descending = order_of(request.order_by)
        filtered = request.filter.SerializeToString(deterministic=True).hex()
        pages = PageTokens("findings", call.hub.places, filtered, order, descending)
        place = pages.numbers(request.page_token, 2)
        query = replace(
            query_of(request.filter),
            page_size=page_size_of(request.page_size, self._page_size_max),
            order=order,
            descending=descending,
            after=FindingCursor(*place) if place else None,
        )
        page = await call.hub.findings(query)
        mark = page.next_after
        return findings_pb2.ListFindingsResponse(
            findings=map(finding_message, page.findings),
            next_page_token=pages.token(None if mark is None else (mark.finding_id, mark.value)),
            total_size=page.total,
        )

    async def SummarizeFindings(
        self, request: findings_pb2.SummarizeFindingsRequest, call: Call
    ) -> findings_pb2.SummarizeFindingsResponse:
        """Count findings by group. Raises InvalidArgumentError for a table that names a value twice."""
        tables = [_table_of(text, f"group_by[{index}]") for index, text in enumerate(request.group_by)]
        return summary_message(await call.hub.finding_summary(query_of(request.filter), tables))

    async def ListFindingEvents(
        self, request: findings_pb2.ListFindingEventsRequest, call: Call
    ) -> findings_pb2.ListFindingEventsResponse:
        """Return a page of the events of a finding."""
        finding_id = number_of(request.parent)
        size = page_size_of(request.page_size, self._page_size_max)
        pages = PageTokens("finding events", call.hub.places, finding_id)
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
        """Record a person's claim that the fault is put right, with photographs of it."""
        return await _act(Step.CLAIMED, request, call, request.photographs)

    async def CloseFinding(self, request: findings_pb2.CloseFindingRequest, call: Call) -> findings_pb2.Finding:
        """Close the finding by a person's decision."""
        return await _act(Step.CLOSED, request, call)

    async def DismissFinding(self, request: findings_pb2.DismissFindingRequest, call: Call) -> findings_pb2.Finding:
        """Dismiss the finding: it is no fault, or not one to be put right here."""
        return await _act(Step.DISMISSED, request, call)

    async def ReopenFinding(self, request: findings_pb2.ReopenFindingRequest, call: Call) -> findings_pb2.Finding:
        """Undo a person's dismissal of the finding."""
        return await _act(Step.REOPENED, request, call)

    async def SuperviseFinding(self, request: findings_pb2.SuperviseFindingRequest, call: Call) -> findings_pb2.Finding:
        """Put the finding under the supervision of a higher level."""
        return await _act(Step.SUPERVISED, request, call)

    async def BatchAcknowledgeFindings(
        self, request: findings_pb2.BatchAcknowledgeFindingsRequest, call: Call
    ) -> findings_pb2.BatchAcknowledgeFindingsResponse:
        """Record that a person has seen the findings."""
        results, succeeded = await _act_all(Step.ACKNOWLEDGED, "Acknowledge", request, call)
        return findings_pb2.BatchAcknowledgeFindingsResponse(results=results, succeeded=succeeded)

    async def BatchClaimFindings(
        self, request: findings_pb2.BatchClaimFindingsRequest, call: Call
    ) -> findings_pb2.BatchClaimFindingsResponse:
        """Record a person's claim that the faults are put right."""
        results, succeeded = await _act_all(Step.CLAIMED, "Claim", request, call)
        return findings_pb2.BatchClaimFindingsResponse(results=results, succeeded=succeeded)

    async def BatchDismissFindings(
        self, request: findings_pb2.BatchDismissFindingsRequest, call: Call
    ) -> findings_pb2.BatchDismissFindingsResponse:
        """Dismiss the findings, each as DismissFinding does."""
        results, succeeded = await _act_all(Step.DISMISSED, "Dismiss", request, call)
        return findings_pb2.BatchDismissFindingsResponse(results=results, succeeded=succeeded)

    async def GetDigest(self, request: findings_pb2.GetDigestRequest, call: Call) -> findings_pb2.Digest:
        """Make the digest of a region. It is coded in a thread, because other calls need the event loop."""
        report = await call.hub.digest(digest_query_of(request))
        return await asyncio.to_thread(digest_message, report)

    async def WatchFindings(self, request: findings_pb2.WatchFindingsRequest, call: Call) -> AsyncIterator[bytes]:
        """Send events of the ledger as they are stored."""
        query = query_of(request.filter)
        if request.resume_token:
            after = decode_resume_token(request.resume_token, FINDINGS, call.hub.places)
        else:
            after = await call.hub.finding_head()
        if not request.resume_token:
            yield encode_watch_token(encode_resume_token(after, FINDINGS, call.hub.places))
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

    async def GetFindingPhotograph(
        self, request: findings_pb2.GetFindingPhotographRequest, call: Call
    ) -> findings_pb2.Photograph:
        """Return a photograph that came with a claim. Raises NotFoundError, with the reason, if none is kept."""
        photograph = await call.hub.finding_photograph(
            number_of(request.name), request.event_number, request.sha256, request.if_none_match
        )
        return photograph_message(photograph)

    async def MarkViewing(self, request: findings_pb2.MarkViewingRequest, call: Call) -> findings_pb2.FindingViewers:
        """Note whether the caller has the finding open; return who has."""
        finding_id = number_of(request.name)
        return viewers_message(finding_id, await call.hub.mark_viewing(finding_id, request.viewing))

    async def ListViewers(
        self, request: findings_pb2.ListViewersRequest, call: Call
    ) -> findings_pb2.ListViewersResponse:
        """Return who has the findings open."""
        finding_ids = [number_of(name) for name in request.names]
        viewers = await call.hub.viewers(finding_ids)
        return findings_pb2.ListViewersResponse(
            findings=(viewers_message(number, viewers.get(number, ())) for number in finding_ids)
        )


def encode_watch_event(logged: LoggedEvent, _: View) -> bytes:
    """Return a WatchFindingsResponse that holds only an event; such messages can be joined. Findings have one view."""
    change = findings_pb2.FindingChange(event=event_message(logged.event), finding=finding_message(logged.finding))
    return findings_pb2.WatchFindingsResponse(changes=[change]).SerializeToString()


def encode_watch_token(resume_token: str) -> bytes:
    """Return a WatchFindingsResponse that holds only a resume token; it can be joined with others."""
    return findings_pb2.WatchFindingsResponse(resume_token=resume_token).SerializeToString()


async def _act(step: Step, request: Any, call: Call, photographs: Sequence[bytes] = ()) -> findings_pb2.Finding:
    """Carry out a command; the requests of all commands have the same fields, and a claim has photographs."""
    command = FindingCommand(number_of(request.name), step, request.why, request.expected_number, request.request_id)
    return finding_message(await call.hub.act(command, photographs))


async def _act_all(step: Step, word: str, request: Any, call: Call) -> tuple[list[findings_pb2.FindingResult], int]:
    """Carry out a command on each target; the requests of all batches have the same fields.

    Returns the results in the order of the targets, and how many have a finding. `word`: of the call for one finding.
    """
    names = [target.name for target in request.targets]
    _check_once(names)
    commands = [
        FindingCommand(
            number_of(target.name),
            step,
            request.why,
            target.expected_number,
            _row_request_id(request.request_id, target.name),
        )
        for target in request.targets
    ]
    outcomes = await call.hub.act_all(commands)
    succeeded = sum(isinstance(outcome, Finding) for outcome in outcomes)
    call.subject += f": {succeeded} done"
    # Of a thousand it takes some 20 ms, and other calls need the event loop.
    results = await asyncio.to_thread(_results, names, outcomes, f"FindingService/{word}Finding")
    return results, succeeded


def _check_once(names: Sequence[str]) -> None:
    """Raise InvalidArgumentError for a finding that is named twice."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            raise InvalidArgumentError(
                f"targets[{index}].name", f"{name!r} is targets[{first[name]}] too; name each finding once"
            )


def _row_request_id(request_id: str, name: str) -> str:
    """Return the request id that one row of a batch is stored with: the ledger knows commands on single findings."""
    if not request_id:
        return ""
    return hashlib.sha256(f"{request_id}\0{name}".encode()).hexdigest()[:REQUEST_ID_CHARS_MAX]


def _results(
    names: Sequence[str], outcomes: Sequence[Finding | Exception], method: str
) -> list[findings_pb2.FindingResult]:
    return [
        findings_pb2.FindingResult(name=name, finding=finding_message(outcome))
        if isinstance(outcome, Finding)
        else findings_pb2.FindingResult(name=name, error=status_of(outcome, method))
        for name, outcome in zip(names, outcomes, strict=True)
    ]


def _table_of(text: str, field: str) -> tuple[GroupBy, ...]:
    """Return the groups that a table is made by; the .proto has checked their names."""
    by = tuple(GroupBy(part) for part in text.split(","))
    regions = [group for group in by if group in (GroupBy.PROVINCE, GroupBy.CITY, GroupBy.COUNTY)]
    if len(set(by)) < len(by) or len(regions) > 1:
        raise InvalidArgumentError(
            field, f"{text!r}; allowed: each value once, and one of province, city and county; leave the others out"
        )
    return by
