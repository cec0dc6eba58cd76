"""Bounds of what a keyframe may hold: no camera comes near them, and a decoder's work grows with each. Pure.

A few bytes can make a decoder work for minutes: a scan or a slice goes through the whole picture again. So they are
counted before anything is decoded. What costs much in another way is for the worker's budget of CPU time.
"""

SCANS_MAX = 64
"""Scans of a JPEG, and frame headers. Encoders write 1 to 14 scans; pictures inside the metadata count too."""
UNITS_MAX = 4096
"""NAL units of a keyframe."""
SLICES_MAX = 1024
"""Slices of a keyframe. A picture of 8192 lines has 512 rows of blocks."""
PICTURES_MAX = 8
"""Slices that begin a picture; a picture of two fields has two."""
PARAMETER_SETS_MAX = 64
"""Parameter sets of a keyframe."""
PARAMETER_SET_BYTES_MAX = 4096
"""Bytes of one parameter set."""


def excess(counts: dict[str, tuple[int, int]]) -> str:
    """Return the first of the counts that is above its bound as words, like "60000 scans; allowed: 64"; empty if none.

    `counts`: by what is counted, the number and its bound.
    """
    over = (f"{number} {what}; allowed: {most}" for what, (number, most) in counts.items() if number > most)
    return next(over, "")
