"""What a camera usually shows, per tile, learned slowly from good visits: structure, light, colour, edges. Pure.

One baseline for day and one for infrared. Each keeps two memories: one of a day or two, with which a single visit is
compared, and one of a season, against which the first is compared, so that grease that thickens by a thirtieth a day is
seen although no day differs from the one before. Both are means over time: the first SETTLING visits count alike, then
a visit weighs as much as the time it stands for. A visit moves a mean by a bounded step, so that people and pots that
come and go leave little behind.

Everything is kept in bytes, and steps below one unit are not lost: rounding thresholds run through 0..1 from visit to
visit (a Kronecker sequence), so that a mean moves by a unit as often as its steps add up to one.
"""

import math
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S

ROWS, COLUMNS = 9, 16
"""Of the tile grid, as engine/kernels/grid.py has it."""
TILES = ROWS * COLUMNS
CELLS = 4 * TILES
SETTLING = 32
STRUCTURE_UNITS = 15.0
ACUTANCE_UNITS, ACUTANCE_LEAST = 40.0, 0.05
COLOUR_ZERO = 128.0

Codes = npt.NDArray[np.uint8]
Grid = npt.NDArray[np.float32]

_SEASON_SPACING_NS = 3_600 * NS_PER_S
"""The season takes one visit an hour while it settles, or its first morning would be all it knows."""
_NS_PER_DAY = 86_400 * NS_PER_S
_STEP_MAX = 24.0
"""Units by which one visit may seem to differ."""
_WEIGHT_MAX = 0.125
_UINT16_MAX = 0xFFFF
_GOLDEN, _PLASTIC = 0.6180339887498949, 0.7548776662466927

LAYOUT: dict[str, slice] = {}
"""Parts of the codes. `cells`: mean level of each cell. `structure`: log2(1 + gradient energy) in 1/15. `acutance`: of
edges that x crosses and of those that y crosses, 0 where there are none, else log2 over 0.05 in 1/40. `u`, `v`: colour
around 128. The season has structure and acutance too, the latter over both directions together."""
CODES = 0
for _name, _size in (
    ("cells", CELLS), ("structure", TILES), ("acutance", 2 * TILES), ("u", TILES), ("v", TILES),
    ("season_structure", TILES), ("season_acutance", TILES),
):  # fmt: skip
    LAYOUT[_name] = slice(CODES, CODES + _size)
    CODES += _size
_SEASON = slice(LAYOUT["season_structure"].start, CODES)
_PHASES = (np.arange(CODES) * _GOLDEN % 1.0).astype(np.float32)
_GAPS = np.zeros(CODES, np.bool_)
"""Parts in which 0 means that nothing was there to be measured."""
_GAPS[LAYOUT["acutance"]] = _GAPS[LAYOUT["season_acutance"]] = True


class Usual(NamedTuple):
    """Figures of the whole picture as they usually are, by their names in docs/figures.md.

    `change`: median change of a tile from one visit to the next, in levels.
    """

    luma_mean: float = 0.0
    noise_floor: float = 0.0
    row_pattern: float = 0.0
    column_pattern: float = 0.0
    clipped_bright_share: float = 0.0
    change: float = 0.0


_NOTHING_USUAL = Usual()
_HEAD = struct.Struct(f"<HHQQ{len(Usual._fields)}f")
BASELINE_BYTES = _HEAD.size + CODES


class Look(NamedTuple):
    """One picture in the units of a baseline; `codes` float32, the parts of LAYOUT one after the other, 0..255."""

    codes: Grid
    usual: Usual


