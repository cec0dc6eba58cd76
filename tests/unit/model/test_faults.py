"""Families of faults, and how bad they are."""

import pytest

from engine.model.faults import (
    FAMILY_GROUPS,
    OFFLINE,
    cause_key,
    family_of_cause_key,
    family_of_kind,
    group_by_family,
    severity,
)
from engine.model.verdict import Cause, FaultKind, Severity


def test_every_kind_is_of_one_family_and_those_that_confirm_each_other_of_the_same() -> None:
    for group in FAMILY_GROUPS:
        assert len({family_of_kind(kind) for kind in group}) == 1
    assert len({family_of_kind(kind) for kind in FaultKind}) == len(FaultKind) - sum(
        len(group) - 1 for group in FAMILY_GROUPS
    )


@pytest.mark.parametrize(
    ("kind", "cause", "key"),
    [
        (FaultKind.BLURRED, Cause.DEFOCUS, "blurred/defocus"),
        (FaultKind.GREASE, Cause.GREASE, "grease"),
        (FaultKind.TOO_DARK, Cause.LIGHTS_OFF, "too_dark/lights_off"),
        (FaultKind.COLOUR_CAST, Cause.DEFOCUS, "colour_cast"),
        (FaultKind.COVERED, None, "covered"),
    ],
)
def test_a_cause_key_names_the_cause_where_it_says_more(kind: FaultKind, cause: Cause | None, key: str) -> None:
    assert cause_key(kind, cause) == key
    assert family_of_cause_key(key) == family_of_kind(kind)


def test_what_is_no_kind_is_a_family_of_its_own() -> None:
    assert family_of_cause_key(OFFLINE) == OFFLINE
    assert family_of_cause_key("melted/sun") == "melted"


def test_kinds_fall_into_their_families_in_order() -> None:
    kinds = (FaultKind.BLURRED, FaultKind.COVERED, FaultKind.GREASE)
    assert group_by_family(kinds) == {"blurred": (FaultKind.BLURRED, FaultKind.GREASE), "covered": (FaultKind.COVERED,)}


def test_the_worst_kind_decides_how_bad_it_is() -> None:
    assert severity(()) is None
    assert severity([FaultKind.NOISY]) is Severity.COSMETIC
    assert severity([FaultKind.NOISY, FaultKind.GREASE]) is Severity.IMPAIRED
    assert severity([FaultKind.NOISY, FaultKind.COVERED]) is Severity.BLIND


@pytest.mark.parametrize("cause", [Cause.UNDEREXPOSURE, Cause.BACKLIGHT])
def test_a_picture_that_is_only_darker_than_usual_is_seen_badly_and_not_blind(cause: Cause) -> None:
    assert severity([FaultKind.TOO_DARK], cause) is Severity.IMPAIRED
    assert severity([FaultKind.TOO_DARK], Cause.LIGHTS_OFF) is Severity.BLIND
    assert severity([FaultKind.TOO_DARK, FaultKind.COVERED], cause) is Severity.BLIND
