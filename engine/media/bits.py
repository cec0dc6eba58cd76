"""Reads the bits of a NAL unit's content (RBSP). Pure.

Source: ITU-T H.264 7.2, 7.3.1 and 9.1; H.265 has the same rules.
"""

_UE_ZEROS_MAX = 31


def unescape(content: bytes) -> bytes:
    """Return the bytes after a NAL unit header without their emulation prevention bytes: 00 00 03 becomes 00 00.

    `replace` goes from left to right and does not search its own output, as the standard asks: two zeros count anew
    after each byte that is removed.
    """
    return content.replace(b"\0\0\3", b"\0\0")


class BitReader:
    """Reads from the most significant bit on. Reading past the end raises IndexError."""

    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content, "big")
        self._bits_left = 8 * len(content)

    def read(self, count: int) -> int:
        """Return the next `count` bits as an unsigned number. Raises IndexError if there are fewer."""
        if count > self._bits_left:
            raise IndexError("past the end of the NAL unit")
        self._bits_left -= count
        return self._value >> self._bits_left & ((1 << count) - 1)

    def read_ue(self) -> int:
        """Return the next unsigned Exp-Golomb code, ue(v). Raises IndexError if there is none."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _UE_ZEROS_MAX:
                raise IndexError("no Exp-Golomb code")
        return (1 << zeros) - 1 + self.read(zeros)
