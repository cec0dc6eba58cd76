"""Truths of the harness in the words of the engine: which answers are right, and which cause was named."""

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
    "too_dark": ("too_dark",),
    "too_bright": ("too_bright",),
    "moved": ("moved", "turned"),
    "frozen": ("frozen",),
    "signal_loss": ("signal_loss", "no_signal"),
    "colour_cast": ("colour_cast", "color_cast"),
    "noisy": ("noisy", "noise", "snow"),
    "snow": ("snow", "noisy", "noise"),
    "stripes": STRIPES,
    "dead_rows": STRIPES,
}
"""A kind that is announced counts as a hit if it is one of these. Naming the cause is counted apart, in `causes`."""

NEED_MEMORY: Final = ("covered", "partly_covered", "moved", "frozen", "grease", "steam", "drops", "colour_cast")
"""Truths that show against the camera's past."""

_CAUSES: Final = {
    "defocus": ("defocus", "defocused", "out_of_focus"),
    "motion": ("motion", "motion_blur"),
    "blurred": ("blurred",),
    "steam": ("steam", "veil", "fog"),
    "grease": GREASE,
    "low_contrast": ("low_contrast",),
    "noisy": ("noisy", "noise", "snow"),
    "stripes": ("stripes", "dead_rows", "interference"),
    "signal_loss": ("signal_loss", "no_signal"),
    "moved": ("moved", "turned"),
    "colour_cast": ("colour_cast", "color_cast"),
}
_BY_WORD: Final = {word: cause for cause, spelled in _CAUSES.items() for word in spelled}
_FIRST: Final = (
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
"""Of several kinds, the one that explains the others stands for the answer."""

_OPEN: Final = ("blurred", "low_contrast", "fault")
"""These leave open why; the cause tells."""

TOLD_APART: Final[dict[str, tuple[str, ...]]] = {
    "defocus": ("defocus", "blurred"),
    "steam": ("steam",),
    "grease": ("grease",),
}
"""Which named causes tell steam, grease and defocus apart."""


def hit(truth: str, kinds: Iterable[str], cause: str) -> bool:
    """Whether an answer with these kinds and this cause is right for `truth`."""
    right = RIGHT.get(truth, (truth,))
    return cause in right or any(kind in right for kind in kinds)


def named(state: str, kinds: Iterable[str], cause: str) -> str:
    """One word for an answer: its state if it is no fault, else its foremost kind, or the cause of an open one."""
    if state != "fault":
        return state
    words = [_BY_WORD.get(kind, kind) for kind in kinds]
    foremost = next((word for word in _FIRST if word in words), words[0] if words else state)
    return _BY_WORD.get(cause, foremost) if foremost in _OPEN else foremost
