"""Records by a key, and counts of words. Pure."""

from collections.abc import Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")
_K = TypeVar("_K")


def grouped(values: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    """Values by what `key` says of them, in the order in which they come."""
    groups: dict[_K, list[_T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups


def counts(values: Iterable[str]) -> dict[str, int]:
    """How often each word is there, the most frequent first."""
    by_word = {word: len(same) for word, same in grouped(values, lambda word: word).items()}
    return dict(sorted(by_word.items(), key=lambda one: -one[1]))
