"""Draws pseudo-random numbers that are always the same for the same seed. Pure."""

import hashlib

_MASK = (1 << 64) - 1


def seed_of(seed: int, name: str) -> int:
    """Return a seed of 64 bits for a name, such as a camera's id."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=seed.to_bytes(8, "big")).digest(), "big")


def uniform(seed: int, n: int) -> float:
    """Return the n-th number of [0, 1) of a seed: one step of SplitMix64 (Steele, Lea, Flood 2014)."""
    z = (seed + n * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) / 9007199254740992.0
