"""The judge state: what the judge keeps of one camera, as a value and as bytes, under 4 KB per view and
stream. Pure."""

import struct
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, TypeVar

from engine.judge.baseline import BASELINE_BYTES, EARLIER_BYTES, TILES, Baseline, from_earlier
from engine.model.active_area import QUARTERS, ActiveArea, is_valid
from engine.model.verdict import Cause, FaultKind, State

VERSION = 5
OUTCOMES_MAX = 20
"""Outcomes that are kept, at most; the bound of JudgeSettings.confirm_m."""
TILE_MEANS_BYTES = 2 * TILES
HIDDEN_BYTES = TILES // 8
STATE_BYTES_MAX = 4096

_STATES = tuple(State)
_KINDS = tuple(FaultKind)
_CAUSES = tuple(Cause)
_HEADER = struct.Struct("<BBBIQBHHQqHHQHBHHIHHHHBBHHB")
# version, announced + 1, announced cause + 1, announced kinds, since, outcomes, same visits, still visits, compared at,
# stream time, clock still visits, soft visits, soft since, sizes of tile means, hidden tiles and both baselines,
# headers, active area with its views, visits that saw another one, size of the views' states, size of the sub-stream's
# state, visits wanted on the main stream
_LATER_BYTES = {2: 19, 3: 15, 4: 3}
"""Bytes of the last fields, which these versions do not have."""
_AREA = struct.Struct("<HHHHB")
_AREA_BEGINS = _HEADER.size - _AREA.size - 6
_NO_AREA = 0, 0, 0, 0, 0
_WITH_AREA = {4, VERSION}
"""Versions that have the active area where this one has it."""
_VIEW_SIZE = struct.Struct("<H")
_OUTCOME = struct.Struct("<BBI")
OUTCOME_BYTES = _OUTCOME.size
_HEADER_V1 = struct.Struct("<BBHQBHQHHH")
_OUTCOME_V1 = struct.Struct("<BH")
_UINT16_MAX = 0xFFFF
_SUB_SIZE_AT = _HEADER.size - 3
_SUB_BIT = 1 << 31
"""Of the mask of an outcome's kinds: the visit was on the sub-stream."""

_Member = TypeVar("_Member", bound=Enum)


class Outcome(NamedTuple):
    """The result of one visit, without the announcement. `on_sub`: the visit was on the sub-stream."""

    state: State
    kinds: tuple[FaultKind, ...] = ()
    cause: Cause | None = None
    on_sub: bool = False


def pack_outcomes(outcomes: Iterable[Outcome]) -> bytes:
    """Return the outcomes as `JudgeState.packed_outcomes` holds them, OUTCOME_BYTES each."""
    return b"".join(
        _OUTCOME.pack(
            _STATES.index(outcome.state),
            _number(outcome.cause, _CAUSES),
            _mask(outcome.kinds) | (_SUB_BIT if outcome.on_sub else 0),
        )
        for outcome in outcomes
    )


@lru_cache(maxsize=4096)
def unpack_outcomes(packed: bytes) -> tuple[Outcome, ...]:
    """Return the outcomes in `packed`, which must be whole and of known states.

    Cached: the latest outcomes of most cameras are the same.
    """
    return tuple(
        Outcome(_STATES[state], _kinds(kinds), _member(cause, _CAUSES), bool(kinds & _SUB_BIT))
        for state, cause, kinds in _OUTCOME.iter_unpack(packed)
    )


