"""What a reviewer can do with a finding: the call of each action, who may, and the usual reasons of a dismissal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.page import Page
from patrol.v1.findings_pb2 import (
    AcknowledgeFindingRequest,
    ClaimFindingRequest,
    DismissFindingRequest,
    FindingState,
    ReopenFindingRequest,
    SuperviseFindingRequest,
)

WHY_CHARS_MAX = 500
_ENDED = (FindingState.FINDING_STATE_CLOSED, FindingState.FINDING_STATE_DISMISSED)


@dataclass(frozen=True)
class ReviewAction:
    """`key`: of the keyboard. `role`: the least that may. `done`: English text of its success, with `%(number)s`.

    `usual_reason`: English text of the reason where the form has none.
    """

    name: str
    key: str
    role: str
    request: type[Message]
    needs_reason: bool
    done: str
    usual_reason: str = ""

    def is_open_to(self, page: Page, finding: Any) -> bool:
        """Whether its button is shown beside the finding; the engine decides. Undo is offered by the notice."""
        if finding.state in _ENDED or self.name == "reopen" or not page.may(self.role):
            return False
        if self.name == "acknowledge":
            return bool(finding.state != FindingState.FINDING_STATE_ACKNOWLEDGED)
        return self.name != "supervise" or not finding.supervised


ACTIONS: Mapping[str, ReviewAction] = {
    action.name: action
    for action in (
        ReviewAction("acknowledge", "a", "inspector", AcknowledgeFindingRequest, False, "Acknowledged no. %(number)s."),
        ReviewAction("claim", "c", "inspector", ClaimFindingRequest, False, "Claimed no. %(number)s as put right."),
        ReviewAction("dismiss", "x", "inspector", DismissFindingRequest, True, "Dismissed no. %(number)s."),
        ReviewAction("supervise", "s", "operator", SuperviseFindingRequest, True, "No. %(number)s is supervised now."),
        ReviewAction(
            "reopen",
            "z",
            "operator",
            ReopenFindingRequest,
            True,
            "No. %(number)s is open again.",
            usual_reason="The dismissal was a mistake, undone in the review",
        ),
    )
}
REASONS: Mapping[str, str] = {
    "as_meant": "The picture is as it should be",
    "cleaning": "Cleaning or maintenance was under way",
    "not_in_use": "The room is not in use or is being rebuilt",
    "replaced": "The camera will be replaced",
    "other": "Another reason, written below",
}
"""Why findings are dismissed, for a choice; the ledger keeps the words in the language of the reviewer."""


def asked_why(page: Page, action: ReviewAction) -> str:
    """Return the reason in a form: the chosen, the written, or both. Raises InvalidArgumentError if it has none."""
    written = forms.text(page.form, "why", WHY_CHARS_MAX)
    chosen = forms.choice(page.form, "reason", REASONS)
    parts = [page.text(REASONS[chosen])] if chosen and chosen != "other" else []
    why = page.text(": ").join([*parts, written] if written else parts) or page.text(action.usual_reason)
    if action.needs_reason and not why:
        raise InvalidArgumentError("why", page.text("is empty; choose a reason or write one, the ledger keeps it"))
    if len(why) > WHY_CHARS_MAX:
        raise InvalidArgumentError("why", f"has {len(why)} characters; allowed: up to {WHY_CHARS_MAX}")
    return why
