"""What the judge remembers of one camera, as a value and as bytes. Under 4 KB a camera. Pure."""

import struct
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, TypeVar

from engine.judge.baseline import BASELINE_BYTES, TILES, Baseline
from engine.model.verdict import Cause, FaultKind, State

VERSION = 2
OUTCOMES_MAX = 20
"""Visits looked back at, at most; the bound of JudgeSettings.confirm_m."""
SIGNATURE_BYTES = 2 * TILES
HIDDEN_BYTES = TILES // 8
HISTORY_BYTES_MAX = 4096

_STATES = tuple(State)
_KINDS = tuple(FaultKind)
_CAUSES = tuple(Cause)
_HEAD = struct.Struct("<BBBIQBHHQqHHQHBHH")
# version, announced + 1, announced cause + 1, announced kinds, since, outcomes, same visits, still visits, signature
# time, stream time, clock still visits, soft visits, soft since, sizes of signature, hidden tiles and both baselines
_OUTCOME = struct.Struct("<BBI")
OUTCOME_BYTES = _OUTCOME.size
_FIRST_HEAD = struct.Struct("<BBHQBHQHHH")
_FIRST_OUTCOME = struct.Struct("<BH")
_UINT16_MAX = 0xFFFF

_Member = TypeVar("_Member", bound=Enum)


class Outcome(NamedTuple):
    """What one past visit said."""

    state: State
    kinds: tuple[FaultKind, ...] = ()
    cause: Cause | None = None


def pack_outcomes(outcomes: Iterable[Outcome]) -> bytes:
    """As History.past has them, OUTCOME_BYTES each."""
    return b"".join(
        _OUTCOME.pack(_STATES.index(one.state), _number(one.cause, _CAUSES), _mask(one.kinds)) for one in outcomes
    )


@lru_cache(maxsize=4096)
def outcomes_of(past: bytes) -> tuple[Outcome, ...]:
    """The values again; of most cameras the latest visits said the same. Whole outcomes of known states."""
    return tuple(
        Outcome(_STATES[state], _kinds(kinds), _member(cause, _CAUSES))
        for state, cause, kinds in _OUTCOME.iter_unpack(past)
    )


