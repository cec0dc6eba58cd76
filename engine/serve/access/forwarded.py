"""Tells a shard for whom a front calls, so that limits and the audit log are about the caller and not about the front.

The front proves itself by a key that it has in common with the shards: all read it from their database. The proof is
bound to the caller's token and to the time, so that who sees one call cannot use it for another caller or for long.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from engine.clock import NS_PER_S
from engine.errors import DeniedError, UnauthenticatedError

FORWARDED_METADATA = "patrol-forwarded"
"""Metadata of a call that a front passes on: time, kind, address of the caller, and the proof, with blanks between."""
VALID_NS = 120 * NS_PER_S
"""How far apart the clocks of front and shard may be."""
_WHOLE, _PART, _PUSHES = "call", "part", "pushes"
_PURPOSE = b"patrol forwarded call"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A call that a front passes on. `peer`: address of its caller. `is_part`: another shard notes the change in the
    audit log, since the call goes to all of them."""

    peer: str
    is_part: bool = False


class ForwardedCalls:
    """Makes and checks proofs. `key`: which only engines on the same database know."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, _PURPOSE, hashlib.sha256)

    def metadata(self, call: Forwarded, authorization: str, now_wall_ns: int) -> tuple[str, str]:
        """Return the metadata of a call. `authorization`: as the caller sent it; empty if it sent none."""
        kind = _PART if call.is_part else _WHOLE
        return self._signed(f"{now_wall_ns} {kind} {call.peer.replace(' ', ',')}", authorization)

    def metadata_of_pushes(self, now_wall_ns: int) -> tuple[str, str]:
        """Return the metadata of a call in which a front speaks for itself: it passes on what gateways pushed."""
        return self._signed(f"{now_wall_ns} {_PUSHES} ", "")

    def require_front(self, metadata: Any, now_wall_ns: int) -> None:
        """Raise DeniedError unless a front makes the call for itself, with metadata_of_pushes."""
        try:
            told = self._read(metadata, now_wall_ns)
        except UnauthenticatedError as error:
            raise DeniedError(str(error)) from error
        if told is None or told[0] != _PUSHES:
            raise DeniedError(
                "only a front may make this call; a gateway pushes over ZeroMQ to the front's intake.listen, see "
                "docs/operating.md#push-keyframes"
            )

    def read(self, metadata: Any, now_wall_ns: int) -> Forwarded | None:
        """Return what a front says of this call; None if none passes it on. Raises UnauthenticatedError if the proof is
        false or old: whoever calls is no front of this database, or the clocks differ too much."""
        told = self._read(metadata, now_wall_ns)
        if told is None:
            return None
        kind, peer = told
        if kind == _PUSHES:
            raise UnauthenticatedError("a front makes this call for callers only, and says for whom")
        return Forwarded(peer.replace(",", " "), kind == _PART)

    def _signed(self, told: str, authorization: str) -> tuple[str, str]:
        return FORWARDED_METADATA, f"{told} {self._proof(told, authorization)}"

    def _read(self, metadata: Any, now_wall_ns: int) -> tuple[str, str] | None:
        """Return the kind of a call and what its front says of its caller. Raises as `read`."""
        told = authorization = ""
        for key, value in metadata or ():
            if key == FORWARDED_METADATA:
                told = str(value)
            elif key == "authorization":
                authorization = str(value)
        if not told:
            return None
        said, _, proof = told.rpartition(" ")
        if not hmac.compare_digest(proof.encode(), self._proof(said, authorization).encode()):
            raise UnauthenticatedError("passed on by a front that has another database; check record.url of both")
        at_ns, kind, peer = said.split(" ", 2)
        if abs(now_wall_ns - int(at_ns)) > VALID_NS:
            raise UnauthenticatedError(
                f"passed on by a front whose clock is more than {VALID_NS // NS_PER_S} s off; set both clocks"
            )
        return kind, peer

    def _proof(self, told: str, authorization: str) -> str:
        return hmac.new(self._key, f"{told}\n{authorization}".encode(), hashlib.sha256).hexdigest()
