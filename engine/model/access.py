"""Who acts on the engine: callers with a role and a region, their tokens, and the audit log. Pure."""

import hashlib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do. Each role includes the rights of the roles listed before it."""

    VIEWER = "viewer"
    """Read."""
    INSPECTOR = "inspector"
    """Work on findings: acknowledge, claim, dismiss what the policy allows; request checks."""
    OPERATOR = "operator"
    """Change the registry, the scheduler and baselines; dismiss and close findings."""
    ADMIN = "admin"
    """Manage tokens and read the audit log."""

    def includes(self, required: "Role") -> bool:
        """Return whether this role has the rights of `required`."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(required)


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone who acts. `region`: GB/T 2260 prefix of what they may see and change; empty means everything."""

    name: str
    role: Role
    region: str = ""

    def sees(self, region: str) -> bool:
        """Return whether `region` (2, 4 or 6 digits, or empty) lies within the actor's region."""
        return region.startswith(self.region)


ENGINE = Actor("engine", Role.ADMIN)
"""The actor of everything that the engine does by itself."""
LOCAL = Actor("local", Role.ADMIN)
"""The actor of all calls while there are no tokens, and of commands that work on the database itself."""
ANONYMOUS = Actor("anonymous", Role.VIEWER)
"""The actor of refused calls without a known token. The role means nothing: it may do nothing."""
_RESERVED_NAMES = (ENGINE.name, LOCAL.name, ANONYMOUS.name, "system")
GATEWAY_NAME = "gateway "
"""What the name of the actor begins with who pushes with the key of a gateway."""
_TOKEN_MARK = " (token)"  # noqa: S105 (no password)


def is_reserved(name: str) -> bool:
    """Return whether the engine writes this name itself, or one that people take for it; no token may have it."""
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    return plain.removesuffix(_TOKEN_MARK) in _RESERVED_NAMES or plain.startswith(GATEWAY_NAME)


PEER_METADATA = "patrol-peer"
"""Metadata with the address of the caller for whom the HTTP gateway calls. Believed only on the engine's own socket."""
REFUSED_METADATA = "patrol-refused"
"""Metadata of a health check by which the HTTP gateway tells whom it refused by itself: how often, the reason and the
address, with blanks between. Believed only on the engine's own socket."""
OUTCOME_PENDING = "PENDING"
"""Outcome of an audit entry whose change has begun, and has not ended or could not be noted."""
CALLER_METADATA = "patrol-caller"
"""Metadata by which the HTTP gateway says whether its caller is `local`: on this machine, and no foreign page.

With any other value the caller needs a token. That only takes rights away, so it is believed on every socket.
"""


def token_digest(secret: str) -> bytes:
    """Return the 32 bytes that are stored of a token.

    A token is 256 random bits, so one round of SHA-256 is enough: nobody can guess the preimage. Slow hashes and salt
    protect passwords, which people choose; here they would only add work to every call.
    """
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token without its secret.

    `name`: who it is for. `creator`: name of the actor who made it. `expires_wall_ns`: 0 if it never expires.
    `revoked_wall_ns`: 0 if it was not revoked.
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
        """The actor that a call with this token acts as. A token from before names were reserved is marked."""
        return Actor(self.name + _TOKEN_MARK if is_reserved(self.name) else self.name, self.role, self.region)

    def is_valid(self, now_wall_ns: int) -> bool:
        """Return whether calls with this token are accepted: it is neither revoked nor expired."""
        return not self.revoked_wall_ns and (not self.expires_wall_ns or now_wall_ns < self.expires_wall_ns)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the engine takes a caller for.

    `expires_wall_ns`: when the caller's token expires; 0 if never. `local`: the caller has no token, because none was
    ever made and it is on the engine's machine.
    """

    actor: Actor
    expires_wall_ns: int = 0
    local: bool = False


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """A request for a new token. Fields as in Token; `expires_wall_ns` 0 means never."""

    name: str
    role: Role
    region: str = ""
    expires_wall_ns: int = 0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change, attempt at a change, refused call, or showing of pictures, in the audit log. It holds no secrets.

    `method`: the API method called. `resource`: the name of what it acted on. `outcome`: status of the call,
    or OUTCOME_PENDING. `peer`: network address of the caller. `entry_id`: place in the log; 0 before it is stored.
    """

    at_wall_ns: int
    actor: Actor
    method: str
    resource: str
    outcome: str
    peer: str = ""
    entry_id: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which audit entries to list, newest first. Empty fields do not filter.

    `region_prefix`: only entries of actors within this region. `from_wall_ns`, `until_wall_ns`: 0 means no limit.
    `before_id`: the page holds entries with smaller ids only; 0 starts at the newest. `change_methods`: if given, only
    calls of these methods that were not refused.
    """

    region_prefix: str = ""
    actor: str = ""
    method: str = ""
    from_wall_ns: int = 0
    until_wall_ns: int = 0
    page_size: int = 100
    before_id: int = 0
    change_methods: tuple[str, ...] = ()
