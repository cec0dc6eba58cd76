"""Small assertions that tests share."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return the value; fails if it is None."""
    assert value is not None
    return value
