"""Filters of watches: which verdicts or findings a watcher receives. Pure."""

from dataclasses import dataclass

from engine.model.findings import Finding, FindingQuery, LoggedEvent
from engine.model.verdict import PublishedVerdict, Severity, View
from engine.serve.messages.places import ALL_REGIONS, Places
from engine.serve.messages.resume_token import encode_resume_token

VERDICTS, FINDINGS = "verdicts", "findings"
"""The logs that are watched."""


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """Which verdicts a watcher receives, and how much of each; empty fields do not filter.

    `places`: of the caller, with the region of its token.
    """

    region_prefix: str = ""
    site_id: str = ""
    camera_ids: frozenset[str] = frozenset()
    changes_only: bool = False
    places: Places = ALL_REGIONS
    view: View = View.FULL

    def resume_token(self, seq: int) -> str:
        """Return the watcher's token of a place in the log."""
        return encode_resume_token(seq, VERDICTS, self.places)

    def matches(self, published: PublishedVerdict) -> bool:
        """Whether a verdict is for this watcher."""
        return (
            published.region.startswith(self.places.region)
            and published.region.startswith(self.region_prefix)
            and (not self.site_id or published.site_id == self.site_id)
            and (not self.camera_ids or published.verdict.camera_id in self.camera_ids)
            and (published.changed or not self.changes_only)
        )


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which events of the ledger a watcher receives. `places`: of the caller, with the region of its token."""

    query: FindingQuery
    places: Places = ALL_REGIONS
    view: View = View.FULL

    def resume_token(self, seq: int) -> str:
        """Return the watcher's token of a place in the log."""
        return encode_resume_token(seq, FINDINGS, self.places)

    def matches(self, logged: LoggedEvent) -> bool:
        """Whether an event is for this watcher."""
        return logged.finding.subject.region.startswith(self.places.region) and matches_finding(
            self.query, logged.finding
        )


def matches_finding(query: FindingQuery, finding: Finding) -> bool:
    """Whether a query selects a finding."""
    subject, text, severities = finding.subject, query.text.lower(), list(Severity)
    return (
        subject.region.startswith(query.region_prefix)
        and (not query.site_id or subject.site_id == query.site_id)
        and (not query.camera_id or subject.camera_id == query.camera_id)
        and (not query.states or finding.state in query.states)
        and (query.level is None or finding.level == query.level)
        and not (query.open_only and finding.state.ended)
        and (query.severity_min is None or severities.index(finding.severity) <= severities.index(query.severity_min))
        and (not query.cause_keys or _has_cause(subject.cause_key, query.cause_keys))
        and query.open_from_wall_ns <= finding.opened_wall_ns
        and not 0 < query.open_until_wall_ns <= finding.opened_wall_ns
        and not 0 < query.deadline_until_wall_ns <= finding.deadline_wall_ns
        and query.overdue in (None, finding.overdue)
        and query.supervised in (None, finding.supervised)
        and (not text or text in subject.camera_name.lower() or text in subject.site_name.lower())
    )


def _has_cause(cause_key: str, wanted: frozenset[str]) -> bool:
    """Whether a cause key is among those wanted, itself or by its kind."""
    return cause_key in wanted or cause_key.partition("/")[0] in wanted
