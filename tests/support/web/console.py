"""A user of the console without a browser: signs in, reads pages, sends their forms as a browser would."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any, NamedTuple

import httpx

from tests.support.serve.served import RunningServer

HERE, THERE = "130102", "130203"

_FORM_TOKEN = re.compile(r'<meta name="form-token" content="([^"]*)"')


class User:
    """`http`: a client whose base URL is the console's, with cookies."""

    def __init__(self, http: httpx.Client, origin: str) -> None:
        self.http = http
        self.origin = origin

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Load a page of the console."""
        return self.http.get(f"/console{path}", **options)

    def post(self, path: str, fields: Any = None, /, *, seen_on: str = "/", **options: Any) -> httpx.Response:
        """Send a form with the token of a page that was loaded before."""
        data = {"form_token": self.form_token(seen_on), **(fields or {})}
        return self.http.post(f"/console{path}", data=data, headers={"Origin": self.origin}, **options)

    def form_token(self, path: str) -> str:
        """Return the token of a page's forms."""
        page = self.get(path)
        found = _FORM_TOKEN.search(page.text)
        assert found is not None, f"{page.status_code}: {page.text[:200]}"
        return unescape(found[1])

    def sign_in(self, token: str) -> httpx.Response:
        """Sign in with a token of the engine."""
        return self.post("/signin", {"secret": token, "next": "/"}, seen_on="/signin")


@contextmanager
def user(address: str, token: str = "", language: str = "en") -> Iterator[User]:
    """Yield a user of a gateway's console, signed in if there is a token. Redirects are not followed."""
    origin = f"http://{address}"
    with httpx.Client(base_url=origin, headers={"Accept-Language": language}, timeout=20) as http:
        someone = User(http, origin)
        if token:
            reply = someone.sign_in(token)
            assert reply.status_code == 303, reply.text
        yield someone


class World(NamedTuple):
    """A console, the gRPC server behind it, and a token of each role: its secret and its number by name."""

    served: RunningServer
    address: str
    tokens: dict[str, str]
    numbers: dict[str, int]

    def user(self, token: str = "", language: str = "en") -> Any:
        """Return a context with a user, signed in with the token of this name."""
        return user(self.address, self.tokens[token] if token else "", language)
