"""Says in the page's language why something happened to a finding, or why a command on it was refused."""

import re
from typing import Any

from google.rpc import error_details_pb2

from engine.web.console.page import Page
from engine.web.console.words import Words
from engine.web.errors import HttpError

_OWN = (
    (r"seen again: (?P<good>\d+) good and (?P<bad>\d+) bad checks after the claim",
     "the fault was seen again: %(good)s good and %(bad)s bad checks after the claim"),
    (r"undecided after (?P<hours>[\d.]+) h: (?P<good>\d+) good and (?P<bad>\d+) bad checks after the claim",
     "undecided after %(hours)s h: %(good)s good and %(bad)s bad checks after the claim"),
    (r"(?P<good>\d+) good and (?P<bad>\d+) bad checks after the claim",
     "%(good)s good and %(bad)s bad checks after the claim"),
    (r"the re-check passed", "the re-check passed"),
    (r"not seen any more for (?P<hours>[\d.]+) h", "the fault was not seen any more for %(hours)s h"),
    (r"the deadline of the (?P<level>\w+) passed", "the deadline of this level passed: %(level)s"),
    (r"from (?P<level>\w+) to (?P<above>\w+)", "from %(level)s to %(above)s"),
    (r"escalated to the (?P<level>\w+)", "escalated to this level: %(level)s"),
    (r"(?P<cause>[a-z_]+(/[a-z_]+)?): (?P<severity>\w+) now", "%(cause)s is %(severity)s now"),
    (r"told (?P<endpoint>.+)", "notice sent to %(endpoint)s"),
)  # fmt: skip
"""What the engine itself writes into the ledger, and the texts for it."""
_REFUSALS = {
    "FINDING_ENDED": (
        "This finding has ended; nothing more can be done to it. If the fault is seen again, a new one opens."
    ),
    "FINDING_ALREADY_ACKNOWLEDGED": "It is acknowledged already. Claim it when it is put right.",
    "FINDING_ALREADY_CLAIMED": (
        "%(claimed_by)s has claimed that it is put right, and the re-check is under way. Wait for it: it closes the "
        "finding, or hands it back."
    ),
    "FINDING_ALREADY_SUPERVISED": "It is supervised already; there is nothing to do.",
    "FINDING_REOPEN_TOO_LATE": (
        "It can no longer be reopened: only what a person dismissed can be, for some hours. If the fault is seen "
        "again, a new finding opens."
    ),
    "FINDING_CHANGED": (
        "Something happened to this finding while you decided. Nothing of yours was recorded, and what you wrote is "
        "still here. Read what happened, then decide again."
    ),
    "ROLE_TOO_LOW": "Your role may not do this to this finding; ask somebody with this role: %(role_needed)s.",
}
TEXTS = (*(text for _, text in _OWN), *_REFUSALS.values(), "This input cannot be used: %(message)s")
"""What has its Chinese; a test holds that."""


def own_words(page: Page, why: str) -> str:
    """Return a reason of the engine's own in the page's language; one that is not known as it is."""
    words = Words(page.language)
    for pattern, text in _OWN:
        found = re.fullmatch(pattern, why)
        if found:
            values = {name: _value(page, words, name, value) for name, value in found.groupdict().items()}
            return page.text(text, **values) if values else page.text(text)
    return why


def _value(page: Page, words: Words, name: str, value: str) -> str:
    if name == "cause":
        return words.problem(value)
    return page.text(value) if name in ("level", "above", "severity") else value


def refusal_words(page: Page, error: HttpError) -> str:
    """Return why a command was refused."""
    reason, facts = _reason(error)
    text = _REFUSALS.get(reason)
    if text is None:
        return page.text("This input cannot be used: %(message)s", message=str(error))
    if "%" not in text:
        return page.text(text)
    values = {
        "claimed_by": facts.get("claimed_by") or "?",
        "role_needed": page.text(facts.get("role_needed", "operator")),
    }
    return page.text(text, **values)


def _reason(error: HttpError) -> tuple[str, dict[str, Any]]:
    info = error_details_pb2.ErrorInfo()
    for detail in error.status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR) and detail.Unpack(info):
            return str(info.reason), dict(info.metadata)
    return "", {}
