"""Groups records by a key, and counts words. Pure."""

from collections.abc import Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")
_K = TypeVar("_K")


def grouped(values: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    """Return the values grouped by `key`, groups and values in the order of their first occurrence."""
    groups: dict[_K, list[_T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups


def counts(values: Iterable[str]) -> dict[str, int]:
    """Return how often each word occurs, the most frequent first."""
    by_word = {word: len(group) for word, group in grouped(values, lambda word: word).items()}
    return dict(sorted(by_word.items(), key=lambda item: -item[1]))
