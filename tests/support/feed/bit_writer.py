"""Writes NAL units bit by bit, for headers that no encoder makes."""


class BitWriter:
    """Collects bits from the most significant on."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def write(self, value: int, count: int) -> "BitWriter":
        """Append `value` as `count` bits."""
        self._bits.append(f"{value:0{count}b}" if count else "")
        return self

    def write_ue(self, value: int) -> "BitWriter":
        """Append an unsigned Exp-Golomb code."""
        code = f"{value + 1:b}"
        self._bits.append("0" * (len(code) - 1) + code)
        return self

    def rbsp(self) -> bytes:
        """Return the bits with a stop bit, filled up with zeros to whole bytes."""
        bits = "".join(self._bits) + "1"
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def escape(rbsp: bytes) -> bytes:
    """Insert emulation prevention bytes as an encoder does (H.264 7.4.1)."""
    escaped = bytearray()
    zeros = 0
    for byte in rbsp:
        if zeros == 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    if zeros == 2:
        escaped.append(3)
    return bytes(escaped)