class JudgeState(NamedTuple):
    """What the judge keeps of one camera; `JudgeState()` is that of a camera never seen.

    `announced`, with its kinds and cause: the announced state, None before the first visit; `since_wall_ns`: when it
    began. `packed_outcomes`: of the latest visits, oldest first, OUTCOMES_MAX at most; kept as bytes, since a verdict
    needs few of them (`outcomes` has the values). `tile_means`: those of the picture that began the current run of
    `same_visits` visits whose picture did not change at all, and of `still_visits` whose picture changed less than this
    camera's pictures ever do. The latest of these visits was at `compared_wall_ns` and carried the stream time
    `stream_time_ns`, which had not advanced for `clock_still_visits`. `hidden`: one bit per tile, row-major, set if the
    tile was hidden in the last picture; empty if none was. `soft_visits`: number of latest visits in a row that were
    softer than the season, all later than `soft_since_wall_ns`. `day_baseline`, `infrared_baseline`: layout in
    engine/judge/baseline.py. `headers`: Measurement.headers of the last good picture; 0 if there was none. `area`: the
    active area of its pictures, which the baselines are of, None if none could be told yet; `area_visits`: number of
    latest visits in a row that saw another one. `views`: the states of its views if it has several, as bytes; see
    `view_states`. `sub`: what is kept of its sub-stream, as bytes; see `of_sub_stream`. All else that is of pictures is
    of the main stream. `main_wanted`: number of visits that the judge still wants on the main stream.
    """

    announced: State | None = None
    announced_kinds: tuple[FaultKind, ...] = ()
    announced_cause: Cause | None = None
    since_wall_ns: int = 0
    packed_outcomes: bytes = b""
    tile_means: bytes = b""
    same_visits: int = 0
    still_visits: int = 0
    compared_wall_ns: int = 0
    stream_time_ns: int = -1
    clock_still_visits: int = 0
    hidden: bytes = b""
    soft_visits: int = 0
    soft_since_wall_ns: int = 0
    day_baseline: bytes = b""
    infrared_baseline: bytes = b""
    headers: int = 0
    area: ActiveArea | None = None
    area_visits: int = 0
    views: bytes = b""
    sub: bytes = b""
    main_wanted: int = 0

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes of the latest visits, oldest first."""
        return unpack_outcomes(self.packed_outcomes)

    def baseline(self, *, infrared: bool) -> Baseline:
        """Return the baseline for infrared pictures, or the one for the day."""
        return Baseline.from_bytes(self.infrared_baseline if infrared else self.day_baseline)

    @property
    def learned_visits(self) -> int:
        """The good visits that the best learned of the baselines has seen, those of the views included."""
        states = (self, *self.view_states()) if self.views else (self,)
        return max(state.baseline(infrared=infrared).visits for state in states for infrared in (False, True))

    def learning_anew(self) -> "JudgeState":
        """Return the state of a camera that was moved, cleaned or exchanged on purpose: both streams begin anew."""
        return self.without_baseline().without_sub_stream()

    def without_baseline(self) -> "JudgeState":
        """Return the state with the baselines of this stream to be learned anew."""
        return self._replace(
            day_baseline=b"",
            infrared_baseline=b"",
            hidden=b"",
            tile_means=b"",
            same_visits=0,
            still_visits=0,
            compared_wall_ns=0,
            soft_visits=0,
            soft_since_wall_ns=0,
            area=None,
            area_visits=0,
            views=b"",
        )

    def view_states(self) -> tuple["JudgeState", ...]:
        """Return the state of each of QUARTERS views, without outcomes; of views never seen if there are none."""
        states: list[JudgeState] = []
        place = 0
        while place + _VIEW_SIZE.size <= len(self.views) and len(states) < QUARTERS:
            end = place + _VIEW_SIZE.size + _VIEW_SIZE.unpack_from(self.views, place)[0]
            states.append(JudgeState.from_bytes(self.views[place + _VIEW_SIZE.size : end]))
            place = end
        return tuple(states) if len(states) == QUARTERS else (JudgeState(),) * QUARTERS

    def with_view_states(self, states: Iterable["JudgeState"]) -> "JudgeState":
        """Return the state with those of its views."""
        blobs = [state._replace(packed_outcomes=b"", views=b"").to_bytes() for state in states]
        return self._replace(views=b"".join(_VIEW_SIZE.pack(len(blob)) + blob for blob in blobs))

    def of_sub_stream(self) -> "JudgeState":
        """Return the state for a visit on the sub-stream: what is of pictures is the sub-stream's, all else as here."""
        return JudgeState.from_bytes(self.sub)._replace(
            announced=self.announced,
            announced_kinds=self.announced_kinds,
            announced_cause=self.announced_cause,
            since_wall_ns=self.since_wall_ns,
            packed_outcomes=self.packed_outcomes,
        )

    def with_sub_stream(self, state: "JudgeState") -> "JudgeState":
        """Return the state with what a visit on the sub-stream left: its pictures, and its outcome as one of them."""
        packed = state.packed_outcomes
        if packed:
            packed = packed[:-1] + bytes([packed[-1] | _SUB_BIT >> 24])
        pictures = state._replace(
            announced=None, announced_kinds=(), announced_cause=None, since_wall_ns=0, packed_outcomes=b""
        )
        return self._replace(packed_outcomes=packed, sub=pictures.to_bytes())

    def without_sub_stream(self) -> "JudgeState":
        """Return the state of a camera that has no sub-stream any more."""
        return self._replace(sub=b"", main_wanted=0)

    def without_last_outcome(self) -> "JudgeState":
        """Return nearly the state before the last visit: its outcome is removed, what the baseline learned stays."""
        return self._replace(
            packed_outcomes=self.packed_outcomes[:-OUTCOME_BYTES], soft_visits=max(0, self.soft_visits - 1)
        )

    def to_bytes(self) -> bytes:
        """Return the bytes to store; `from_bytes` returns an equal value."""
        header = _HEADER.pack(
            VERSION,
            _number(self.announced, _STATES),
            _number(self.announced_cause, _CAUSES),
            _mask(self.announced_kinds),
            self.since_wall_ns,
            len(self.packed_outcomes) // OUTCOME_BYTES,
            min(self.same_visits, _UINT16_MAX),
            min(self.still_visits, _UINT16_MAX),
            self.compared_wall_ns,
            self.stream_time_ns,
            min(self.clock_still_visits, _UINT16_MAX),
            min(self.soft_visits, _UINT16_MAX),
            self.soft_since_wall_ns,
            len(self.tile_means),
            len(self.hidden),
            len(self.day_baseline),
            len(self.infrared_baseline),
            self.headers,
            *(_NO_AREA if self.area is None else self.area),
            self.area_visits,
            len(self.views),
            len(self.sub),
            min(self.main_wanted, 255),
        )
        parts = (
            self.packed_outcomes,
            self.tile_means,
            self.hidden,
            self.day_baseline,
            self.infrared_baseline,
            self.views,
            self.sub,
        )
        return b"".join((header, *parts))

    @staticmethod
    def from_bytes(blob: bytes) -> "JudgeState":
        """Return the value that was stored; that of a camera never seen for empty bytes, an unknown version or a cut
        blob.

        The state can always be learned anew, so a row that cannot be read costs a few visits, but not the hub. Of
        version 1 the announced state and the outcomes are kept; its baseline held less and is learned anew. Of versions
        2 to 4 everything is kept; 4 knew no gradients, no usual range of light and no spots, 3 no active area either,
        and 2 no headers.
        """
        baseline_bytes = BASELINE_BYTES
        if blob and blob[0] == 1:
            return _from_version_1(blob)
        if blob and blob[0] in _LATER_BYTES:
            blob = _with_later_fields(blob)
            baseline_bytes = EARLIER_BYTES
        if len(blob) < _HEADER.size or blob[0] != VERSION:
            return JudgeState()
        (_, announced, cause, kinds, since, count, same, still, at_ns, stream_ns, clock, soft, soft_since, *rest) = (
            _HEADER.unpack_from(blob)
        )
        means, hidden, day, infrared, headers, *area, area_visits, views, sub, main_wanted = rest
        after = _HEADER.size + count * OUTCOME_BYTES
        if len(blob) != after + means + hidden + day + infrared + views + sub or count > OUTCOMES_MAX:
            return JudgeState()
        packed = blob[_HEADER.size : after]
        sizes_fit = means in (0, TILE_MEANS_BYTES) and hidden in (0, HIDDEN_BYTES)
        if not sizes_fit or announced > len(_STATES) or max(packed[::OUTCOME_BYTES], default=0) >= len(_STATES):
            return JudgeState()
        if not {day, infrared} <= {0, baseline_bytes}:
            return JudgeState()
        parts = []
        for size in (means, hidden, day, infrared, views, sub):
            parts.append(blob[after : after + size])
            after += size
        if baseline_bytes == EARLIER_BYTES:
            parts[2:4] = (from_earlier(baseline) if baseline else b"" for baseline in parts[2:4])
        return JudgeState(
            announced=_member(announced, _STATES),
            announced_kinds=_kinds(kinds),
            announced_cause=_member(cause, _CAUSES),
            since_wall_ns=since,
            packed_outcomes=packed,
            tile_means=parts[0],
            same_visits=same,
            still_visits=still,
            compared_wall_ns=at_ns,
            stream_time_ns=stream_ns,
            clock_still_visits=clock,
            soft_visits=soft,
            soft_since_wall_ns=soft_since,
            hidden=parts[1],
            day_baseline=parts[2],
            infrared_baseline=parts[3],
            headers=headers,
            area=_area(*area),
            area_visits=area_visits,
            views=parts[4],
            sub=parts[5],
            main_wanted=main_wanted,
        )


