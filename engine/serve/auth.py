"""Who may call: bearer tokens from a file, and the interceptor that asks for them."""

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc

from engine.errors import ConfigError
from engine.serve.metrics import Metrics

_OPEN = ("/grpc.health.v1.Health/",)
"""A load balancer asks for health without a token."""
_TOKEN_CHARS_MIN = 16


class Tokens:
    """Digests of the tokens that may call; none: everybody (the listener is on loopback then)."""

    def __init__(self, digests: frozenset[bytes]) -> None:
        self._digests = digests

    @classmethod
    def load(cls, path: str) -> "Tokens":
        """One token a line, `#` begins a comment. Raises ConfigError."""
        if not path:
            return cls(frozenset())
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"serve.tokens_file = {path!r}: cannot be read ({error}); give a readable file"
            ) from error
        tokens = [line.split("#")[0].strip() for line in lines]
        tokens = [token for token in tokens if token]
        if not tokens or min(map(len, tokens)) < _TOKEN_CHARS_MIN:
            raise ConfigError(
                f"serve.tokens_file = {path!r}: holds {len(tokens)} tokens; wanted: at least one, each of "
                f"{_TOKEN_CHARS_MIN} characters or more, one a line"
            )
        return cls(frozenset(map(_digest, tokens)))

    def allow(self, method: str, metadata: Any) -> bool:
        """Whether a call with these metadata may go on."""
        if not self._digests or method.startswith(_OPEN):
            return True
        for key, value in metadata or ():
            if key == "authorization" and value.lower().startswith("bearer "):
                given = _digest(value[7:].strip())
                # All are compared, each in constant time: the time taken tells nothing.
                return sum(hmac.compare_digest(given, known) for known in self._digests) > 0
        return False


class Gate(grpc.aio.ServerInterceptor):
    """Refuses calls without a token."""

    def __init__(self, tokens: Tokens, metrics: Metrics) -> None:
        self._tokens = tokens
        self._metrics = metrics

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Pass the call on, or end it as UNAUTHENTICATED."""
        if self._tokens.allow(details.method, details.invocation_metadata):
            return await continuation(details)
        self._metrics.rpc(details.method, "UNAUTHENTICATED", 0.0)
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED, "no valid token; send metadata authorization: Bearer <a line of tokens_file>"
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def stopwatch() -> Callable[[], float]:
    """Seconds since the call of stopwatch()."""
    began = time.perf_counter()
    return lambda: time.perf_counter() - began
