"""The lookups that a JPEG's codes are followed by say the same as its codes read bit by bit."""

import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.decode.jpeg_lookups import (
    ENDS,
    LONG_BITS,
    MEAN_BIAS,
    MEAN_BITS_MAX,
    MEAN_PLACE,
    SHORT_BITS,
    beginnings_of,
    lookups_of,
)
from engine.decode.jpeg_results import WHOLE
from engine.decode.jpeg_scan import follow_scan
from engine.decode.jpeg_tables import ScanReader
from tests.unit.decode.test_jpeg_check import coded, kitchen


def codes_by_bits(table: bytes) -> dict[str, int]:
    """The symbol of each code, written as digits (ITU-T T.81 C.2)."""
    symbols, code, found = iter(table[16:]), 0, {}
    for length, count in enumerate(table[:16], 1):
        for _ in range(count):
            found[f"{code:0{length}b}"] = next(symbols)
            code += 1
        code <<= 1
    return found


def read_symbol(codes: dict[str, int], bits: str) -> tuple[int, int] | None:
    """The symbol that `bits` begin with, and the length of its code; None if none is whole."""
    return next(((codes[bits[:length]], length) for length in range(1, len(bits) + 1) if bits[:length] in codes), None)


def read_block(dc: dict[str, int], ac: dict[str, int], bits: str) -> tuple[int, int, int, bool] | None:
    """Bits taken, mean's difference, coefficients filled and whether the block ends, of what is whole in `bits`."""
    mean = read_symbol(dc, bits)
    if mean is None or mean[0] > MEAN_BITS_MAX or mean[1] + mean[0] > len(bits):
        return None
    extra, length = mean
    value = int(bits[length : length + extra] or "0", 2)
    difference = value if extra == 0 or value >= 1 << (extra - 1) else value - (1 << extra) + 1
    taken, filled = length + extra, 0
    while (symbol := read_symbol(ac, bits[taken:])) is not None:
        run, extra = symbol[0] >> 4, symbol[0] & 15
        if taken + symbol[1] + extra > len(bits) or (extra == 0 and 0 < run < 15) or filled + run + 1 > 62:
            break
        taken += symbol[1] + extra
        if symbol[0] == 0:
            return taken, difference, filled, True
        filled += run + 1
    return taken, difference, filled, False


@pytest.mark.parametrize("options", [{"quality": 75}, {"quality": 90, "optimize": True}])
def test_a_blocks_beginning_is_what_its_bits_say(options: dict[str, Any]) -> None:
    scan = ScanReader(coded(**options)).next_scan(0)
    assert scan is not None
    pair = int(scan.dc[0]), int(scan.ac[0])
    begin = beginnings_of(scan.codes, (pair,))[0]
    dc, ac = (codes_by_bits(scan.codes[table]) for table in pair)
    ended = 0
    for index in random.Random(1).sample(range(1 << SHORT_BITS), 1500):
        entry = int(begin[index])
        found = (
            None
            if entry == 0
            else (entry & 15, (entry >> MEAN_PLACE) - MEAN_BIAS, (entry >> 4) & 127, entry & ENDS > 0)
        )
        wanted = read_block(dc, ac, f"{index:0{SHORT_BITS}b}")
        ended += wanted is not None and wanted[3]
        assert found == wanted, f"{index:013b}"
    assert ended > 100


def test_a_long_lookup_has_every_code() -> None:
    scan = ScanReader(coded(quality=75)).next_scan(0)
    assert scan is not None
    for table, lookup in zip(scan.codes, lookups_of(scan.codes)[0], strict=True):
        for code, symbol in codes_by_bits(table).items():
            assert lookup[int(code.ljust(LONG_BITS, "1"), 2)] == symbol << 8 | len(code)


@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 7}, {"optimize": True}, {"subsampling": 0}])
def test_the_levels_are_the_means_of_the_pictures_blocks(quality: int, options: dict[str, Any]) -> None:
    payload = coded(kitchen()[..., 0], quality=quality, **options)
    scan = ScanReader(payload).next_scan(0)
    assert scan is not None
    followed = follow_scan(payload, scan)
    luma = np.asarray(Image.open(io.BytesIO(payload)), np.float64)
    means = luma.reshape(luma.shape[0] // 8, 8, -1, 8).mean(axis=(1, 3))
    assert followed.result == WHOLE
    np.testing.assert_allclose(followed.levels[0].reshape(means.shape) + 128, means, atol=1)
