"""Collects what was refused elsewhere than in a call: pushes, connections, scrapes. The audit trail writes it.

Any thread may add. What is collected between two writes is bounded: a flood is one number.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.model.access import ANONYMOUS, GATEWAY_NAME, Actor, Role
from engine.serve.access.audit_sums import Refused

KINDS_MAX = 60
"""Kinds between two writes; all others are summed by method and reason."""
PUSH, GATEWAY_CONNECT = "Intake/Push", "Intake/Connect"
GRPC_CONNECT, WEB_CONNECT = "Grpc/Connect", "Web/Connect"
METRICS_CONNECT, SCRAPE = "Metrics/Connect", "Metrics/Scrape"
"""Methods of these entries in the audit log."""
HANDSHAKE = "handshake"
"""Reason: a connection that is none of ours, such as plain text where TLS or CURVE is spoken, or a certificate that is
not accepted."""
_UNAUTHENTICATED = ("handshake", "unknown_key", "password_missing", "password_wrong")
_INVALID = ("malformed", "too_large")
_ACTOR_CHARS_MAX = 64
_SUBJECT_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class RefusedNumber:
    """How often a kind was refused since the last write. `subject`: what the first of them was about."""

    kind: Refused
    subject: str
    number: int


class Refusals:
    """What was refused since the last `drain`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[Refused, RefusedNumber] = {}

    def add(
        self, method: str, reason: str, *, who: str = "", host: str = "", subject: str = "", number: int = 1
    ) -> None:
        """Add refusals. `who`: the name of a gateway that is known; empty if nobody knows. `host`: an address without
        its port; empty if the transport hides it."""
        outcome = "UNAUTHENTICATED" if reason in _UNAUTHENTICATED else "PERMISSION_DENIED"
        if reason in _INVALID:
            outcome = "INVALID_ARGUMENT"
        actor = Actor(f"{GATEWAY_NAME}{who}"[:_ACTOR_CHARS_MAX], Role.VIEWER) if who else ANONYMOUS
        peer = f"ipv6:[{host}]" if ":" in host else host and f"ipv4:{host}"
        kind = Refused(actor, method, peer, reason, outcome)
        with self._lock:
            if kind not in self._numbers and len(self._numbers) >= KINDS_MAX:
                kind, subject = replace(kind, actor=ANONYMOUS, host=""), ""
            before = self._numbers.get(kind)
            if before is None:
                self._numbers[kind] = RefusedNumber(kind, subject[:_SUBJECT_CHARS_MAX], number)
            else:
                self._numbers[kind] = replace(before, number=before.number + number)

    def drain(self) -> Sequence[RefusedNumber]:
        """Return what was added since the last call."""
        with self._lock:
            numbers, self._numbers = self._numbers, {}
        return list(numbers.values())
