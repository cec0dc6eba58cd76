"""Links from a figure to the list behind it: cameras on the wall, findings in the ledger."""

from datetime import date
from typing import Any

from engine.web.console.page import Page


def wall(page: Page, region: str = "", state: str = "", since: date | None = None, **more: Any) -> str:
    """Return the URL of the wall with the cameras of a region. `state`: ok, fault, unknown, offline or unseen.

    `since`: only those whose state began on this day or later, the latest first.
    """
    days = {"since": since.isoformat(), "order": "newest"} if since else {}
    return page.url("/wall", state=state, region=region, **days, **more)


def ledger(page: Page, region: str = "", since: date | None = None, **more: Any) -> str:
    """Return the URL of the ledger with the open findings of a region. `since`: those opened on this day or later.

    `more`: such as overdue=1, supervised=1.
    """
    return page.url("/ledger", region=region, since=since.isoformat() if since else "", **more)
