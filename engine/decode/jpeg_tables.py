"""Reads the tables and scans of a JPEG with Huffman codes, for checking its coded data. Pure.

Source: ITU-T T.81 B.2, C, F.1.2 and F.2.2.
"""

import struct
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

CODE_BITS_MAX = 16
"""Length of the longest Huffman code."""

_SEGMENTS_MAX = 256
_UNEVEN_RATIO, _UNEVEN_STEPS = 2, 8
_USUAL_SAMPLING = {(1, 1), (2, 1), (2, 2)}
_ZIGZAG = sorted(
    ((row, column) for row in range(8) for column in range(8)),
    key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]),
)
_ZIGZAG_ROWS, _ZIGZAG_COLUMNS = (list(places) for places in zip(*_ZIGZAG, strict=True))
_COMPONENTS_MAX = 4
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN, _QUANTISERS, _RESTART, _SCAN = 0xC4, 0xDB, 0xDD, 0xDA


@dataclass(frozen=True, slots=True)
class Component:
    """One colour plane.

    `across`, `down`: sampling factors. `blocks_across`, `blocks_down`: 8 x 8 blocks that a scan of its own has.
    `quantiser`: number of its table.
    """

    across: int
    down: int
    blocks_across: int
    blocks_down: int
    quantiser: int


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan.

    `begin`: offset of its coded data. `units`: its minimum coded units; `columns`: of each
    row. `restart`: units between restart markers, 0 for
    none. `first`, `last`: its coefficients, 0 to 63. `low`: their lowest bits that are left to later scans. `refines`:
    it adds one bit to coefficients of an earlier scan. `planes`, `dc`, `ac`: of each block of a unit, the number of its
    plane, and the places of its tables in `codes`. `quantisers`: of each plane, the step of its blocks' means, in
    eighths of a level. `codes`: Huffman tables as they stand in the headers, 16 counts and the symbols.
    """

    begin: int
    units: int
    columns: int
    restart: int
    first: int
    last: int
    low: int
    refines: bool
    planes: npt.NDArray[np.int64]
    dc: npt.NDArray[np.int64]
    ac: npt.NDArray[np.int64]
    quantisers: npt.NDArray[np.int64]
    codes: tuple[bytes, ...]


class TablesError(ValueError):
    """The headers contradict themselves."""


@dataclass(slots=True)
class _Tables:
    huffman: dict[int, bytes] = field(default_factory=dict)
    quantisers: dict[int, tuple[int, ...]] = field(default_factory=dict)
    restart: int = 0
    components: dict[int, Component] = field(default_factory=dict)
    units: int = 0
    columns: int = 0
    readable: bool = True
    progressive: bool = False


class ScanReader:
    """Reads the scans of a payload one after another."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._tables = _Tables()

    @property
    def usual_sampling(self) -> bool:
        """Whether the first plane has one block a unit, two side by side, or four."""
        first = next(iter(self._tables.components.values()), None)
        return first is None or (first.across, first.down) in _USUAL_SAMPLING

    def next_scan(self, place: int) -> Scan | None:
        """Return the scan whose headers begin at `place`; None at the end of the image, or if its coding is not one of
        those that are read: Huffman codes, 8 bits.

        Raises TablesError if the headers contradict themselves or end too early.
        """
        payload, tables = self._payload, self._tables
        for _ in range(_SEGMENTS_MAX):
            if payload[place : place + 2] == b"\xff\xff":  # a fill byte
                place += 1
                continue
            if place + 4 > len(payload) or payload[place] != 0xFF:
                if payload[place : place + 2] == b"\xff\xd9":
                    return None
                raise TablesError(f"no marker at byte {place}")
            marker = payload[place + 1]
            if marker == 0xD9:
                return None
            if marker == 0xD8 or marker == 1 or 0xD0 <= marker <= 0xD7:
                place += 2
                continue
            end = place + 2 + int.from_bytes(payload[place + 2 : place + 4], "big")
            segment = payload[place + 4 : end]
            if end > len(payload):
                raise TablesError("a segment goes on past the end")
            if marker == _SCAN:
                return _scan(segment, end, tables)
            _read_segment(marker, segment, tables)
            if not tables.readable:
                return None
            place = end
        raise TablesError(f"more than {_SEGMENTS_MAX} segments")


def _read_segment(marker: int, segment: bytes, tables: _Tables) -> None:
    try:
        if marker == _HUFFMAN:
            _read_huffman(segment, tables)
        elif marker == _QUANTISERS:
            _read_quantisers(segment, tables)
        elif marker == _RESTART:
            tables.restart = int.from_bytes(segment[:2], "big")
        elif marker in _FRAME_HEADERS:
            if segment[0] not in (8, 12):
                raise TablesError(f"samples of {segment[0]} bits")
            tables.readable = marker in (_BASELINE, _EXTENDED, _PROGRESSIVE) and segment[0] == 8
            tables.progressive = marker == _PROGRESSIVE
            if tables.readable:
                _read_frame(segment, tables)
    except IndexError:
        raise TablesError(f"segment {marker:02x} is too short") from None


