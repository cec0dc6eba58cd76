"""Who calls: bearer tokens by their digests, as the database has them, looked at again every few seconds.

A digest is looked up, not compared byte by byte: whoever cannot invert SHA-256 learns nothing from how long that takes.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from engine.clock import wall_ns
from engine.errors import PatrolError, UnauthenticatedError
from engine.model.access import Actor, Role, Token, token_digest
from engine.serve.port import AccessStore

REFRESH_S = 2.0
"""So long a token that was made or revoked elsewhere may go unnoticed."""
LOCAL = Actor("local", Role.ADMIN)
"""Who calls while there are no tokens: the listener is on loopback then."""
_SCHEME = "bearer "


class Tokens:
    """The tokens that were ever made. While there are none, callers are LOCAL, if `open_without`."""

    def __init__(self, book: AccessStore, open_without: bool) -> None:
        self._book = book
        self._open_without = open_without
        self._known: Mapping[bytes, Token] = book.digests()

    @property
    def any(self) -> bool:
        """Whether a token was ever made."""
        return bool(self._known)

    async def refresh(self) -> None:
        """Look at the database again; what is known stands while it does not answer."""
        try:
            self._known = await asyncio.to_thread(self._book.digests)
        except PatrolError as error:
            structlog.get_logger().error("tokens not read, those known still hold", detail=str(error))

    def caller(self, metadata: Any) -> tuple[Actor, bytes]:
        """Who calls with these metadata, and the digest of their token (empty: none). UnauthenticatedError."""
        for key, value in metadata or ():
            if key == "authorization" and isinstance(value, str) and value.lower().startswith(_SCHEME):
                digest = token_digest(value[len(_SCHEME) :].strip())
                token = self._known.get(digest)
                if token is not None and token.is_valid(wall_ns()):
                    return token.actor, digest
                break
        if self._open_without and not self._known:
            return LOCAL, b""
        raise UnauthenticatedError(
            "no token that holds; send metadata authorization: Bearer TOKEN, as `patrol token create` has shown it"
        )

    def holds(self, digest: bytes) -> bool:
        """Whether a caller with this digest would still be heard."""
        if not digest:
            return self._open_without and not self._known
        token = self._known.get(digest)
        return token is not None and token.is_valid(wall_ns())
