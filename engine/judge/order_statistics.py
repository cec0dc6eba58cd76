"""Ranks of a few values, compiled: the middle one, and the like."""

from typing import Any

import numba

from engine.runtime.numba_cache import CACHED

HALF, TOP = 0.5, 0.85
"""Shares below the middle value, and below one that only the least affected tiles exceed."""


@numba.njit(nogil=True, cache=CACHED)
def nth(values: Any, count: int, wanted: int) -> Any:
    """The value that would stand at `wanted` if the first `count` were sorted, by Hoare's selection: reorders them.

    A sort would do, at several times the cost: a visit asks for a dozen ranks.
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
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@numba.njit(nogil=True, cache=CACHED)
def rank(values: Any, count: int, share: float) -> Any:
    """The value below which `share` of the first `count` lie, the lower of two neighbours. Reorders them."""
    return nth(values, count, int(share * (count - 1)))


@numba.njit(nogil=True, cache=CACHED)
def pick(values: Any, wanted: Any, out: Any) -> int:
    """Those of a tile's values that are wanted, one behind the other; returns how many."""
    count = 0
    for tile in range(wanted.shape[0]):
        if wanted[tile]:
            out[count] = values[tile]
            count += 1
    return count
