"""The exceptions that the engine raises on purpose, each with a stable code for programs to match.

The message is for people: it says what is wrong, names the value and what is allowed, and gives the remedy.
"""

from collections.abc import Sequence
from typing import ClassVar


class PatrolError(Exception):
    """Base class of every exception that the engine raises on purpose."""

    code: ClassVar[str] = "internal"


class ConfigError(PatrolError):
    """Raised when a configuration file cannot be used; the settings in force stay."""

    code = "config"


class SourceRefusedError(PatrolError):
    """Raised when a camera's URL is outside the allow-list, or is not a URL."""

    code = "source_refused"


class RegistryError(PatrolError):
    """Raised when a registry row or file cannot be imported."""

    code = "registry"


class WireError(PatrolError):
    """Raised when a ZeroMQ message breaks the wire contract. `reason`: one word, for the metric and the log."""

    code = "wire"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DecodeError(PatrolError):
    """Raised when a keyframe yields no picture.

    `reason`: one word: empty, damaged, unsupported, too_large or no_keyframe.
    """

    code = "decode"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(PatrolError):
    """Raised when the database or the evidence store cannot be used, or does not belong to this engine."""

    code = "store"


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


class IntegrityError(PatrolError):
    """Stored data has changed since it was stored, or cannot be read back. Trying again does not help."""

    code = "integrity"


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


class InvalidArgumentError(PatrolError):
    """Raised when fields of a request are invalid. `violations`: (field path, what is wrong with it), one per field."""

    code = "invalid_argument"

    def __init__(self, field: str, description: str, more: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{field}: {description}")
        self.violations = [(field, description), *more]


class NotFoundError(PatrolError):
    """Raised when the resource does not exist, or the caller may not see it."""

    code = "not_found"


class ExistsError(PatrolError):
    """Raised when the resource to be created exists already."""

    code = "already_exists"


class StateError(PatrolError):
    """Raised when the state of the resource does not allow the command."""

    code = "wrong_state"


class DeniedError(PatrolError):
    """Raised when the caller's role or region does not allow the call."""

    code = "denied"


class UnauthenticatedError(PatrolError):
    """Raised when a call carries no valid token."""

    code = "unauthenticated"


class LedgerError(PatrolError):
    """Raised when ledger events are inconsistent: out of order, incomplete, or after the end of their finding."""

    code = "ledger"
