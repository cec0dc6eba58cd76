"""Review: one finding after the other with its evidence, decided by keys or buttons; and a list, to decide on many."""

import asyncio
from typing import Any

from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms, names
from engine.web.console.error_pages import REMEDIES, TITLES
from engine.web.console.page import Page
from engine.web.console.review.actions import ACTIONS, REASONS, WHY_CHARS_MAX, ReviewAction, asked_why
from engine.web.console.review.case import read_case
from engine.web.console.review.queue import KINDS, LEVELS, OFFLINE, WINDOW, Queue, QueueFilter, read_queue
from engine.web.console.screens.screen import Action, Screen
from engine.web.errors import HttpError, code_name, invalid
from patrol.v1.findings_pb2 import (
    BatchAcknowledgeFindingsRequest,
    BatchDismissFindingsRequest,
    FindingTarget,
    GetFindingRequest,
    MarkViewingRequest,
)

BATCH_MAX = 200
_EXPLAINED = ("ABORTED", "FAILED_PRECONDITION", "PERMISSION_DENIED", "INVALID_ARGUMENT")
"""Refusals of an action that are shown beside the finding as it is now; others have a page of their own."""
_BATCHES = {"acknowledge": BatchAcknowledgeFindingsRequest, "dismiss": BatchDismissFindingsRequest}


async def show(page: Page) -> Response:
    """Show `?finding=NUMBER`, or the first of the queue; `?done=ACTION&number=NUMBER&event=NUMBER` was done before."""
    wanted = QueueFilter.of(page.query)
    done = forms.choice(page.query, "done", ACTIONS)
    number, event = forms.number(page.query, "number"), forms.number(page.query, "event")
    notice = _done(page, ACTIONS[done], number, event) if done else None
    if not page.query.get("finding"):
        queue = await read_queue(page, wanted)
        return await _finding_page(page, wanted, queue, queue.first, notice)
    request = GetFindingRequest(name=names.asked_finding(page.query))
    queue, finding = await asyncio.gather(read_queue(page, wanted), page.call(request))
    return await _finding_page(page, wanted, queue, finding, notice)


async def act(page: Page) -> Response:
    """Do what a form asks for, and show the next finding; if the engine refuses, this one as it is now, and why."""
    wanted, name = QueueFilter.of(page.form), names.asked_finding(page.form)
    action = ACTIONS[forms.choice(page.form, "action", ACTIONS, "acknowledge")]
    expected = forms.number(page.form, "number")
    try:
        request = action.request(
            name=name,
            why=asked_why(page, action),
            expected_number=expected,
            request_id=forms.text(page.form, "request_id", 64),
        )
        after = await page.call(request)
    except InvalidArgumentError as error:
        return await _refused(page, wanted, name, expected, invalid(error))
    except HttpError as error:
        if code_name(error.status) not in _EXPLAINED:
            raise
        return await _refused(page, wanted, name, expected, error)
    queue = await read_queue(page, wanted)
    following = after if action.name == "reopen" else queue.after(after) or queue.first
    number = int(names.finding_number(name))
    if not page.is_part:
        shown = names.finding_number(following.name) if following is not None else ""
        done = {"done": action.name, "number": number, "event": after.number}
        return page.go_to("/review", finding=shown, **done, **wanted.query())
    return await _finding_page(page, wanted, queue, following, _done(page, action, number, after.number))


async def mark_viewing(page: Page) -> Response:
    """Say that the user has a finding open, or with `left=1` no longer, and show who else has."""
    name, left = names.asked_finding(page.form), bool(forms.text(page.form, "left", 1))
    return await page.render("review_viewers.html.jinja", others=await _others(page, name, not left))


async def show_list(page: Page) -> Response:
    """Show the queue as a list, to decide on several findings at once."""
    wanted = QueueFilter.of(page.query)
    queue = await read_queue(page, wanted)
    return await page.render("review_list.html.jinja", queue=queue, reasons=REASONS, **_filter_values(page, wanted))


