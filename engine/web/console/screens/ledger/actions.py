"""What people do to a finding: acknowledge, claim, supervise, close, dismiss. Its page says why one is refused."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import FormData, UploadFile
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
    ReopenFindingRequest,
    SuperviseFindingRequest,
)

_REQUESTS: dict[str, Any] = {
    "acknowledge": AcknowledgeFindingRequest,
    "claim": ClaimFindingRequest,
    "supervise": SuperviseFindingRequest,
    "close": CloseFindingRequest,
    "dismiss": DismissFindingRequest,
    "reopen": ReopenFindingRequest,
}
_WHY_CHARS_MAX = 500
PHOTOGRAPHS_MAX = 3
PHOTOGRAPH_BYTES_MAX = 5_000_000
FILES_MAX = 20
"""Files that a form may bring: one with too many photographs is answered in words."""
FORM_BYTES_MAX = PHOTOGRAPHS_MAX * PHOTOGRAPH_BYTES_MAX + 100_000
_CLAIM_S = 30.0
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
    photographs = await _photographs(page)
    request = _REQUESTS[step](name=name, why=why, expected_number=expected, request_id=request_id)
    if step == "claim":
        request.photographs.extend(photographs)
    try:
        await page.call(request, _CLAIM_S if photographs else 0.0)
    except HttpError as error:
        if code_name(error.status) not in _TOLD_HERE:
            if photographs:
                page.form = FormData()  # the error page's form could not send the files once more
            raise
        return await _refused(page, name, step, why, expected, error)
    return page.go_to("/finding", finding=names.finding_number(name), done=step)


async def _photographs(page: Page) -> Sequence[bytes]:
    """Return the files of a claim; a field that was left empty brings none. Raises InvalidArgumentError."""
    files = [file for file in page.form.getlist("photographs") if isinstance(file, UploadFile) and file.filename]
    if len(files) > PHOTOGRAPHS_MAX:
        raise InvalidArgumentError("photographs", f"are {len(files)}; allowed: up to {PHOTOGRAPHS_MAX}")
    return [await file.read() for file in files]


async def _refused(page: Page, name: str, step: str, why: str, expected: int, error: HttpError) -> Response:
    values = await page_values(page, name)
    values["refused"] = {"step": step, "why": why, "words": refusal_words(page, error)}
    if code_name(error.status) == "ABORTED":
        values["meanwhile"] = values["timeline"].after(expected)
    if page.is_part:
        return await page.render("finding_actions.html.jinja", **values)
    return await page.render("finding.html.jinja", error.http, **values, shots=None, done="")
