"""Exceptions with stable codes. The code is what programs match; the sentence is for people.

A message names what is wrong, the value, what is allowed, and the remedy.
"""

from collections.abc import Sequence
from typing import ClassVar


class PatrolError(Exception):
    """Root of everything the engine raises on purpose."""

    code: ClassVar[str] = "internal"


class ConfigError(PatrolError):
    """The configuration file cannot be used; the one in force stays."""

    code = "config"


class SourceRefusedError(PatrolError):
    """A camera's URL is outside the allow-list, or is no URL."""

    code = "source_refused"


class RegistryError(PatrolError):
    """A registry row or file cannot be taken."""

    code = "registry"


class WireError(PatrolError):
    """A ZeroMQ message breaks the wire contract. `reason` is the word the metric and the log carry."""

    code = "wire"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DecodeError(PatrolError):
    """No picture came out of a keyframe. `reason` is one word: empty, damaged, unsupported, too_large, no_keyframe."""

    code = "decode"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(PatrolError):
    """The database cannot be opened, or is not ours."""

    code = "store"


class UnavailableError(PatrolError):
    """Something the call needs is not available right now; the caller may try the same call again."""

    code = "unavailable"


class IntegrityError(PatrolError):
    """Stored data has changed since it was stored, or cannot be read back. Trying again does not help."""

    code = "integrity"


class PlatformError(PatrolError):
    """A media platform cannot be asked, or its answer cannot be used. `status`: that of HTTP, 0 if there was none."""

    code = "platform"

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ListenError(PatrolError):
    """An address cannot be bound: taken, not ours, or public without TLS and tokens."""

    code = "listen"


class ConflictError(PatrolError):
    """Somebody else changed it first."""

    code = "conflict"


class InvalidArgumentError(PatrolError):
    """A field of a request is out of bounds. `violations`: field path and what is wrong with it."""

    code = "invalid_argument"

    def __init__(self, field: str, description: str, more: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{field}: {description}")
        self.violations = [(field, description), *more]


class NotFoundError(PatrolError):
    """There is no such thing, or none that the caller may see."""

    code = "not_found"


class ExistsError(PatrolError):
    """There is one already."""

    code = "already_exists"


class StateError(PatrolError):
    """It is not in a state that allows this."""

    code = "wrong_state"


class DeniedError(PatrolError):
    """The caller's role or region does not allow it."""

    code = "denied"


class UnauthenticatedError(PatrolError):
    """No token that holds came with the call."""

    code = "unauthenticated"


class LedgerError(PatrolError):
    """Events that make no ledger."""

    code = "ledger"
