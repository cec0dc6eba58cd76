"""Exceptions with stable codes. The code is what programs match; the sentence is for people.

A message names what is wrong, the value, what is allowed, and the remedy.
"""

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


class ForbiddenError(PatrolError):
    """The caller's role does not go so far."""

    code = "forbidden"


class CommandError(PatrolError):
    """A command that cannot be right, however things stand. `field` names what is wrong with it."""

    code = "invalid_command"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class LedgerError(PatrolError):
    """Events that make no ledger."""

    code = "ledger"
