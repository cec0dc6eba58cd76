"""What following the codes of a JPEG's scan can end in: numbers, since compiled code returns them. Pure."""

from typing import Final

WHOLE: Final = 0
CODE_BROKEN: Final = 1
"""A code that no table has, or a block of more than 64 coefficients."""
DATA_SHORT: Final = 2
"""The data end before the last block."""
DATA_LONG: Final = 3
"""Bytes follow the last block. They may be padding."""
RESTART_WRONG: Final = 4
"""A restart marker is missing, out of turn or at the wrong place."""
