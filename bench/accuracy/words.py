"""Maps the true kinds of the harness to the engine's words: which answers are right, and which cause they name."""

from collections.abc import Iterable
from typing import Final

BLUR: Final = ("blurred", "defocus", "defocused", "out_of_focus", "motion_blur", "motion")
VEIL: Final = ("steam", "veil", "fog", "low_contrast")
GREASE: Final = ("grease", "greasy", "dirty")
STRIPES: Final = ("stripes", "dead_rows", "snow", "noise", "noisy", "interference")

RIGHT: Final[dict[str, tuple[str, ...]]] = {
    "defocus": BLUR,
    "motion": BLUR,
    "blurred": BLUR,
    "grease": (*GREASE, *VEIL, *BLUR),
    "steam": (*VEIL, *GREASE, "covered"),
    "drops": ("drops", *GREASE, *BLUR, "partly_covered"),
    "covered": ("covered",),
    "partly_covered": ("partly_covered", "covered"),
    "held_cover": ("partly_covered", "covered"),
    "too_dark": ("too_dark",),
    "too_bright": ("too_bright",),
    "over_exposed": ("too_bright",),
    "under_exposed": ("too_dark",),
    "backlit": ("backlight",),
    "moved": ("moved", "turned"),
    "frozen": ("frozen",),
    "signal_loss": ("signal_loss", "no_signal"),
    "colour_cast": ("colour_cast", "color_cast"),
    "noisy": ("noisy", "noise", "snow"),
    "snow": ("snow", "noisy", "noise"),
    "stripes": STRIPES,
    "dead_rows": STRIPES,
}
"""By true kind, the announced kinds that count as a hit. Whether the cause is right is counted separately, in `causes`.
"""

NEED_BASELINE: Final = (
    "covered",
    "partly_covered",
    "moved",
    "frozen",
    "grease",
    "steam",
    "drops",
    "colour_cast",
    "over_exposed",
    "under_exposed",
    "backlit",
    "held_cover",
)
"""True kinds that only a comparison with the camera's earlier pictures shows."""

_CAUSES: Final = {
    "defocus": ("defocus", "defocused", "out_of_focus"),
    "motion": ("motion", "motion_blur"),
    "blurred": ("blurred",),
    "steam": ("steam", "veil", "fog"),
    "grease": GREASE,
    "drops": ("drops",),
    "low_contrast": ("low_contrast",),
    "noisy": ("noisy", "noise", "snow"),
    "stripes": ("stripes", "dead_rows", "interference"),
    "signal_loss": ("signal_loss", "no_signal"),
    "moved": ("moved", "turned"),
    "colour_cast": ("colour_cast", "color_cast"),
}
_CAUSE_OF_WORD: Final = {word: cause for cause, spellings in _CAUSES.items() for word in spellings}
_FOREMOST: Final = (
    "signal_loss",
    "frozen",
    "covered",
    "too_dark",
    "too_bright",
    "moved",
    "partly_covered",
    "steam",
    "grease",
)
"""Order in which, of several kinds, one stands for the answer: it explains the others."""

_NEED_CAUSE: Final = ("blurred", "low_contrast", "fault")
"""Kinds that leave the cause open: the answer is named by its cause."""

TOLD_APART: Final[dict[str, tuple[str, ...]]] = {
    "defocus": ("defocus", "blurred"),
    "steam": ("steam",),
    "grease": ("grease",),
}
"""By true kind, the names that distinguish steam, grease and defocus correctly."""


def is_hit(truth: str, kinds: Iterable[str], cause: str) -> bool:
    """Return whether an answer with these kinds and this cause is right for `truth`."""
    right = RIGHT.get(truth, (truth,))
    return cause in right or any(kind in right for kind in kinds)


def answer_name(state: str, kinds: Iterable[str], cause: str) -> str:
    """Return one word for an answer: its state if it is no fault, else its foremost kind, or the cause if that kind
    leaves it open."""
    if state != "fault":
        return state
    words = [_CAUSE_OF_WORD.get(kind, kind) for kind in kinds]
    foremost = next((word for word in _FOREMOST if word in words), words[0] if words else state)
    return _CAUSE_OF_WORD.get(cause, foremost) if foremost in _NEED_CAUSE else foremost
