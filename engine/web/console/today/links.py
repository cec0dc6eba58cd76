"""Links from a figure to the list behind it: cameras on the wall, findings in the ledger."""

from datetime import datetime
from typing import Any

from engine.web.console.page import Page


def wall(page: Page, region: str = "", state: str = "", since: datetime | None = None, **more: Any) -> str:
    """Return the URL of the wall with the cameras of a region. `state`: ok, fault, unknown, offline or unseen.

    `since`: only those whose state began at this time or later.
    """
    return page.url("/wall", state=state, region=region, since=_iso(since), **more)


def ledger(page: Page, region: str = "", since: datetime | None = None, **more: Any) -> str:
    """Return the URL of the ledger with the open findings of a region. `since`: those opened at this time or later.

    `more`: such as overdue=1, supervised=1.
    """
    return page.url("/ledger", region=region, since=_iso(since), **more)


def _iso(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z") if time else ""
