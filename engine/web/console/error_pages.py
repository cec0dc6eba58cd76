"""Turns an error of a call into a page that a person understands: what happened, and what to do now."""

from typing import Any

from google.rpc import error_details_pb2
from starlette.responses import Response

from engine.web.console.page import Page
from engine.web.errors import HttpError, code_name

TITLES = {
    "INVALID_ARGUMENT": "This input cannot be used",
    "FAILED_PRECONDITION": "This is not possible now",
    "OUT_OF_RANGE": "This is no longer kept",
    "NOT_FOUND": "There is no such page or item",
    "PERMISSION_DENIED": "You may not do this",
    "ABORTED": "Somebody else acted meanwhile",
    "ALREADY_EXISTS": "This exists already",
    "RESOURCE_EXHAUSTED": "Too many requests at once",
    "UNAVAILABLE": "The engine is away",
    "DEADLINE_EXCEEDED": "The engine took too long",
}
REMEDIES = {
    "INVALID_ARGUMENT": "Go back and change it; nothing was changed.",
    "FAILED_PRECONDITION": "Nothing was changed.",
    "NOT_FOUND": "It may have been removed, or lies outside your region.",
    "PERMISSION_DENIED": "Your token's role or region does not allow it. Nothing was changed.",
    "ABORTED": "Nothing was changed. Load the item again and decide anew.",
    "RESOURCE_EXHAUSTED": "Wait a moment and try again.",
    "UNAVAILABLE": "It starts, or the connection is lost. This page tries again by itself; nothing you sent is lost.",
    "DEADLINE_EXCEEDED": "Try again. If it happens often, ask who runs the engine.",
}
OTHER_TITLE = "Something went wrong"
OTHER_REMEDY = "The log of the engine or of the console says more."
_RETRIED = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
_RETRY_S = 3


async def error_page(page: Page, error: HttpError) -> Response:
    """Return the page of an error; of one who must sign in, the way there."""
    if error.http == 401:
        back = (
            page.request.url.path.removeprefix(page.root) if page.request.method == "GET" and not page.is_part else ""
        )
        query = page.request.url.query
        return page.go_to("/signin", next=back + ("?" + query if back and query else ""))
    code = code_name(error.status)
    values: dict[str, Any] = {
        "title": TITLES.get(code, OTHER_TITLE),
        "remedy": REMEDIES.get(code, OTHER_REMEDY),
        "message": error.status.message,
        "violations": _violations(error),
        "code": code,
        "retry": code in _RETRIED,
        "again": _fields_again(page),
    }
    template = "error_part.html.jinja" if page.is_part else "error.html.jinja"
    response = await page.render(template, error.http, **values)
    response.headers.update({name: value for name, value in error.headers.items() if name != "WWW-Authenticate"})
    if code in _RETRIED:
        response.headers["Retry-After"] = str(_RETRY_S)
        if page.request.method == "GET" and not page.is_part:
            response.headers["Refresh"] = str(_RETRY_S)
    return response


def _violations(error: HttpError) -> list[tuple[str, str]]:
    found = []
    for detail in error.status.details:
        request = error_details_pb2.BadRequest()
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR) and detail.Unpack(request):
            found += [(violation.field, violation.description) for violation in request.field_violations]
    return found


def _fields_again(page: Page) -> list[tuple[str, str]]:
    """Return the fields of a form, so that the user can send it once more."""
    if page.form is None:
        return []
    hidden = ("form_token", "secret")
    return [(name, value) for name, value in page.form.multi_items() if isinstance(value, str) and name not in hidden]
