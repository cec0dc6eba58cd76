"""Order statistics of a few values, such as the median, in compiled code. Pure but for the compiler."""

from typing import Any

import numba

from engine.runtime.numba_cache import CACHED

MEDIAN, TOP = 0.5, 0.85
"""Shares for `quantile`: the median, and the value that only the least affected tiles exceed."""


@numba.njit(nogil=True, cache=CACHED)
def nth_element(values: Any, count: int, n: int) -> Any:
    """Return the value that would be at index `n` if the first `count` were sorted. Reorders them.

    Uses Hoare's selection: a sort costs several times as much, and a visit asks for a dozen quantiles.
    """
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if n <= j:
            high = j
        elif n >= i:
            low = i
        else:
            break
    return values[n]


@numba.njit(nogil=True, cache=CACHED)
def quantile(values: Any, count: int, share: float) -> Any:
    """Return the value below which `share` (0..1) of the first `count` lie, the lower of two neighbours.

    Reorders them.
    """
    return nth_element(values, count, int(share * (count - 1)))


@numba.njit(nogil=True, cache=CACHED)
def compress(values: Any, mask: Any, out: Any) -> int:
    """Copy the values where `mask` is true to the start of `out`; return how many there are."""
    count = 0
    for tile in range(mask.shape[0]):
        if mask[tile]:
            out[count] = values[tile]
            count += 1
    return count
