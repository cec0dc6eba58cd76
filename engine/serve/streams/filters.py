"""Which news a watcher wants. Pure."""

from dataclasses import dataclass

from engine.model.findings import Finding, FindingQuery, LoggedEvent
from engine.model.verdict import PublishedVerdict


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """Which verdicts; empty fields do not filter. `scope`: the region of the caller's token."""

    region_prefix: str = ""
    site_id: str = ""
    camera_ids: frozenset[str] = frozenset()
    changes_only: bool = False
    scope: str = ""

    def wants(self, one: PublishedVerdict) -> bool:
        """Whether a verdict is for this watcher."""
        return (
            one.region.startswith(self.scope)
            and one.region.startswith(self.region_prefix)
            and (not self.site_id or one.site_id == self.site_id)
            and (not self.camera_ids or one.verdict.camera_id in self.camera_ids)
            and (one.changed or not self.changes_only)
        )


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which events of the ledger: those of the findings that a query asks for. `scope`: as above."""

    query: FindingQuery
    scope: str = ""

    def wants(self, one: LoggedEvent) -> bool:
        """Whether an event is for this watcher."""
        return one.finding.subject.region.startswith(self.scope) and wants_finding(self.query, one.finding)


def wants_finding(query: FindingQuery, finding: Finding) -> bool:
    """Whether a finding is one that the query asks for."""
    subject = finding.subject
    return (
        subject.region.startswith(query.region_prefix)
        and (not query.site_id or subject.site_id == query.site_id)
        and (not query.camera_id or subject.camera_id == query.camera_id)
        and (not query.states or finding.state in query.states)
        and (query.level is None or finding.level == query.level)
        and not (query.open_only and finding.state.ended)
    )
