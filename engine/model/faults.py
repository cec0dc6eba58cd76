"""How fault kinds relate: which belong to one family, how severe they are, and which causes they can have. Pure.

A family is what counts as one fault of a camera while it grows or drifts (blurred, grease and steam, for example). It
is named by the value of its first kind; a camera without a picture is of family `offline`.
"""

from collections.abc import Iterable, Mapping

from engine.model.verdict import Cause, FaultKind, Severity

FAMILY_GROUPS: tuple[frozenset[FaultKind], ...] = (
    frozenset({FaultKind.BLURRED, FaultKind.GREASE, FaultKind.STEAM}),
    frozenset({FaultKind.COVERED, FaultKind.PARTLY_COVERED}),
    frozenset({FaultKind.NOISY, FaultKind.SNOW}),
)
"""Kinds that turn into one another as a fault grows or drifts. Any other kind is a family by itself."""
BLIND = frozenset(
    {
        FaultKind.COVERED,
        FaultKind.TOO_DARK,
        FaultKind.SIGNAL_LOSS,
        FaultKind.FROZEN,
        FaultKind.MOVED,
        FaultKind.SNOW,
    }
)
"""Kinds of severity blind."""
READ_KINDS = frozenset({FaultKind.CLOCK_WRONG, FaultKind.NAME_WRONG})
"""Kinds that are read in the picture's text once a day. No verdict of a visit has them, opens or closes their findings.
Each is a family by itself."""
COSMETIC = frozenset({FaultKind.COLOUR_CAST, FaultKind.NOISY}) | READ_KINDS
"""Kinds of severity cosmetic; all that are in neither set are impaired."""
STILL_SEEN = frozenset({Cause.UNDEREXPOSURE, Cause.BACKLIGHT})
"""Causes of a dark picture that shows something all the same: it is impaired, not blind."""
OFFLINE = "offline"
"""Family and cause key of a camera without a picture."""

_CAUSES: Mapping[Cause, frozenset[FaultKind]] = {
    Cause.DEFOCUS: frozenset({FaultKind.BLURRED}),
    Cause.MOTION: frozenset({FaultKind.BLURRED}),
    Cause.GREASE: frozenset({FaultKind.BLURRED}),
    Cause.STEAM: frozenset({FaultKind.BLURRED}),
    Cause.LIGHTS_OFF: frozenset({FaultKind.TOO_DARK}),
    Cause.OVEREXPOSURE: frozenset({FaultKind.TOO_BRIGHT}),
    Cause.BACKLIGHT: frozenset({FaultKind.TOO_DARK}),
    Cause.PICTURE_STILL: frozenset({FaultKind.FROZEN}),
    Cause.CLOCK_STILL: frozenset({FaultKind.FROZEN, FaultKind.CLOCK_WRONG}),
    Cause.LOW_LIGHT: frozenset({FaultKind.NOISY, FaultKind.SNOW}),
    Cause.UNDEREXPOSURE: frozenset({FaultKind.TOO_DARK}),
    Cause.DROPS: frozenset({FaultKind.BLURRED}),
}
"""Kinds that a cause explains further. A kind with the name of its cause (grease, steam) needs no further word."""
_DARK = frozenset({FaultKind.TOO_DARK})
_FAMILIES: Mapping[str, str] = {
    kind.value: next((min(group, key=list(FaultKind).index) for group in FAMILY_GROUPS if kind in group), kind).value
    for kind in FaultKind
}


def severity(kinds: Iterable[FaultKind], cause: Cause | None = None) -> Severity | None:
    """Return the highest severity of the kinds; None if there are none. `cause`: of the fault, which may be milder."""
    faults = set(kinds)
    if not faults:
        return None
    blind = faults & BLIND
    if blind and not (blind <= _DARK and cause in STILL_SEEN):
        return Severity.BLIND
    return Severity.COSMETIC if faults <= COSMETIC else Severity.IMPAIRED


def family_of_kind(kind: FaultKind) -> str:
    """Return the name of the family that a kind belongs to."""
    return _FAMILIES[kind]


def family_of_cause_key(cause_key: str) -> str:
    """Return the family of a cause key. `offline`, and kinds that this version does not know, are their own family."""
    kind = cause_key.partition("/")[0]
    return _FAMILIES.get(kind, kind)


def cause_key(kind: FaultKind, cause: Cause | None) -> str:
    """Return `kind/cause` if the cause explains this kind, otherwise the kind."""
    return f"{kind}/{cause}" if cause is not None and kind in _CAUSES[cause] else kind.value


def group_by_family(kinds: Iterable[FaultKind]) -> dict[str, tuple[FaultKind, ...]]:
    """Return the kinds by family. A black picture without a signal is one fault: signal_loss, without too_dark."""
    faults = tuple(kinds)
    families: dict[str, tuple[FaultKind, ...]] = {}
    for kind in faults:
        if kind is FaultKind.TOO_DARK and FaultKind.SIGNAL_LOSS in faults:
            continue
        family = _FAMILIES[kind]
        families[family] = (*families.get(family, ()), kind)
    return families
