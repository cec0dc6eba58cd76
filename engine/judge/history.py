"""What the judge remembers of one camera, as a value and as bytes. Under 1 KiB a camera. Pure."""

import struct
from dataclasses import dataclass

from engine.types import FaultKind, State

VERSION = 1
OUTCOMES_MAX = 20
"""Visits looked back at, at most; the bound of JudgeSettings.confirm_m."""

_STATES = tuple(State)
_KINDS = tuple(FaultKind)
_HEAD = struct.Struct("<BBHQBHQHHH")
# version, announced + 1, announced kinds, since, outcomes, same visits, signature time, baseline visits, sizes of both
_OUTCOME = struct.Struct("<BH")
_UINT16_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one past visit said."""

    state: State
    kinds: tuple[FaultKind, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A camera's memory; `History()` is that of one never seen.

    `announced`: what the engine stands by, None before the first visit; `since_wall_ns`: when it began. `outcomes`: the
    latest visits, oldest first, OUTCOMES_MAX at most. `signature`: that of the first of `same_visits` visits whose
    picture did not change, the last of which was at `signature_wall_ns`. `baseline`: structure per tile as learned
    from `baseline_visits` ok visits, layout in engine/judge/baseline.py.
    """

    announced: State | None = None
    announced_kinds: tuple[FaultKind, ...] = ()
    since_wall_ns: int = 0
    outcomes: tuple[Outcome, ...] = ()
    signature: bytes = b""
    same_visits: int = 0
    signature_wall_ns: int = 0
    baseline: bytes = b""
    baseline_visits: int = 0

    def to_bytes(self) -> bytes:
        """For the store; `from_bytes` gives an equal value back."""
        head = _HEAD.pack(
            VERSION,
            0 if self.announced is None else 1 + _STATES.index(self.announced),
            _mask(self.announced_kinds),
            self.since_wall_ns,
            len(self.outcomes),
            min(self.same_visits, _UINT16_MAX),
            self.signature_wall_ns,
            min(self.baseline_visits, _UINT16_MAX),
            len(self.signature),
            len(self.baseline),
        )
        outcomes = b"".join(_OUTCOME.pack(_STATES.index(one.state), _mask(one.kinds)) for one in self.outcomes)
        return head + outcomes + self.signature + self.baseline

    @staticmethod
    def from_bytes(blob: bytes) -> "History":
        """The value that was stored. Empty bytes, another version or a cut blob: a camera never seen.

        Memory can always be learned anew, so a row that cannot be read costs a few visits and not the hub.
        """
        if len(blob) < _HEAD.size or blob[0] != VERSION:
            return History()
        (_, announced, kinds, since, count, same, seen_at, learned, signature, baseline) = _HEAD.unpack_from(blob)
        after = _HEAD.size + count * _OUTCOME.size
        if len(blob) != after + signature + baseline or announced > len(_STATES) or count > OUTCOMES_MAX:
            return History()
        past = list(_OUTCOME.iter_unpack(blob[_HEAD.size : after]))
        if any(state >= len(_STATES) for state, _ in past):
            return History()
        return History(
            announced=_STATES[announced - 1] if announced else None,
            announced_kinds=_kinds(kinds),
            since_wall_ns=since,
            outcomes=tuple(Outcome(_STATES[state], _kinds(mask)) for state, mask in past),
            signature=blob[after : after + signature],
            same_visits=same,
            signature_wall_ns=seen_at,
            baseline=blob[after + signature :],
            baseline_visits=learned,
        )


def _mask(kinds: tuple[FaultKind, ...]) -> int:
    return sum(1 << _KINDS.index(kind) for kind in kinds)


def _kinds(mask: int) -> tuple[FaultKind, ...]:
    return tuple(kind for bit, kind in enumerate(_KINDS) if mask >> bit & 1)
