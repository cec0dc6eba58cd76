"""The findings as one caller may see them: the part of ScopedHub that is about the ledger."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.errors import ErrorReason, NotFoundError
from engine.model.access import Actor
from engine.model.digest import DigestQuery, DigestReport
from engine.model.findings import (
    Finding,
    FindingCommand,
    FindingCount,
    FindingCounts,
    FindingPage,
    FindingQuery,
    FindingSummary,
    GroupBy,
    LedgerEvent,
    LoggedEvent,
)
from engine.model.photograph import Photograph
from engine.model.picture import FindingPicture, RenderedPicture
from engine.model.viewing import Viewer
from engine.serve.access.not_found import no_finding
from engine.serve.messages.places import Places
from engine.serve.messages.resource_names import numbered_name
from engine.serve.port import HubPort
from engine.serve.streams.broadcast import Broadcast
from engine.serve.streams.filters import FindingFilter

Found = TypeVar("Found")


class ScopedFindings:
    """Calls the ledger on behalf of one caller. Raises whatever it raises; see LedgerPort in serve/port.py.

    `places`: writes the caller's page tokens and resume tokens.
    """

    def __init__(self, hub: HubPort, actor: Actor, findings: Broadcast[LoggedEvent], places: Places) -> None:
        self._hub = hub
        self._actor = actor
        self._region = actor.region
        self._findings = findings
        self._places = places
        self._hidden = False
        self._changed = False
        self._shown_pictures: list[str] = []

    @property
    def places(self) -> Places:
        """What writes the caller's page tokens and resume tokens."""
        return self._places

    @property
    def hidden(self) -> bool:
        """Whether the call named something that is not in the caller's region, or does not exist: the audit log must
        not tell the one from the other."""
        return self._hidden

    @property
    def changed(self) -> bool:
        """Whether the call asked the hub to change something; a call that did not was refused, or had nothing to do."""
        return self._changed

    @property
    def shown(self) -> list[str]:
        """The pictures that the call shows."""
        return self._shown_pictures

    async def finding(self, finding_id: int) -> Finding | None:
        """Return a finding; None if there is none, or it is of another region."""
        finding = await self._hub.ledger.finding(finding_id)
        return self._seen(finding if finding is not None and self._actor.sees(finding.subject.region) else None)

    async def findings(self, query: FindingQuery) -> FindingPage:
        """Return a page of findings of the caller's region."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return FindingPage((), None, 0)
        return await self._hub.ledger.findings(replace(query, region_prefix=prefix))

    async def finding_summary(self, query: FindingQuery, tables: Sequence[tuple[GroupBy, ...]]) -> FindingSummary:
        """Count findings of the caller's region."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return FindingSummary(FindingCount(), tuple(FindingCounts(by, ()) for by in tables))
        return await self._hub.ledger.finding_summary(replace(query, region_prefix=prefix), tables)

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """Return the events of a finding. Raises NotFoundError for a finding of another region."""
        if await self.finding(finding_id) is None:
            raise no_finding(finding_id)
        return await self._hub.ledger.finding_events(finding_id)

    async def finding_picture(
        self,
        finding_id: int,
        event_number: int,
        which: FindingPicture,
        side_px_max: int,
        *,
        annotated: bool = False,
        if_none_match: str = "",
    ) -> tuple[Finding, RenderedPicture]:
        """Return a picture of a finding, and the finding. Raises NotFoundError for a finding of another region."""
        finding = await self.finding(finding_id)
        if finding is None:
            raise no_finding(finding_id)
        events = await self._hub.ledger.finding_events(finding_id)
        picture = await self._hub.pictures.finding_picture(
            finding, events, event_number, which, side_px_max, annotated=annotated, if_none_match=if_none_match
        )
        if not picture.not_modified:
            place = f"/events/{event_number}" if event_number else ""
            self._shown_pictures.append(f"{numbered_name('findings', finding_id)}{place} {which}")
        return finding, picture

    async def finding_photograph(
        self, finding_id: int, event_number: int, sha256: str, if_none_match: str
    ) -> Photograph:
        """Return a photograph of a finding. `event_number`: of the event that has it; 0: of any.

        Raises NotFoundError if there is none, and for a finding of another region.
        """
        name = numbered_name("findings", finding_id)
        events = await self.finding_events(finding_id)
        having = [event.number for event in events if sha256 in event.photographs and event_number in (0, event.number)]
        if not having:
            where = f"event {event_number} of {name}" if event_number else name
            raise NotFoundError(f"{where} has no photograph {sha256}; ListFindingEvents shows which there are")
        photograph = await self._hub.photographs.photograph(sha256, if_none_match)
        if photograph is None:
            raise NotFoundError(
                f"the photograph {sha256} of {name} is no longer kept: record.evidence_bytes_max was spent; give more "
                "room for the next"
            )
        if not photograph.not_modified:
            self._shown_pictures.append(f"{name}/events/{having[0]} photograph")
        return photograph

    async def mark_viewing(self, finding_id: int, viewing: bool) -> tuple[Viewer, ...]:
        """Note whether the caller has a finding open; return who has. Raises NotFoundError as `act` does."""
        if await self.finding(finding_id) is None:
            raise no_finding(finding_id)
        return self._hub.viewers.mark(finding_id, self._actor.name, viewing)

    async def viewers(self, finding_ids: Sequence[int]) -> Mapping[int, tuple[Viewer, ...]]:
        """Return who has the findings open; those of other regions, and that do not exist, are left out."""
        known = await self._hub.ledger.findings_of(finding_ids)
        own = [number for number, finding in known.items() if self._actor.sees(finding.subject.region)]
        self._hide(len(own) < len(set(finding_ids)))
        return self._hub.viewers.of(own)

    async def act(self, command: FindingCommand, photographs: Sequence[bytes] = ()) -> Finding:
        """Carry out a command as the caller. Raises NotFoundError for a finding of another region.

        `photographs`: files that came with a claim. Nothing is decoded for a command that is refused.
        """
        if await self.finding(command.finding_id) is None:
            raise no_finding(command.finding_id)
        if not photographs:
            return await self._changing.ledger.act(command, self._actor)
        done = await self._hub.ledger.check(command, self._actor)
        if done is not None:
            return done
        async with self._hub.photographs.kept(photographs) as digests:
            return await self._changing.ledger.act(replace(command, photographs=digests), self._actor)

    async def act_all(self, commands: Sequence[FindingCommand]) -> tuple[Finding | Exception, ...]:
        """Carry out commands as the caller, each by itself; of a finding of another region: NotFoundError."""
        known = await self._hub.ledger.findings_of([command.finding_id for command in commands])
        own = {finding_id for finding_id, finding in known.items() if self._actor.sees(finding.subject.region)}
        allowed = [command for command in commands if command.finding_id in own]
        self._hide(len(allowed) < len(commands))
        outcomes = iter(await self._changing.ledger.act_all(allowed, self._actor) if allowed else ())
        return tuple(
            next(outcomes) if command.finding_id in own else no_finding(command.finding_id) for command in commands
        )

    async def digest(self, query: DigestQuery) -> DigestReport:
        """Make a digest of the part of a region that the caller sees.

        Raises NotFoundError, with the same message, if it sees no part, and if nothing was counted or found there.
        """
        prefix = self._narrowed(query.region_prefix)
        made = None if prefix is None else await self._hub.digests.digest(replace(query, region_prefix=prefix))
        if made is None or made.empty:
            raise NotFoundError(
                f"region {query.region_prefix!r}: nothing was counted or found in this period; give another region or "
                "date",
                reason=ErrorReason.DIGEST_EMPTY,
                metadata={"region": query.region_prefix},
            )
        return made

    async def finding_head(self) -> int:
        """Return the `seq` after which a watch of findings begins that begins now."""
        return await self._findings.head()

    async def watch_findings(self, query: FindingQuery, after: int) -> AsyncGenerator[bytes, None]:
        """Yield encoded replies with findings of the caller's region; raises as Broadcast.messages does."""
        with self._findings.admitted():
            async for message in self._findings.messages(after, FindingFilter(query, self._places)):
                yield message

    @property
    def _changing(self) -> HubPort:
        """The hub, to change something there."""
        self._changed = True
        return self._hub

    def _narrowed(self, prefix: str) -> str | None:
        """The part of a region that the caller sees; None if it sees no part."""
        if prefix.startswith(self._region):
            return prefix
        return self._seen(self._region if self._region.startswith(prefix) else None)

    def _seen(self, found: Found | None) -> Found | None:
        """Return what was found, and note if it is nothing."""
        self._hide(found is None)
        return found

    def _hide(self, hidden: bool) -> None:
        """Note that something is not in the caller's region; a token of all regions is refused nothing for that."""
        self._hidden |= hidden and bool(self._region)
