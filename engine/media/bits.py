"""Bits of a parameter set. Pure. Source: ITU-T H.264 7.2, 7.4.1.1 and 9.1."""

_GOLOMB_ZEROS_MAX = 31


def unescape(raw: bytes) -> bytes:
    """The payload of a NAL unit without its emulation prevention bytes."""
    return raw.replace(b"\0\0\3", b"\0\0")


class BitReader:
    """Reads from the most significant bit on; IndexError past the end."""

    def __init__(self, raw: bytes) -> None:
        self._value = int.from_bytes(raw, "big")
        self._left = 8 * len(raw)

    def take(self, count: int) -> int:
        """The next `count` bits as an unsigned number."""
        if count > self._left:
            raise IndexError("past the end of the parameter set")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code, ue(v)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _GOLOMB_ZEROS_MAX:
                raise IndexError("no Exp-Golomb code")
        return (1 << zeros) - 1 + self.take(zeros)
