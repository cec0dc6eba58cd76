"""Sign-in and sign-out, and the choice of language and colours."""

import asyncio
from time import monotonic
from urllib.parse import urlsplit

from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.console import Console
from engine.web.console.languages import CODES
from engine.web.console.page import Page
from engine.web.errors import HttpError, refusal
from patrol.v1.access_pb2 import GetCallerRequest

_TOKEN_CHARS_MAX = 200
_TRIES_MAX = 10
_TRIES_S = 60.0
_ADDRESSES_MAX = 10_000
_FAILED_S = 0.5
"""How long a wrong token waits for its answer."""
_YEAR_S = 365 * 86_400
THEMES = ("auto", "light", "dark")


class SignIn:
    """Lets users in with their token. An address may fail _TRIES_MAX times in _TRIES_S; the engine bounds it too."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tries: dict[str, list[float]] = {}

    async def show(self, page: Page) -> Response:
        """Show the form."""
        return await self._form(page, forms.text(page.query, "next", 2000))

    async def submit(self, page: Page) -> Response:
        """Let a user in whose token the engine knows."""
        back = forms.text(page.form, "next", 2000)
        token = forms.text(page.form, "secret", _TOKEN_CHARS_MAX)
        self._check_tries(page)
        if not token.isascii() or not token.isprintable() or " " in token:
            token = ""
        calls = self._console.calls(page.request, token or "none")
        try:
            await calls.call(GetCallerRequest())
        except HttpError as error:
            if error.http != 401:
                raise
            self._count_failure(page)
            await asyncio.sleep(_FAILED_S)
            return await self._form(page, back, error=True)
        response = page.go_to(own_path(back))
        self._console.sign_in(response, token)
        return response

    async def leave(self, page: Page) -> Response:
        """Sign out."""
        response = page.go_to("/signin")
        self._console.sign_out(response)
        return response

    async def choose(self, page: Page) -> Response:
        """Keep the language or the colours that the user chose."""
        response = page.go_to(own_path(forms.text(page.form, "back", 2000)))
        for name, allowed in (("language", CODES), ("theme", THEMES)):
            value = forms.choice(page.form, name, allowed)
            if value:
                response.set_cookie(
                    f"patrol_{name}", value, max_age=_YEAR_S, path=page.root, samesite="lax", httponly=True
                )
        return response

    async def _form(self, page: Page, back: str, error: bool = False) -> Response:
        return await page.render("sign_in.html.jinja", 401 if error else 200, back=back, error=error)

    def _check_tries(self, page: Page) -> None:
        """Raise HttpError if an address failed too often."""
        if len(self._failures(page)) >= _TRIES_MAX:
            message = f"{_TRIES_MAX} wrong tokens in {_TRIES_S:g} s, which is the most; wait a minute"
            raise refusal("RESOURCE_EXHAUSTED", "TOO_MANY_TRIES", message)

    def _count_failure(self, page: Page) -> None:
        failures = [*self._failures(page), monotonic()]
        if len(self._tries) >= _ADDRESSES_MAX:
            del self._tries[next(iter(self._tries))]
        self._tries[_host(page)] = failures

    def _failures(self, page: Page) -> list[float]:
        """Return when an address failed lately."""
        return [at_s for at_s in self._tries.get(_host(page), ()) if at_s > monotonic() - _TRIES_S]


def _host(page: Page) -> str:
    return page.request.client.host if page.request.client else ""


def own_path(path: str) -> str:
    """Return a path of the console that a form named; `/` if it leads elsewhere. Raises InvalidArgumentError."""
    if any(ord(char) < 32 for char in path):
        raise InvalidArgumentError("next", "has control characters; follow a link of the console")
    try:
        parts = urlsplit(path)
    except ValueError:  # such as brackets without an address
        return "/"
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//") or "\\" in path:
        return "/"
    return path
