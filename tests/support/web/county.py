"""Two counties behind a gateway, with tokens for each role: cameras of one must not be seen from the other."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from engine.clock import wall_ns
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.storage.db.store import Store
from tests.support.serve.served import FakeHub, RunningServer, serving
from tests.support.web.console import User, user
from tests.support.web.forms import form_fields
from tests.support.web.gateway import gateway

HERE, THERE = "130102", "130203"
ELSEWHERE_NAME = "邻县食堂"
HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}"
"""A name that would run in a page that does not escape it."""


class Visitor(User):
    """A user whose forms are seen on the registry's page."""

    def post(self, path: str, fields: Any = None, /, *, seen_on: str = "/registry", **options: Any) -> httpx.Response:
        """Send a form."""
        return super().post(path, fields, seen_on=seen_on, **options)


class TwoCounties(NamedTuple):
    """`served`: the engine; `address`: of the gateway; `tokens`: by name; `stack`: ends `users`."""

    served: RunningServer
    address: str
    tokens: dict[str, str]
    users: dict[tuple[str, str], User]
    stack: ExitStack

    def user(self, token: str, language: str = "en") -> User:
        """Return a user who is signed in; the same each time, since sign-ins are limited."""
        if (token, language) not in self.users:
            someone = self.stack.enter_context(user(self.address, self.tokens[token], language))
            self.users[token, language] = Visitor(someone.http, someone.origin)
        return self.users[token, language]


@contextmanager
def two_counties(folder: Path) -> Iterator[TwoCounties]:
    """Run it. Tokens: admin, operator, inspector and viewer of all regions, and of_here, an operator of HERE."""
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    orders = {
        "admin": (Role.ADMIN, ""),
        "operator": (Role.OPERATOR, ""),
        "inspector": (Role.INSPECTOR, ""),
        "viewer": (Role.VIEWER, ""),
        "of_here": (Role.OPERATOR, HERE),
    }
    tokens = {
        name: store.access.create_token(TokenOrder(name, role, region), "test", wall_ns())[1]
        for name, (role, region) in orders.items()
    }
    hub = FakeHub(store)
    hub.put(
        Camera(
            "c1", "rtsp://u:secret@h/1", "灶台", "s1", "第一中学食堂", HERE, KeyPoint.COOKING, True, "nvr-1",
            "mon-fri 05:30-13:30", "ON", site_kind=SiteKind.MIDDLE,
        ),
        Camera("c2", "rtsp://u:secret@h/2", HOSTILE, "s1", "第一中学食堂", HERE, KeyPoint.CUTTING),
        Camera("c/3%", "rtsp://u:secret@h/3", "=cmd()", "", HOSTILE, HERE),
        Camera("n1", "rtsp://u:secret@h/4", ELSEWHERE_NAME, "s9", ELSEWHERE_NAME, THERE),
    )  # fmt: skip
    for camera_id in ("c1", "n1"):
        hub.ledger.open(hub.registry.cameras[camera_id])
    with (
        serving(folder, watchers_max=20, hub=hub, page_size_max=1000) as served,
        gateway(served.address) as address,
        ExitStack() as stack,
    ):
        for camera_id in ("c1", "c1", "n1"):
            hub.judge(camera_id)
        yield TwoCounties(served, address, tokens, {}, stack)
    store.close()


def sent_by(someone: User, page: str, action: str) -> dict[str, str]:
    """Return the fields that the browser would send from a page's form, as they are filled in."""
    return form_fields(someone.get(page).text, f"/console{action}")
