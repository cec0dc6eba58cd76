"""The exceptions that the engine raises on purpose, each with a stable code for programs to match.

The message is for people: it says what is wrong, names the value and what is allowed, and gives the remedy.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum, auto
from typing import ClassVar, NamedTuple

ERROR_DOMAIN = "kitchen-patrol"
"""The domain of the reasons in google.rpc.ErrorInfo, over gRPC and HTTP."""


class ErrorReason(StrEnum):
    """What a caller of the API is told as `reason` in google.rpc.ErrorInfo. A value is never renamed.

    engine/serve/messages/error_reasons.py has the status, the meaning and the metadata of each.
    """

    @staticmethod
    def _generate_next_value_(name: str, _start: int, _count: int, _last_values: list[str]) -> str:
        """Return the value of a member: its name."""
        return name

    FIELD_INVALID = auto()
    FIELD_MISSING = auto()
    REQUEST_MALFORMED = auto()
    PAGE_TOKEN_INVALID = auto()
    RESUME_TOKEN_INVALID = auto()
    REQUEST_ID_REUSED = auto()
    CAMERA_ROW_INVALID = auto()
    CONFIG_INVALID = auto()
    TOKEN_MISSING = auto()
    TOKEN_INVALID = auto()
    TOKEN_ENDED = auto()
    ROLE_TOO_LOW = auto()
    REGION_NOT_ALLOWED = auto()
    RESOURCE_NOT_FOUND = auto()
    CAMERA_NOT_FOUND = auto()
    CANTEEN_NOT_FOUND = auto()
    VERDICT_NOT_FOUND = auto()
    PICTURE_NOT_FOUND = auto()
    FINDING_NOT_FOUND = auto()
    SPOT_CHECK_NOT_FOUND = auto()
    NOTHING_TO_DRAW = auto()
    DIGEST_EMPTY = auto()
    PAUSE_NOT_FOUND = auto()
    TOKEN_NOT_FOUND = auto()
    RESOURCE_EXISTS = auto()
    CAMERA_EXISTS = auto()
    TOKEN_EXISTS = auto()
    STATE_NOT_ALLOWED = auto()
    FINDING_ENDED = auto()
    FINDING_ALREADY_ACKNOWLEDGED = auto()
    FINDING_ALREADY_CLAIMED = auto()
    FINDING_ALREADY_SUPERVISED = auto()
    FINDING_NOT_DISMISSED = auto()
    FINDING_REOPEN_TOO_LATE = auto()
    FINDING_SUPERSEDED = auto()
    CHANGED_MEANWHILE = auto()
    FINDING_CHANGED = auto()
    CONFIG_CHANGED = auto()
    DRAW_UNDER_WAY = auto()
    RESUME_PLACE_LOST = auto()
    WATCHER_TOO_SLOW = auto()
    TOO_MANY_WATCHERS = auto()
    RATE_LIMIT_EXCEEDED = auto()
    METHOD_UNKNOWN = auto()
    DATABASE_UNAVAILABLE = auto()
    DATABASE_REFUSED = auto()
    TEMPORARILY_UNAVAILABLE = auto()
    WORKER_UNAVAILABLE = auto()
    ENGINE_STOPPING = auto()
    EVIDENCE_DAMAGED = auto()
    CALL_TIMED_OUT = auto()
    CALL_CANCELLED = auto()
    INTERNAL = auto()


class Resource(NamedTuple):
    """What an error is about. `kind`: Camera, Finding, ... `name`: its resource name, such as `findings/12`."""

    kind: str
    name: str


class PatrolError(Exception):
    """Base class of every exception that the engine raises on purpose.

    `error_reason`: the class's own unless the argument `reason` says more. `resource`: what it is about; None if that
    is no single thing. `metadata`: facts for programs, by the names that the reason documents.
    """

    code: ClassVar[str] = "internal"
    default_reason: ClassVar[ErrorReason] = ErrorReason.INTERNAL

    def __init__(
        self,
        message: object = "",
        *,
        reason: ErrorReason | None = None,
        resource: Resource | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.error_reason = reason or self.default_reason
        self.resource = resource
        self.metadata = {key: str(value) for key, value in (metadata or {}).items()}


class ConfigError(PatrolError):
    """Raised when a configuration file cannot be used; the settings in force stay."""

    code = "config"
    default_reason = ErrorReason.CONFIG_INVALID


class SourceRefusedError(PatrolError):
    """Raised when a camera's URL is outside the allow-list, or is not a URL."""

    code = "source_refused"
    default_reason = ErrorReason.CAMERA_ROW_INVALID


