"""Filters of watches: which verdicts or findings a watcher receives. Pure."""

from dataclasses import dataclass

from engine.model.findings import Finding, FindingQuery, LoggedEvent
from engine.model.verdict import PublishedVerdict, View


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """Which verdicts a watcher receives, and how much of each; empty fields do not filter.

    `scope`: the region of the caller's token.
    """

    region_prefix: str = ""
    site_id: str = ""
    camera_ids: frozenset[str] = frozenset()
    changes_only: bool = False
    scope: str = ""
    view: View = View.FULL

    def matches(self, published: PublishedVerdict) -> bool:
        """Whether a verdict is for this watcher."""
        return (
            published.region.startswith(self.scope)
            and published.region.startswith(self.region_prefix)
            and (not self.site_id or published.site_id == self.site_id)
            and (not self.camera_ids or published.verdict.camera_id in self.camera_ids)
            and (published.changed or not self.changes_only)
        )


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which events of the ledger a watcher receives. `scope`: the region of the caller's token."""

    query: FindingQuery
    scope: str = ""
    view: View = View.FULL

    def matches(self, logged: LoggedEvent) -> bool:
        """Whether an event is for this watcher."""
        return logged.finding.subject.region.startswith(self.scope) and matches_finding(self.query, logged.finding)


def matches_finding(query: FindingQuery, finding: Finding) -> bool:
    """Whether a query selects a finding."""
    subject = finding.subject
    return (
        subject.region.startswith(query.region_prefix)
        and (not query.site_id or subject.site_id == query.site_id)
        and (not query.camera_id or subject.camera_id == query.camera_id)
        and (not query.states or finding.state in query.states)
        and (query.level is None or finding.level == query.level)
        and not (query.open_only and finding.state.ended)
    )
