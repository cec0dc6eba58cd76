"""Who does things: the engine itself, or a caller with a role and a region."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do; each may what those before it may."""

    VIEWER = "viewer"
    """Read."""
    INSPECTOR = "inspector"
    """Work on findings: acknowledge, claim, comment; ask for checks."""
    OPERATOR = "operator"
    """Registry, scheduler, baselines; dismiss and close findings."""
    ADMIN = "admin"
    """Tokens and the audit log."""

    def may(self, wanted: "Role") -> bool:
        """Whether this role includes `wanted`."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(wanted)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `region`: GB/T 2260 prefix of what they see and may touch; empty is everything."""

    name: str
    role: Role
    region: str = ""

    def sees(self, region: str) -> bool:
        """Whether something in `region` (2, 4 or 6 digits, or none) lies within this actor's."""
        return region.startswith(self.region)


ENGINE = Actor("engine", Role.ADMIN)
"""What the engine does by itself."""
