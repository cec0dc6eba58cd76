"""What kinds of fault have to do with one another: which pass into one another, how bad they are, of what cause.

Pure. A family is what counts as one and the same fault of a camera, however far it has gone: its word is that of its
first kind, `offline` for a camera without a picture.
"""

from collections.abc import Iterable, Mapping

from engine.model.verdict import Cause, FaultKind, Severity

SAME: tuple[frozenset[FaultKind], ...] = (
    frozenset({FaultKind.BLURRED, FaultKind.GREASE, FaultKind.STEAM}),
    frozenset({FaultKind.COVERED, FaultKind.PARTLY_COVERED}),
    frozenset({FaultKind.NOISY, FaultKind.SNOW}),
)
"""Kinds that pass into one another as a damage grows or drifts."""
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
COSMETIC = frozenset({FaultKind.COLOUR_CAST, FaultKind.NOISY})
OFFLINE = "offline"

_CAUSES: Mapping[Cause, frozenset[FaultKind]] = {
    Cause.DEFOCUS: frozenset({FaultKind.BLURRED}),
    Cause.MOTION: frozenset({FaultKind.BLURRED}),
    Cause.GREASE: frozenset({FaultKind.BLURRED}),
    Cause.STEAM: frozenset({FaultKind.BLURRED}),
    Cause.LIGHTS_OFF: frozenset({FaultKind.TOO_DARK}),
    Cause.OVEREXPOSURE: frozenset({FaultKind.TOO_BRIGHT}),
    Cause.BACKLIGHT: frozenset({FaultKind.TOO_DARK}),
    Cause.PICTURE_STILL: frozenset({FaultKind.FROZEN}),
    Cause.CLOCK_STILL: frozenset({FaultKind.FROZEN}),
    Cause.LOW_LIGHT: frozenset({FaultKind.NOISY, FaultKind.SNOW}),
}
"""Whose kinds a cause says more of; a kind that is called like its cause says all of it."""
_FAMILIES: Mapping[str, str] = {
    kind.value: next((min(group, key=list(FaultKind).index) for group in SAME if kind in group), kind).value
    for kind in FaultKind
}


def severity(kinds: Iterable[FaultKind]) -> Severity | None:
    """The worst that any of the kinds does; None without a fault."""
    found = set(kinds)
    if not found:
        return None
    if not BLIND.isdisjoint(found):
        return Severity.BLIND
    return Severity.COSMETIC if found <= COSMETIC else Severity.IMPAIRED


def family(kind: FaultKind) -> str:
    """The word of the family that a kind is of."""
    return _FAMILIES[kind]


def family_of(cause_key: str) -> str:
    """The same of a cause key, `offline` and keys of kinds that this program does not know included."""
    word = cause_key.partition("/")[0]
    return _FAMILIES.get(word, word)


def cause_key(kind: FaultKind, cause: Cause | None) -> str:
    """`kind/cause`, where the cause says more of this kind; else the kind."""
    return f"{kind}/{cause}" if cause is not None and kind in _CAUSES[cause] else kind.value


def by_family(kinds: Iterable[FaultKind]) -> dict[str, tuple[FaultKind, ...]]:
    """The kinds in their families. A black picture without a signal is one fault: too_dark beside signal_loss goes."""
    found = tuple(kinds)
    families: dict[str, tuple[FaultKind, ...]] = {}
    for kind in found:
        if kind is FaultKind.TOO_DARK and FaultKind.SIGNAL_LOSS in found:
            continue
        word = _FAMILIES[kind]
        families[word] = (*families.get(word, ()), kind)
    return families