class JudgeState(NamedTuple):
    """A camera's memory; `History()` is that of one never seen.

    `announced`, with its kinds and cause: what the engine stands by, None before the first visit; `since_wall_ns`: when
    it began. `past`: the latest visits, oldest first, OUTCOMES_MAX at most; as bytes, since a verdict asks for few of
    them (`outcomes`: as values). `signature`: tile means of the first of `same_visits` visits whose picture did not
    change at all and of `still_visits` whose picture changed less than this camera's ever does; the last of them was at
    `signature_wall_ns` and carried the stream's time `stream_time_ns`, which had not advanced for `clock_still_visits`.
    `hidden`: a bit a tile, row-major, that the last picture showed as hidden; empty if none. `soft_visits`: visits in a
    row, the last ones, that were softer than the season, all later than `soft_since_wall_ns`. `day`, `infrared`: the
    baselines, layout in engine/judge/baseline.py.
    """

    announced: State | None = None
    announced_kinds: tuple[FaultKind, ...] = ()
    announced_cause: Cause | None = None
    since_wall_ns: int = 0
    past: bytes = b""
    signature: bytes = b""
    same_visits: int = 0
    still_visits: int = 0
    signature_wall_ns: int = 0
    stream_time_ns: int = -1
    clock_still_visits: int = 0
    hidden: bytes = b""
    soft_visits: int = 0
    soft_since_wall_ns: int = 0
    day: bytes = b""
    infrared: bytes = b""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What the latest visits said, oldest first."""
        return outcomes_of(self.past)

    def baseline(self, *, infrared: bool) -> Baseline:
        """What the camera usually shows in a mode."""
        return Baseline.from_bytes(self.infrared if infrared else self.day)

    def without_baseline(self) -> "JudgeState":
        """The memory of a camera that was moved, cleaned or exchanged on purpose: what it shows is learned anew."""
        return self._replace(
            day=b"",
            infrared=b"",
            hidden=b"",
            signature=b"",
            same_visits=0,
            still_visits=0,
            signature_wall_ns=0,
            soft_visits=0,
            soft_since_wall_ns=0,
        )

    def before_last(self) -> "JudgeState":
        """Nearly the memory before the last visit: without its outcome; what it taught the baseline stays."""
        return self._replace(past=self.past[:-OUTCOME_BYTES], soft_visits=max(0, self.soft_visits - 1))

    def to_bytes(self) -> bytes:
        """For the store; `from_bytes` gives an equal value back."""
        head = _HEAD.pack(
            VERSION,
            _number(self.announced, _STATES),
            _number(self.announced_cause, _CAUSES),
            _mask(self.announced_kinds),
            self.since_wall_ns,
            len(self.past) // OUTCOME_BYTES,
            min(self.same_visits, _UINT16_MAX),
            min(self.still_visits, _UINT16_MAX),
            self.signature_wall_ns,
            self.stream_time_ns,
            min(self.clock_still_visits, _UINT16_MAX),
            min(self.soft_visits, _UINT16_MAX),
            self.soft_since_wall_ns,
            len(self.signature),
            len(self.hidden),
            len(self.day),
            len(self.infrared),
        )
        return head + self.past + self.signature + self.hidden + self.day + self.infrared

    @staticmethod
    def from_bytes(blob: bytes) -> "JudgeState":
        """The value that was stored. Empty bytes, an unknown version or a cut blob: a camera never seen.

        Memory can always be learned anew, so a row that cannot be read costs a few visits and not the hub. Of version 1
        what was announced and seen is kept; its baseline knew less than this one and is learned anew.
        """
        if blob and blob[0] == 1:
            return _first(blob)
        if len(blob) < _HEAD.size or blob[0] != VERSION:
            return JudgeState()
        (_, announced, cause, kinds, since, count, same, still, seen_at, stream_ns, clock, soft, soft_since, *sizes) = (
            _HEAD.unpack_from(blob)
        )
        signature, hidden, day, infrared = sizes
        after = _HEAD.size + count * OUTCOME_BYTES
        if len(blob) != after + signature + hidden + day + infrared or count > OUTCOMES_MAX:
            return JudgeState()
        past = blob[_HEAD.size : after]
        sizes_fit = signature in (0, SIGNATURE_BYTES) and hidden in (0, HIDDEN_BYTES)
        if not sizes_fit or announced > len(_STATES) or max(past[::OUTCOME_BYTES], default=0) >= len(_STATES):
            return JudgeState()
        if not {day, infrared} <= {0, BASELINE_BYTES}:
            return JudgeState()
        ends = [after + signature, after + signature + hidden, after + signature + hidden + day]
        return JudgeState(
            announced=_member(announced, _STATES),
            announced_kinds=_kinds(kinds),
            announced_cause=_member(cause, _CAUSES),
            since_wall_ns=since,
            past=past,
            signature=blob[after : ends[0]],
            same_visits=same,
            still_visits=still,
            signature_wall_ns=seen_at,
            stream_time_ns=stream_ns,
            clock_still_visits=clock,
            soft_visits=soft,
            soft_since_wall_ns=soft_since,
            hidden=blob[ends[0] : ends[1]],
            day=blob[ends[1] : ends[2]],
            infrared=blob[ends[2] :],
        )


def _first(blob: bytes) -> JudgeState:
    """Version 1: what was announced, and the latest visits."""
    if len(blob) < _FIRST_HEAD.size:
        return JudgeState()
    (_, announced, kinds, since, count, _, _, _, signature, baseline) = _FIRST_HEAD.unpack_from(blob)
    after = _FIRST_HEAD.size + count * _FIRST_OUTCOME.size
    if len(blob) != after + signature + baseline or announced > len(_STATES) or count > OUTCOMES_MAX:
        return JudgeState()
    past = list(_FIRST_OUTCOME.iter_unpack(blob[_FIRST_HEAD.size : after]))
    if any(state >= len(_STATES) for state, _ in past):
        return JudgeState()
    return JudgeState(
        announced=_member(announced, _STATES),
        announced_kinds=_kinds(kinds),
        since_wall_ns=since,
        past=pack_outcomes(Outcome(_STATES[state], _kinds(mask)) for state, mask in past),
    )


def _number(member: _Member | None, members: tuple[_Member, ...]) -> int:
    return 0 if member is None else 1 + members.index(member)


def _member(number: int, members: tuple[_Member, ...]) -> _Member | None:
    return members[number - 1] if 0 < number <= len(members) else None


def _mask(kinds: tuple[FaultKind, ...]) -> int:
    return sum(1 << _KINDS.index(kind) for kind in kinds) if kinds else 0


def _kinds(mask: int) -> tuple[FaultKind, ...]:
    return tuple(kind for bit, kind in enumerate(_KINDS) if mask >> bit & 1) if mask else ()
