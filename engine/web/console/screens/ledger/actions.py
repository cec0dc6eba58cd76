"""What people do to a finding: acknowledge, claim, supervise, close, dismiss. Its page says why one is refused."""

from typing import Any

from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.ledger.finding import page_values
from engine.web.console.screens.ledger.reasons import refusal_words
from engine.web.errors import HttpError, code_name
from patrol.v1.findings_pb2 import (
    AcknowledgeFindingRequest,
    ClaimFindingRequest,
    CloseFindingRequest,
    DismissFindingRequest,
    SuperviseFindingRequest,
)

_REQUESTS: dict[str, Any] = {
    "acknowledge": AcknowledgeFindingRequest,
    "claim": ClaimFindingRequest,
    "supervise": SuperviseFindingRequest,
    "close": CloseFindingRequest,
    "dismiss": DismissFindingRequest,
}
_WHY_CHARS_MAX = 500
_TOLD_HERE = ("ABORTED", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "PERMISSION_DENIED")


async def act(page: Page) -> Response:
    """Do what a form says, and show the finding; if the engine refuses, its page says why and keeps what was typed."""
    name = names.asked_finding(page.form)
    step = forms.choice(page.form, "step", _REQUESTS)
    if not step:
        raise InvalidArgumentError("step", "is missing; use a button of the finding's page")
    expected = forms.number(page.form, "expected_number")
    why = forms.text(page.form, "why", 4 * _WHY_CHARS_MAX)
    request_id = forms.text(page.form, "request_id", 64)
    request = _REQUESTS[step](name=name, why=why, expected_number=expected, request_id=request_id)
    try:
        await page.call(request)
    except HttpError as error:
        if code_name(error.status) not in _TOLD_HERE:
            raise
        return await _refused(page, name, step, why, expected, error)
    return page.go_to("/finding", finding=names.finding_number(name), done=step)


async def _refused(page: Page, name: str, step: str, why: str, expected: int, error: HttpError) -> Response:
    values = await page_values(page, name)
    values["refused"] = {"step": step, "why": why, "words": refusal_words(page, error)}
    if code_name(error.status) == "ABORTED":
        values["meanwhile"] = values["timeline"].after(expected)
    if page.is_part:
        return await page.render("finding_actions.html.jinja", **values)
    return await page.render("finding.html.jinja", error.http, **values, shots=None, done="")