def known_area(blob: bytes, *, of_sub: bool = False) -> ActiveArea | None:
    """Return `area` of the state in these bytes, without reading the rest; None if it has none. `of_sub`: that of the
    sub-stream."""
    if len(blob) < _HEADER.size or blob[0] not in _WITH_AREA:
        return None
    if of_sub:
        if blob[0] != VERSION:
            return None
        (size,) = _VIEW_SIZE.unpack_from(blob, _SUB_SIZE_AT)
        return known_area(blob[len(blob) - size :])
    return _area(*_AREA.unpack_from(blob, _AREA_BEGINS))


def _area(left: int, top: int, right: int, bottom: int, views: int) -> ActiveArea | None:
    area = ActiveArea(left, top, right, bottom, views)
    return area if is_valid(area) else None


def _from_version_1(blob: bytes) -> JudgeState:
    """Read the announced state and the outcomes from bytes of version 1."""
    if len(blob) < _HEADER_V1.size:
        return JudgeState()
    (_, announced, kinds, since, count, _, _, _, signature, baseline) = _HEADER_V1.unpack_from(blob)
    after = _HEADER_V1.size + count * _OUTCOME_V1.size
    if len(blob) != after + signature + baseline or announced > len(_STATES) or count > OUTCOMES_MAX:
        return JudgeState()
    outcomes = list(_OUTCOME_V1.iter_unpack(blob[_HEADER_V1.size : after]))
    if any(state >= len(_STATES) for state, _ in outcomes):
        return JudgeState()
    return JudgeState(
        announced=_member(announced, _STATES),
        announced_kinds=_kinds(kinds),
        since_wall_ns=since,
        packed_outcomes=pack_outcomes(Outcome(_STATES[state], _kinds(mask)) for state, mask in outcomes),
    )


def _with_later_fields(blob: bytes) -> bytes:
    """Return bytes of an earlier version as VERSION has them; fields that it does not have are zero."""
    missing = _LATER_BYTES[blob[0]]
    end = _HEADER.size - missing
    return bytes([VERSION]) + blob[1:end] + bytes(missing) + blob[end:] if len(blob) >= end else b""


def _number(member: _Member | None, members: tuple[_Member, ...]) -> int:
    """Return 1 + the index of a member, 0 for None."""
    return 0 if member is None else 1 + members.index(member)


def _member(number: int, members: tuple[_Member, ...]) -> _Member | None:
    """Return the member that `_number` gave `number`; None for 0 and for unknown numbers."""
    return members[number - 1] if 0 < number <= len(members) else None


def _mask(kinds: tuple[FaultKind, ...]) -> int:
    return sum(1 << _KINDS.index(kind) for kind in kinds) if kinds else 0


def _kinds(mask: int) -> tuple[FaultKind, ...]:
    return tuple(kind for bit, kind in enumerate(_KINDS) if mask >> bit & 1) if mask else ()
