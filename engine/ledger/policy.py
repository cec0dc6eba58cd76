"""Who is responsible, until when: the settings of the ledger, looked up by region, severity and level."""

from engine.clock import ns
from engine.config.ledger import LedgerSettings, RegionPolicy
from engine.model.findings import Level
from engine.model.verdict import Severity

LEVELS = tuple(Level)
_S_PER_H = 3600
_PREFIX_DIGITS = (6, 4, 2)


class Policy:
    """The settings in force. The longest region prefix that says something decides, else what holds everywhere."""

    def __init__(self, settings: LedgerSettings) -> None:
        self.settings = settings
        self._regions = {policy.region: policy for policy in settings.regions}
        self.settle_ns = hours_ns(settings.settle_h)
        self.offline_min_ns = hours_ns(settings.offline_min_h)
        self.recheck_max_ns = hours_ns(settings.recheck_max_h)
        self.recheck_spacing_ns = ns(settings.recheck_spacing_s)

    def first_level(self, region: str, severity: Severity) -> Level:
        """Who is responsible for a new finding."""
        for policy in self._policies(region):
            if severity in policy.first_level:
                return policy.first_level[severity]
        return self.settings.first_level[severity]

    def time_ns(self, region: str, severity: Severity, level: Level) -> int:
        """Time that a level has, from when it becomes responsible."""
        name = f"{severity}_hours"
        for policy in self._policies(region):
            hours: dict[Level, float] = getattr(policy, name)
            if level in hours:
                return hours_ns(hours[level])
        everywhere: dict[Level, float] = getattr(self.settings, name)
        return hours_ns(everywhere[level])

    def supervises(self, level: Level) -> bool:
        """Whether a finding that is escalated to this level is supervised."""
        word = self.settings.supervised_level
        return word != "never" and LEVELS.index(level) >= LEVELS.index(Level(word))

    def _policies(self, region: str) -> list[RegionPolicy]:
        """Those of the prefixes of a region, longest first."""
        found = (self._regions.get(region[:digits]) for digits in _PREFIX_DIGITS if len(region) >= digits)
        return [policy for policy in found if policy is not None]


def next_level(level: Level) -> Level | None:
    """The level above; None of the province."""
    above = LEVELS.index(level) + 1
    return LEVELS[above] if above < len(LEVELS) else None


def hours_ns(hours: float) -> int:
    """Hours, as people configure them, to nanoseconds."""
    return ns(hours * _S_PER_H)
