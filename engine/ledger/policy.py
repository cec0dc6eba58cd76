"""Looks up who is responsible for a finding and until when, by region, severity and level. Pure."""

from engine.clock import ns
from engine.config.ledger import LedgerSettings, RegionPolicy
from engine.model.findings import Finding, Level
from engine.model.verdict import Severity, State, Verdict

LEVELS = tuple(Level)
"""Lowest first."""
SEVERITIES = tuple(Severity)
"""Worst first."""
_S_PER_H = 3600
_PREFIX_DIGITS = (6, 4, 2)


class Policy:
    """The ledger's settings. The longest region prefix with an entry decides; without one, the general setting.

    `settle_ns`, `offline_min_ns`, `recheck_max_ns`, `recheck_spacing_ns`, `reopen_ns`: the settings of these names, in
    nanoseconds.
    """

    def __init__(self, settings: LedgerSettings) -> None:
        self.settings = settings
        self._regions = {policy.region: policy for policy in settings.regions}
        self.settle_ns = hours_ns(settings.settle_h)
        self.offline_min_ns = hours_ns(settings.offline_min_h)
        self.recheck_max_ns = hours_ns(settings.recheck_max_h)
        self.reopen_ns = hours_ns(settings.reopen_hours)
        self.recheck_spacing_ns = ns(settings.recheck_spacing_s)

    def first_level(self, region: str, severity: Severity) -> Level:
        """Return the level that is responsible for a new finding."""
        for policy in self._policies(region):
            if severity in policy.first_level:
                return policy.first_level[severity]
        return self.settings.first_level[severity]

    def time_ns(self, region: str, severity: Severity, level: Level) -> int:
        """Return how much time a level has, from when it becomes responsible."""
        name = f"{severity}_hours"
        for policy in self._policies(region):
            hours: dict[Level, float] = getattr(policy, name)
            if level in hours:
                return hours_ns(hours[level])
        everywhere: dict[Level, float] = getattr(self.settings, name)
        return hours_ns(everywhere[level])

    def is_for_operator(self, verdict: Verdict) -> bool:
        """Return whether the visit failed for a reason that lies with us, not with the school."""
        return verdict.state is State.OFFLINE and verdict.reason in self.settings.operator_reasons

    def supervises(self, level: Level) -> bool:
        """Return whether a finding that is escalated to this level becomes supervised."""
        lowest = self.settings.supervised_level
        return lowest != "never" and LEVELS.index(level) >= LEVELS.index(Level(lowest))

    def inspector_may_dismiss(self, finding: Finding) -> bool:
        """Return whether a person of role inspector may dismiss the finding; otherwise it needs an operator."""
        if finding.subject.cause_key.partition("/")[0] in self.settings.inspector_dismiss_kinds:
            return True
        worst = self.settings.inspector_dismiss_severity
        return worst != "never" and SEVERITIES.index(finding.severity) >= SEVERITIES.index(Severity(worst))

    def _policies(self, region: str) -> list[RegionPolicy]:
        """Return the policies of the prefixes of a region, longest first."""
        policies = (self._regions.get(region[:digits]) for digits in _PREFIX_DIGITS if len(region) >= digits)
        return [policy for policy in policies if policy is not None]


def next_level(level: Level) -> Level | None:
    """Return the level above; None for the province."""
    above = LEVELS.index(level) + 1
    return LEVELS[above] if above < len(LEVELS) else None


def hours_ns(hours: float) -> int:
    """Convert hours, as configured, to nanoseconds."""
    return ns(hours * _S_PER_H)
