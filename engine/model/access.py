"""Who does things: the engine itself, or a caller with a role and a region."""

import hashlib
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


def digest_of(secret: str) -> bytes:
    """What is kept of a token: 32 bytes.

    A token is 256 random bits, so that one round of SHA-256 keeps it safe at rest: nobody guesses its preimage, and
    slow hashes or salt, which passwords need because people choose them, would add nothing but work to every call.
    """
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, without what is secret of it. Times are since 1970 UTC.

    `name`: who it is for. `expires_wall_ns`, `revoked_wall_ns`: 0: it does not, it was not.
    """

    token_id: int
    name: str
    role: Role
    region: str
    created_wall_ns: int
    creator: str
    expires_wall_ns: int = 0
    revoked_wall_ns: int = 0

    @property
    def actor(self) -> Actor:
        """Who calls with it."""
        return Actor(self.name, self.role, self.region)

    def holds(self, now_wall_ns: int) -> bool:
        """Whether calls with it are heard."""
        return not self.revoked_wall_ns and (not self.expires_wall_ns or now_wall_ns < self.expires_wall_ns)


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """What a new token is to be."""

    name: str
    role: Role
    region: str = ""
    expires_wall_ns: int = 0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change, or an attempt at one. `outcome`: the status of the call. `peer`: where it came from. No secrets."""

    at_wall_ns: int
    actor: Actor
    method: str
    resource: str
    outcome: str
    peer: str = ""
    entry_id: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries, newest first. Empty fields do not filter; `before_id`: the page begins below it, 0: at the newest.

    `region_prefix`: those of actors within this region.
    """

    region_prefix: str = ""
    actor: str = ""
    method: str = ""
    from_wall_ns: int = 0
    until_wall_ns: int = 0
    page_size: int = 100
    before_id: int = 0
