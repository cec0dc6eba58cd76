"""Today: how the region stands now, what became worse, what is overdue, and how the patrol itself does."""

import asyncio

from starlette.responses import Response

from engine.web.console.page import Page
from engine.web.console.screens.screen import Action, Screen
from patrol.v1.cameras_pb2 import CameraFilter, CountCamerasRequest
from patrol.v1.patrol_pb2 import GetStatusRequest


async def show(page: Page) -> Response:
    """Show the first page."""
    counts, status = await asyncio.gather(
        page.call(CountCamerasRequest(filter=CameraFilter())), page.call(GetStatusRequest())
    )
    return await page.render("today.html.jinja", counts=counts, status=status)


SCREEN = Screen("/", "Today", (Action("/", show, "today"),))
