"""Remembers the findings that people dismissed lately, because they can be reopened. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

from engine.model.findings import Finding

DISMISSALS_MAX = 10_000
"""Findings that are held; if more are dismissed, the earliest can no longer be reopened."""


class Dismissals:
    """The latest DISMISSALS_MAX. `findings`: those of before a restart, the earliest dismissed first."""

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self._findings: OrderedDict[int, Finding] = OrderedDict()
        for finding in findings:
            self.add(finding)

    def __len__(self) -> int:
        """Return the number of findings held."""
        return len(self._findings)

    def add(self, finding: Finding) -> None:
        """Remember a finding as its dismissal left it."""
        self._findings[finding.finding_id] = finding
        if len(self._findings) > DISMISSALS_MAX:
            self._findings.popitem(last=False)

    def get(self, finding_id: int) -> Finding | None:
        """Return a finding that was dismissed; None if it is not held."""
        return self._findings.get(finding_id)

    def remove(self, finding_id: int) -> None:
        """Forget a finding, because it was reopened."""
        self._findings.pop(finding_id, None)
