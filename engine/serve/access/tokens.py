"""Authenticates callers by their bearer tokens, whose digests are read from the database every few seconds.

A digest is looked up in a dict, not compared byte by byte: the time that takes tells nothing to a caller who cannot
invert SHA-256.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from engine.clock import wall_ns
from engine.errors import ErrorReason, PatrolError, UnauthenticatedError
from engine.model.access import CALLER_METADATA, LOCAL, Actor, Caller, Token, token_digest
from engine.runtime.log import report, time_text
from engine.runtime.log_events import TOKEN_CREATED, TOKEN_REVOKED
from engine.serve.port import AccessStore

REFRESH_S = 2.0
"""A token that another process made or revoked is noticed after at most this long."""
_SCHEME = "bearer "


class TokenEndedError(UnauthenticatedError):
    """The call carries a token that is revoked or expired. `actor`: whose it was; the caller is not told."""

    def __init__(self, message: str, token: Token) -> None:
        ended = "revoked" if token.revoked_wall_ns else "expired"
        super().__init__(message, reason=ErrorReason.TOKEN_ENDED, metadata={"ended": ended})
        self.actor = token.actor


class TokenCache:
    """All tokens that were ever made, as last read. `open_without`: while there are none, callers are LOCAL."""

    def __init__(self, store: AccessStore, open_without: bool) -> None:
        self._store = store
        self._open_without = open_without
        self._tokens: Mapping[bytes, Token] = store.digests()

    @property
    def any(self) -> bool:
        """Whether a token was ever made."""
        return bool(self._tokens)

    async def refresh(self) -> None:
        """Read the tokens anew; if the database does not answer, those read before stay in force."""
        try:
            before, self._tokens = self._tokens, await asyncio.to_thread(self._store.digests)
        except PatrolError as error:
            structlog.get_logger().error("tokens not read, those known still hold", detail=str(error))
            return
        _report_changes(before, self._tokens)

    def knows(self, metadata: Any) -> bool:
        """Whether each token in these metadata, valid or not, was there when the tokens were last read."""
        return all(token_digest(secret) in self._tokens for secret in _secrets(metadata))

    def authenticate(self, metadata: Any) -> tuple[Actor, bytes]:
        """Return who calls with these metadata, and the digest of their token (empty: none).

        Those for whom the HTTP gateway calls need a token, unless it says that they are local.
        Raises UnauthenticatedError if there is no valid token.
        """
        local, sent, known = True, False, None
        for key, value in metadata or ():
            if key == CALLER_METADATA:
                local = local and value == "local"
            for digest in map(token_digest, _secrets([(key, value)])):
                token = self._tokens.get(digest)
                if token is not None and token.is_valid(wall_ns()):
                    return token.actor, digest
                sent, known = True, known or token
        if local and self._open_without and not self._tokens:
            return LOCAL, b""
        raise _unauthenticated(sent, known)

    def expires_wall_ns(self) -> int | None:
        """Return when the first of the valid tokens expires; None if none of them ever does."""
        now_ns = wall_ns()
        return min(
            (
                token.expires_wall_ns
                for token in self._tokens.values()
                if token.expires_wall_ns and token.is_valid(now_ns)
            ),
            default=None,
        )

    def caller(self, actor: Actor, digest: bytes) -> Caller:
        """Return whom an authenticated caller is taken for. `actor`, `digest`: as `authenticate` returned them."""
        token = self._tokens.get(digest)
        return Caller(actor, 0 if token is None else token.expires_wall_ns, local=not digest)

    def is_valid(self, digest: bytes) -> bool:
        """Whether calls with the token of this digest (empty: without a token) are still accepted."""
        if not digest:
            return self._open_without and not self._tokens
        token = self._tokens.get(digest)
        return token is not None and token.is_valid(wall_ns())


def _secrets(metadata: Any) -> Iterator[str]:
    """Yield the bearer tokens in the metadata of a call."""
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str) and value.lower().startswith(_SCHEME):
            yield value[len(_SCHEME) :].strip()


def _unauthenticated(sent: bool, token: Token | None) -> UnauthenticatedError:
    """Return the error for a call without a token (not `sent`), with an unknown one, or with one that has ended."""
    message = "no valid token; send metadata authorization: Bearer TOKEN, as `patrol token create` printed it"
    if token is not None:
        return TokenEndedError(message, token)
    return UnauthenticatedError(message, reason=ErrorReason.TOKEN_INVALID if sent else ErrorReason.TOKEN_MISSING)


def _report_changes(before: Mapping[bytes, Token], after: Mapping[bytes, Token]) -> None:
    """Log what became of tokens between two reads, whoever made or revoked them."""
    for digest, token in after.items():
        known = before.get(digest)
        if known is None:
            report(
                TOKEN_CREATED,
                token=token.token_id,
                name=token.name,
                role=token.role,
                region=token.region,
                creator=token.creator,
                expires=time_text(token.expires_wall_ns),
            )
        if token.revoked_wall_ns and (known is None or not known.revoked_wall_ns):
            report(TOKEN_REVOKED, token=token.token_id, name=token.name, role=token.role)
