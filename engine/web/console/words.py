"""The words for states, kinds, causes, levels and steps in a page's language; the Chinese ones are the programme's own.

English words are those of the API, without the name of their enum: FAULT_KIND_PARTLY_COVERED is `partly covered`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.web.console.languages import Language
from patrol.v1.access_pb2 import Role
from patrol.v1.cameras_pb2 import KeyPoint, SiteKind
from patrol.v1.findings_pb2 import FindingLevel, FindingState, FindingStep
from patrol.v1.patrol_pb2 import Kpi
from patrol.v1.verdicts_pb2 import FaultCause, FaultKind, FaultSeverity, VerdictState

_KPIS: Mapping[int, tuple[str, str]] = {
    Kpi.KPI_CLARITY: ("Clarity compliance", "clear cameras / cameras with a picture"),
    Kpi.KPI_ONLINE: ("Online rate", "cameras with a fresh picture / enabled cameras"),
    Kpi.KPI_KEY_POINT_COVERAGE: ("Key-point coverage", "canteens seen at every key point / canteens"),
    Kpi.KPI_PATROL_COVERAGE: ("Patrol coverage", "periods with a visit / periods due"),
    Kpi.KPI_DISPLAY_SCREEN: ("Display-screen rate", "canteens whose screen can be seen / canteens"),
}
_SYMBOLS: Mapping[int, str] = {
    VerdictState.VERDICT_STATE_OK: "●",
    VerdictState.VERDICT_STATE_FAULT: "▲",
    VerdictState.VERDICT_STATE_UNKNOWN: "?",
    VerdictState.VERDICT_STATE_OFFLINE: "✕",
}
UNSEEN = "○"
"""The symbol of a camera that was not visited yet."""


class Words:
    """The words of one language. Each method takes a value of an enum of patrol.v1."""

    def __init__(self, language: Language) -> None:
        self._text = language.text
        self._language = language

    def state(self, value: int) -> str:
        """Return the state of a camera; unspecified: it was not visited yet."""
        return self._word(VerdictState, value, "VERDICT_STATE_") if value else self._text("not visited yet")

    def state_class(self, value: int) -> str:
        """Return the name of a state in style sheets and URLs: ok, fault, unknown, offline or unseen."""
        return str(VerdictState.Name(value)).removeprefix("VERDICT_STATE_").lower() if value else "unseen"

    def symbol(self, value: int) -> str:
        """Return the symbol of a state, so that it can be told apart without colour."""
        return _SYMBOLS.get(value, UNSEEN)

    def kind(self, value: int) -> str:
        """Return the kind of a fault."""
        return self._word(FaultKind, value, "FAULT_KIND_")

    def kinds(self, values: Sequence[int]) -> str:
        """Return several kinds of faults."""
        return self._text(", ").join(self.kind(value) for value in values)

    def cause(self, value: int) -> str:
        """Return the cause of a fault; empty if it is not known."""
        return self._word(FaultCause, value, "FAULT_CAUSE_") if value else ""

    def severity(self, value: int) -> str:
        """Return how much a fault hides; empty if no fault is announced."""
        return self._word(FaultSeverity, value, "FAULT_SEVERITY_") if value else ""

    def problem(self, cause_key: str) -> str:
        """Return the cause_key of a finding, `kind/cause`, in words."""
        kind, _, cause = cause_key.partition("/")
        words = self._text(kind.replace("_", " "))
        if not cause:
            return words
        begin, end = (" (", ")") if self._language.code == "en" else ("（", "）")
        return f"{words}{begin}{self._text(cause.replace('_', ' '))}{end}"

    def reason(self, reason: str) -> str:
        """Return why a camera is offline or unknown."""
        return self._text(reason.replace("_", " "))

    def key_point(self, value: int) -> str:
        """Return where in the canteen a camera looks."""
        return self._word(KeyPoint, value or KeyPoint.KEY_POINT_OTHER, "KEY_POINT_")

    def site_kind(self, value: int) -> str:
        """Return the kind of a canteen's school."""
        return self._word(SiteKind, value or SiteKind.SITE_KIND_OTHER, "SITE_KIND_")

    def finding_state(self, value: int) -> str:
        """Return the state of a finding."""
        return self._word(FindingState, value, "FINDING_STATE_")

    def step(self, value: int) -> str:
        """Return what happened to a finding."""
        return self._word(FindingStep, value, "FINDING_STEP_")

    def level(self, value: int) -> str:
        """Return who is responsible."""
        return self._word(FindingLevel, value, "FINDING_LEVEL_")

    def kpi(self, value: int) -> str:
        """Return the official name of a rate."""
        return self._text(_KPIS[value][0]) if value in _KPIS else str(value)

    def kpi_formula(self, value: int) -> str:
        """Return what a rate counts: numerator / denominator."""
        return self._text(_KPIS[value][1]) if value in _KPIS else ""

    def role(self, value: int) -> str:
        """Return what a caller may do."""
        return self._word(Role, value, "ROLE_")

    def _word(self, enum: Any, value: int, prefix: str) -> str:
        """Return a value in words; a value of a newer engine is its number."""
        if value not in enum.values():
            return str(value)
        return self._text(enum.Name(value).removeprefix(prefix).lower().replace("_", " "))
