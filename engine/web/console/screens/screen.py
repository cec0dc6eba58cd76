"""What a screen is: its paths, what answers each, and who finds it in the navigation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from engine.web.console.console import Console, Handler


@dataclass(frozen=True)
class Action:
    """One path of a screen. `handler`: or what makes it of the console, with `needs_console`. `method`: GET or POST.

    `name`: for metrics and log. `plain`, `form_bytes_max`, `files_max`: as in Console.endpoint.
    """

    path: str
    handler: Handler | Callable[[Console], Handler]
    name: str
    method: str = "GET"
    plain: bool = False
    needs_console: bool = False
    form_bytes_max: int = 65_536
    files_max: int = 0

    def route(self, console: Console) -> Route:
        """Return the route of this path."""
        made: Any = self.handler(console) if self.needs_console else self.handler  # type: ignore[arg-type]
        endpoint = console.endpoint(
            self.name, made, plain=self.plain, form_bytes_max=self.form_bytes_max, files_max=self.files_max
        )
        return Route(self.path, endpoint, methods=[self.method])


@dataclass(frozen=True)
class Screen:
    """`path`: of its entry in the navigation; empty: it has none. `title`: English text of the entry.

    `role`: the least role that finds it there. `everywhere`: only for callers who may see all regions.
    """

    path: str
    title: str
    actions: tuple[Action, ...]
    role: str = "viewer"
    everywhere: bool = False

    def routes(self, console: Console) -> list[Route]:
        """Return the routes of all its paths."""
        return [action.route(console) for action in self.actions]

    def is_shown_to(self, page: Any) -> bool:
        """Whether the navigation of a page has it."""
        return page.may(self.role) and not (self.everywhere and page.caller.region)