class RegistryError(PatrolError):
    """Raised when a registry row or file cannot be imported."""

    code = "registry"
    default_reason = ErrorReason.CAMERA_ROW_INVALID


class WireError(PatrolError):
    """Raised when a ZeroMQ message breaks the wire contract. `reason`: one word, for the metric and the log."""

    code = "wire"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DecodeError(PatrolError):
    """Raised when a keyframe yields no picture.

    `reason`: one word: empty, damaged, unsupported, too_large, too_costly or no_keyframe.
    """

    code = "decode"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(PatrolError):
    """Raised when the database or the evidence store cannot be used, or does not belong to this engine."""

    code = "store"
    default_reason = ErrorReason.DATABASE_UNAVAILABLE


class NoDatabaseError(StoreError):
    """Raised when the database that is to be read does not exist, or holds no tables of the engine. Nothing is created.

    `name`: its file with the whole path, or its URL without the password.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name


class UnavailableError(PatrolError):
    """Something the call needs is not available right now; the caller may try the same call again."""

    code = "unavailable"
    default_reason = ErrorReason.TEMPORARILY_UNAVAILABLE


class IntegrityError(PatrolError):
    """Stored data has changed since it was stored, or cannot be read back. Trying again does not help."""

    code = "integrity"
    default_reason = ErrorReason.EVIDENCE_DAMAGED


class PlatformError(PatrolError):
    """Raised when a media platform cannot be reached, or its answer cannot be used.

    `status`: of the HTTP answer; 0 if there was none.
    """

    code = "platform"

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ListenError(PatrolError):
    """Raised when an address cannot be bound: in use, not of this machine, or public without TLS and tokens."""

    code = "listen"


class ConflictError(PatrolError):
    """Raised when the resource was changed by somebody else first."""

    code = "conflict"
    default_reason = ErrorReason.CHANGED_MEANWHILE


class InvalidArgumentError(PatrolError):
    """Raised when fields of a request are invalid. `violations`: (field path, what is wrong with it), one per field.

    An empty field path: the request as a whole. `metadata` names the first field.
    """

    code = "invalid_argument"
    default_reason = ErrorReason.FIELD_INVALID

    def __init__(
        self,
        field: str,
        description: str,
        more: Sequence[tuple[str, str]] = (),
        *,
        reason: ErrorReason | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        facts = {"field": field} if field else {}
        super().__init__(
            f"{field}: {description}" if field else description, reason=reason, metadata={**facts, **(metadata or {})}
        )
        self.violations = [(field, description), *more]


class NotFoundError(PatrolError):
    """Raised when the resource does not exist, or the caller may not see it."""

    code = "not_found"
    default_reason = ErrorReason.RESOURCE_NOT_FOUND


class ExistsError(PatrolError):
    """Raised when the resource to be created exists already."""

    code = "already_exists"
    default_reason = ErrorReason.RESOURCE_EXISTS


class StateError(PatrolError):
    """Raised when the state of the resource does not allow the command."""

    code = "wrong_state"
    default_reason = ErrorReason.STATE_NOT_ALLOWED


class DeniedError(PatrolError):
    """Raised when the caller's role or region does not allow the call."""

    code = "denied"
    default_reason = ErrorReason.ROLE_TOO_LOW


class UnauthenticatedError(PatrolError):
    """Raised when a call carries no valid token."""

    code = "unauthenticated"
    default_reason = ErrorReason.TOKEN_INVALID


class LedgerError(PatrolError):
    """Raised when ledger events are inconsistent: out of order, incomplete, or after the end of their finding."""

    code = "ledger"
