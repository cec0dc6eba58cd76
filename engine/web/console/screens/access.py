"""Access: who may do what, with which token, and the audit log of what was done, refused and shown."""

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.responses import Response

from engine.web.console import forms
from engine.web.console.page import ROLES, Page
from engine.web.console.screens.screen import Action, Screen
from patrol.v1.access_pb2 import (
    AuditFilter,
    CreateTokenRequest,
    ListAuditEntriesRequest,
    ListTokensRequest,
    RevokeTokenRequest,
    Token,
)

_TOKENS_SHOWN = 200
_ENTRIES_SHOWN = 100


async def show(page: Page) -> Response:
    """Show the tokens."""
    return await _tokens(page)


async def create(page: Page) -> Response:
    """Make a token, and show its secret once."""
    role = forms.choice(page.form, "role", ROLES, "viewer")
    token = Token(
        display_name=forms.text(page.form, "display_name", 64),
        role=1 + ROLES.index(role),  # type: ignore[arg-type]
        region=forms.text(page.form, "region", 6),
    )
    expire_time = forms.moment(page.form, "expire_time", page.zone)
    if expire_time is not None:
        token.expire_time.CopyFrom(expire_time)
    made = await page.call(CreateTokenRequest(token=token))
    return await _tokens(page, made=made)


async def revoke(page: Page) -> Response:
    """Revoke a token; its holder is signed out at the next click."""
    number = forms.number(page.form, "token", 0, 1, 10**18 - 1)
    await page.call(RevokeTokenRequest(name=f"tokens/{number}"))
    return page.go_to("/access")


async def audit(page: Page) -> Response:
    """Show the audit log."""
    chosen = AuditFilter(
        actor=forms.text(page.query, "actor", 64),
        method=forms.text(page.query, "method", 100),
        changes_only=bool(forms.text(page.query, "changes_only", 1)),
    )
    for field, time in (("start_time", _moment(page, "from")), ("end_time", _moment(page, "to"))):
        if time is not None:
            getattr(chosen, field).CopyFrom(time)
    request = ListAuditEntriesRequest(
        filter=chosen, page_size=_ENTRIES_SHOWN, page_token=forms.text(page.query, "page_token", 1024)
    )
    reply = await page.call(request)
    query = {name: value for name, value in page.query.items() if name != "page_token"}
    return await page.render("access_audit.html.jinja", reply=reply, chosen=chosen, query=query)


def _moment(page: Page, name: str) -> Timestamp | None:
    return forms.moment(page.query, name, page.zone)


async def _tokens(page: Page, made: object = None) -> Response:
    ended = bool(forms.text(page.query, "ended", 1))
    reply = await page.call(
        ListTokensRequest(
            page_size=_TOKENS_SHOWN, show_ended=ended, page_token=forms.text(page.query, "page_token", 1024)
        )
    )
    return await page.render("access.html.jinja", reply=reply, ended=ended, made=made, roles=ROLES)


SCREEN = Screen(
    "/access",
    "Access",
    (
        Action("/access", show, "access"),
        Action("/access/create", create, "access-create", "POST"),
        Action("/access/revoke", revoke, "access-revoke", "POST"),
        Action("/access/audit", audit, "access-audit"),
    ),
    role="admin",
)
