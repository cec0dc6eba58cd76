"""Bits of NAL units: emulation prevention and Exp-Golomb codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.media.bits import BitReader, unescape
from tests.support.feed.bit_writer import BitWriter, escape

SMALL_BYTES = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255]), max_size=60).map(bytes)


def unescape_by_the_standard(content: bytes) -> bytes:
    """H.264 7.3.1, NumBytesInRBSP, byte by byte."""
    rbsp = bytearray()
    place = 0
    while place < len(content):
        if content[place : place + 3] == b"\0\0\3":
            rbsp += content[place : place + 2]
            place += 3
        else:
            rbsp.append(content[place])
            place += 1
    return bytes(rbsp)


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("", ""),
        ("0000", "0000"),
        ("000003", "0000"),
        ("00000301", "000001"),
        ("0000030000030000", "000000000000"),
        ("000003000003", "00000000"),
        ("00000300", "000000"),
        ("0000030003", "00000003"),  # two zeros are counted anew after the byte that was removed
        ("00000303", "000003"),
        ("000003030003", "0000030003"),
        ("00000003", "000000"),  # not allowed in a NAL unit
        ("0003", "0003"),
        ("030000", "030000"),
    ],
)
def test_emulation_prevention_bytes_are_removed(escaped: str, plain: str) -> None:
    assert unescape(bytes.fromhex(escaped)) == bytes.fromhex(plain)


@given(SMALL_BYTES)
def test_unescape_undoes_what_an_encoder_inserts(rbsp: bytes) -> None:
    escaped = escape(rbsp)
    assert all(code not in escaped for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
    assert unescape(escaped) == rbsp


@given(SMALL_BYTES)
def test_unescape_follows_the_standard_on_any_bytes(content: bytes) -> None:
    assert unescape(content) == unescape_by_the_standard(content)


@given(st.lists(st.integers(0, 2**32 - 2), max_size=20))
def test_exp_golomb_codes_are_read_back(numbers: list[int]) -> None:
    writer = BitWriter()
    for number in numbers:
        writer.write_ue(number).write(number & 7, 3)
    bits = BitReader(writer.rbsp())
    assert [(bits.read_ue(), bits.read(3)) for _ in numbers] == [(number, number & 7) for number in numbers]


@pytest.mark.parametrize("content", ["", "00", "01", "0000000000000000000000", "00000000ffffffffff"])
def test_what_is_no_exp_golomb_code_raises_index_error(content: str) -> None:
    with pytest.raises(IndexError):
        BitReader(bytes.fromhex(content)).read_ue()


def test_reading_past_the_end_raises_index_error() -> None:
    bits = BitReader(b"\xff")
    assert bits.read(8) == 255
    assert bits.read(0) == 0
    with pytest.raises(IndexError):
        bits.read(1)