async def act_on_several(page: Page) -> Response:
    """Do what the form of the list asks for with each chosen finding, and show what became of each."""
    wanted = QueueFilter.of(page.form)
    action = ACTIONS[forms.choice(page.form, "action", _BATCHES, "acknowledge")]
    targets = [_target(value) for value in dict.fromkeys(page.form.getlist("target"))]
    if not targets:
        raise InvalidArgumentError("target", page.text("is empty; mark at least one finding of the list"))
    if len(targets) > BATCH_MAX:
        raise InvalidArgumentError("target", f"{len(targets)} findings; allowed: up to {BATCH_MAX} at once")
    request = _BATCHES[action.name](
        targets=targets, why=asked_why(page, action), request_id=forms.text(page.form, "request_id", 64)
    )
    reply = await page.call(request)
    return await page.render(
        "review_results.html.jinja", action=action, results=[_result(result) for result in reply.results],
        succeeded=reply.succeeded, query=wanted.query(),
    )  # fmt: skip


async def _refused(page: Page, wanted: QueueFilter, name: str, expected: int, error: HttpError) -> Response:
    """Show the finding as it is now, why nothing was done, and what happened since the user saw it."""
    queue, finding = await asyncio.gather(read_queue(page, wanted), page.call(GetFindingRequest(name=name)))
    code = code_name(error.status)
    notice = {
        "kind": "refused",
        "text": page.text(TITLES[code]),
        "detail": "" if code == "ABORTED" else error.status.message,
        "remedy": page.text(REMEDIES[code]),
        "since": expected if code == "ABORTED" else 0,
    }
    status = 200 if page.is_part else error.http
    return await _finding_page(page, wanted, queue, finding, notice, status)


async def _finding_page(
    page: Page, wanted: QueueFilter, queue: Queue, finding: Any, notice: dict[str, Any] | None, status: int = 200
) -> Response:
    values: dict[str, Any] = {"queue": queue, "notice": notice, "case": None, "window": WINDOW}
    if finding is not None:
        values |= {
            "case": await read_case(page, finding),
            "place": queue.place(finding),
            "following": queue.after(finding),
            "previous": queue.before(finding),
            "open_actions": {name for name, action in ACTIONS.items() if action.is_open_to(page, finding)},
            "reasons": REASONS,
            "why_chars_max": WHY_CHARS_MAX,
            # A part may be fetched ahead of its time: the browser says when it is shown.
            "others": [] if page.is_part else await _others(page, finding.name),
        }
    template = "review_part.html.jinja" if page.is_part else "review.html.jinja"
    return await page.render(template, status, **values, **_filter_values(page, wanted))


def _filter_values(page: Page, wanted: QueueFilter) -> dict[str, Any]:
    own = page.caller.region
    regions = sorted((code, name) for code, name in page.regions.items() if code.startswith(own))
    return {"wanted": wanted, "query": wanted.query(), "regions": regions, "levels": LEVELS, "kinds": (*KINDS, OFFLINE)}


async def _others(page: Page, name: str, viewing: bool = True) -> list[str]:
    """Mark a finding as open, or not, and return who else has it open."""
    reply = await page.call(MarkViewingRequest(name=name, viewing=viewing))
    return [viewer.display_name for viewer in reply.viewers if viewer.display_name != page.caller.display_name]


def _done(page: Page, action: ReviewAction, number: int, event: int) -> dict[str, Any]:
    """Return what says that an action was done. `undo`: number of its event if the user may undo it, else 0."""
    undo = event if action.name == "dismiss" and page.may("operator") else 0
    return {"kind": "done", "text": page.text(action.done, number=number), "number": number, "undo": undo}


def _target(value: Any) -> FindingTarget:
    """Return the finding of a box of the list, `NUMBER-EXPECTED_NUMBER`. Raises InvalidArgumentError."""
    number, _, expected = value.partition("-") if isinstance(value, str) else ("", "", "")
    fields = {"finding": number, "number": expected}
    return FindingTarget(name=names.asked_finding(fields), expected_number=forms.number(fields, "number"))


def _result(result: Any) -> dict[str, Any]:
    done = result.WhichOneof("result") == "finding"
    code = "" if done else code_name(result.error)
    return {
        "number": names.finding_number(result.name),
        "finding": result.finding if done else None,
        "title": TITLES.get(code, ""),
        "message": result.error.message,
    }


SCREEN = Screen(
    "/review",
    "Review",
    (
        Action("/review", show, "review"),
        Action("/review/act", act, "review-act", "POST"),
        Action("/review/viewing", mark_viewing, "review-viewing", "POST"),
        Action("/review/list", show_list, "review-list"),
        Action("/review/batch", act_on_several, "review-batch", "POST"),
    ),
)