def _read_huffman(segment: bytes, tables: _Tables) -> None:
    while segment:
        counts = segment[1 : 1 + CODE_BITS_MAX]
        end = 1 + CODE_BITS_MAX + sum(counts)
        if end > len(segment):
            raise TablesError("a Huffman table is too short")
        if sum(count << (CODE_BITS_MAX - length) for length, count in enumerate(counts, 1)) > 1 << CODE_BITS_MAX:
            raise TablesError("a Huffman table has more codes than fit")
        tables.huffman[segment[0]] = segment[1:end]
        segment = segment[end:]


def _read_quantisers(segment: bytes, tables: _Tables) -> None:
    while segment:
        wide = segment[0] >> 4 != 0
        end = 1 + (128 if wide else 64)
        if end > len(segment):
            raise TablesError("a table of quantisers is too short")
        tables.quantisers[segment[0] & 15] = steps = struct.unpack_from(">64H" if wide else ">64B", segment, 1)
        if not _is_even(steps):
            raise TablesError("a table of quantisers has a step that does not fit its neighbours")
        segment = segment[end:]


@lru_cache(maxsize=64)
def _is_even(steps: tuple[int, ...]) -> bool:
    """Whether every step is near to those of neighbouring frequencies, as in every encoder's tables."""
    square = np.zeros((8, 8), np.int64)
    square[_ZIGZAG_ROWS, _ZIGZAG_COLUMNS] = steps
    above = square > _UNEVEN_RATIO * _sides(square, 0).max(axis=0) + _UNEVEN_STEPS
    below = _UNEVEN_RATIO * square + _UNEVEN_STEPS < _sides(square, 1 << 16).min(axis=0)
    below[0, 0] = False  # some encoders keep the mean fine, whatever the rest
    return not bool((above | below).any() or (square == 0).any())


def _sides(square: npt.NDArray[np.int64], beyond: int) -> npt.NDArray[np.int64]:
    """Return the four neighbours of every number, `beyond` outside the square."""
    around = np.pad(square, 1, constant_values=beyond)
    return np.stack([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])


def _read_frame(segment: bytes, tables: _Tables) -> None:
    height, width, count = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big"), segment[5]
    rows = [segment[6 + 3 * index : 9 + 3 * index] for index in range(count)]
    if not rows or count > _COMPONENTS_MAX or any(len(row) < 3 or not 1 <= row[1] >> 4 <= 4 for row in rows):
        raise TablesError("the frame header names no planes that can be")
    if any(not 1 <= row[1] & 15 <= 4 for row in rows):
        raise TablesError("the frame header names no planes that can be")
    widest, tallest = max(row[1] >> 4 for row in rows), max(row[1] & 15 for row in rows)
    tables.components = {
        number: Component(
            factors >> 4,
            factors & 15,
            _ceil_div(_ceil_div(width * (factors >> 4), widest), 8),
            _ceil_div(_ceil_div(height * (factors & 15), tallest), 8),
            quantiser,
        )
        for number, factors, quantiser in rows
    }
    tables.columns = _ceil_div(width, 8 * widest)
    tables.units = tables.columns * _ceil_div(height, 8 * tallest)


def _ceil_div(count: int, by: int) -> int:
    return (count + by - 1) // by


def _scan(segment: bytes, begin: int, tables: _Tables) -> Scan:
    count = segment[0] if segment else 0
    named = [segment[1 + 2 * index : 3 + 2 * index] for index in range(count)]
    if not named or len(segment) < 4 + 2 * count or any(pair[0] not in tables.components for pair in named):
        raise TablesError("a scan names planes that the frame header does not have")
    first, last, bits = segment[1 + 2 * count : 4 + 2 * count] if tables.progressive else (0, 63, 0)
    if first > last or last > 63 or (first == 0) != (last == 0 or not tables.progressive):
        raise TablesError("a scan names coefficients that it cannot have")
    components = [tables.components[pair[0]] for pair in named]
    refines = bits >> 4 > 0
    needed = [(pair[1] >> 4) if first == 0 else None for pair in named]
    wanted = [(dc, 0x10 | pair[1] & 15 if last > 0 else None) for dc, pair in zip(needed, named, strict=True)]
    keys = sorted({key for pair in wanted for key in pair if key is not None}) if not refines else []
    if any(key not in tables.huffman for key in keys):
        raise TablesError("a scan names a Huffman table that is not there")
    if any(component.quantiser not in tables.quantisers for component in components):
        raise TablesError("a plane names a table of quantisers that is not there")
    alone = len(components) == 1
    blocks = [
        (index, *(keys.index(key) if key in keys else 0 for key in wanted[index]))
        for index, component in enumerate(components)
        for _ in range(1 if alone else component.across * component.down)
    ]
    planes, dc, ac = np.array(blocks).T.copy()
    return Scan(
        begin=begin,
        units=components[0].blocks_across * components[0].blocks_down if alone else tables.units,
        columns=components[0].blocks_across if alone else tables.columns,
        restart=tables.restart,
        first=first,
        last=last,
        low=bits & 15,
        refines=refines,
        planes=planes,
        dc=dc,
        ac=ac,
        quantisers=np.array([tables.quantisers[component.quantiser][0] for component in components]),
        codes=tuple(tables.huffman[key] for key in keys) or (bytes(CODE_BITS_MAX),),
    )