@dataclass(frozen=True, slots=True)
class Baseline:
    """A camera's memory of one mode; `Baseline()` has seen nothing.

    `packed`: a byte a code, the parts of LAYOUT one after the other. `visits`, `season_visits`: how many each memory
    has taken; `at_wall_ns`, `season_wall_ns`: when it took the last.
    """

    visits: int = 0
    season_visits: int = 0
    at_wall_ns: int = 0
    season_wall_ns: int = 0
    usual: Usual = _NOTHING_USUAL
    packed: bytes = b""

    @property
    def codes(self) -> Codes:
        """The parts of LAYOUT, shape (CODES,)."""
        return np.frombuffer(self.packed, np.uint8)

    def to_bytes(self) -> bytes:
        """For the store; empty if nothing was seen."""
        if not self.visits:
            return b""
        head = _HEAD.pack(self.visits, self.season_visits, self.at_wall_ns, self.season_wall_ns, *self.usual)
        return head + self.packed

    @staticmethod
    def from_bytes(blob: bytes) -> "Baseline":
        """The value that was stored; a blob of another size is a camera never seen."""
        if len(blob) != BASELINE_BYTES:
            return Baseline()
        visits, season_visits, at_ns, season_ns, *usual = _HEAD.unpack_from(blob)
        if not visits or not all(map(math.isfinite, usual)):
            return Baseline()
        return Baseline(visits, season_visits, at_ns, season_ns, Usual(*usual), blob[_HEAD.size :])


def look_of(cells: Grid, structure: Grid, acutance: Grid, u: Grid, v: Grid, usual: Usual) -> Look:
    """A picture in units of a baseline. `cells`: levels, shape (2 * ROWS, 2 * COLUMNS); the others as in TileMap."""
    codes = np.empty(CODES, np.float32)
    codes[LAYOUT["cells"]] = cells.ravel()
    codes[LAYOUT["structure"]] = np.log2(structure.ravel() + 1.0) * STRUCTURE_UNITS
    known = acutance > ACUTANCE_LEAST  # nan is not
    edges = np.where(known, np.log2(np.where(known, acutance, 1.0) / ACUTANCE_LEAST) * ACUTANCE_UNITS, 0.0)
    codes[LAYOUT["acutance"]] = edges.ravel()
    codes[LAYOUT["u"]], codes[LAYOUT["v"]] = u.ravel() + COLOUR_ZERO, v.ravel() + COLOUR_ZERO
    codes[LAYOUT["season_structure"]] = codes[LAYOUT["structure"]]
    codes[LAYOUT["season_acutance"]] = ((edges[0] + edges[1]) / np.maximum(1, known.sum(axis=0))).ravel()
    return Look(codes.clip(0.0, 255.0, out=codes), usual)


def learn(baseline: Baseline, look: Look, at_wall_ns: int, memory_days: float, season_days: float) -> Baseline:
    """The memory after one more good visit."""
    visits, season_visits = baseline.visits, baseline.season_visits
    if not visits:
        return Baseline(1, 1, at_wall_ns, at_wall_ns, look.usual, np.rint(look.codes).astype(np.uint8).tobytes())
    since_ns = at_wall_ns - baseline.season_wall_ns
    season_due = season_visits >= SETTLING or since_ns >= _SEASON_SPACING_NS
    weight = _weight(visits, at_wall_ns - baseline.at_wall_ns, memory_days)
    old = baseline.codes
    step = look.codes - old
    step.clip(-_STEP_MAX, _STEP_MAX, out=step)
    step[: _SEASON.start] *= weight
    step[_SEASON] *= _weight(season_visits, since_ns, season_days) if season_due else 0.0
    step += old
    thresholds = _PHASES + np.float32(visits * _PLASTIC % 1.0)
    thresholds -= np.floor(thresholds)
    step += thresholds
    codes = step.astype(np.uint8)  # rounds down
    np.copyto(codes, old, where=_GAPS & (look.codes == 0.0))
    np.copyto(codes, look.codes, where=_GAPS & (old == 0), casting="unsafe")
    mixed = (was + weight * (new - was) for was, new in zip(baseline.usual, look.usual, strict=True))
    return Baseline(
        visits=min(visits + 1, _UINT16_MAX),
        season_visits=min(season_visits + season_due, _UINT16_MAX),
        at_wall_ns=at_wall_ns,
        season_wall_ns=at_wall_ns if season_due else baseline.season_wall_ns,
        usual=Usual(*mixed),
        packed=codes.tobytes(),
    )


def _weight(visits: int, passed_ns: int, days: float) -> float:
    alike = 1.0 / (visits + 1) if visits < SETTLING else 0.0
    return max(alike, min(_WEIGHT_MAX, max(0, passed_ns) / (days * _NS_PER_DAY)))
