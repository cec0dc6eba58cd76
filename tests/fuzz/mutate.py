"""Damages bytes: by bits and bytes, by lines and numbers, by the words of a format; the same seed, the same bytes."""

import random
import re
from collections.abc import Callable, Sequence

INPUT_BYTES_MAX = 1 << 18
_EDITS_MAX = 6
_REPEATS_MAX = 200
_NUMBER = re.compile(rb"\d+")
_NUMBERS = (
    b"0", b"1", b"-1", b"00", b"1e999", b"nan", b"255", b"256", b"65535", b"65536", b"2147483648", b"4294967296",
    b"9223372036854775808", b"9" * 40, b"9" * 5000, b"0x10", b"1_0", "٣".encode(), "²".encode(), b" 7 ", b"",
)  # fmt: skip
_NASTY = (
    b"", b"\0", b"\xff", b"\xff" * 8, b"\n", b"\r", b"\r\n", b"\t", b" " * 100, b'"', b"'", b"\\", b"[" * 300,
    b"{" * 300, b"%", b"%zz", b"=", b",", b";", b":", b"\x1b[2J", "\u202e".encode(), "\ufeff".encode(),
    b"\xed\xa0\x80", b"\xc0\x80", b"\0\0\1", b"\0\0\3", b"$\0\0\0", b"A" * 5000,
)  # fmt: skip

Edit = Callable[[bytes, random.Random], bytes]


def mutate(seeds: Sequence[bytes], words: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one of the seeds with one to six edits. `words`: what the format is made of."""
    data = rng.choice(seeds)
    edits: tuple[Edit, ...] = (
        _flip, _replace_byte, _cut, _repeat, _swap_lines, _replace_number, _insert_nasty, _zero,
        lambda data, rng: _insert(data, rng.choice(words or _NASTY), rng),
        lambda data, rng: _splice(data, rng.choice(seeds), rng),
    )  # fmt: skip
    for _ in range(rng.randint(1, _EDITS_MAX)):
        data = rng.choice(edits)(data, rng)[:INPUT_BYTES_MAX]
    return data


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randint(0, len(data))


def _stretch(data: bytes, rng: random.Random) -> tuple[int, int]:
    """Where a stretch begins and ends: short ones as likely as long ones."""
    begin = _place(data, rng)
    return begin, min(len(data), begin + int(2 ** rng.uniform(0, 12)))


def _flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _replace_byte(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(data, rng)
    return data[:begin] if rng.random() < 0.3 else data[:begin] + data[end:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(data, rng)
    return data[:end] + data[begin:end] * int(_REPEATS_MAX ** rng.random()) + data[end:]


def _swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _replace_number(data: bytes, rng: random.Random) -> bytes:
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return data
    match = rng.choice(numbers)
    return data[: match.start()] + rng.choice(_NUMBERS) + data[match.end() :]


def _insert(data: bytes, word: bytes, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + word + data[place:]


def _insert_nasty(data: bytes, rng: random.Random) -> bytes:
    return _insert(data, rng.choice(_NASTY), rng)


def _zero(data: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(data, rng)
    return data[:begin] + bytes(end - begin) + data[end:]


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)] + other[_place(other, rng) :]
