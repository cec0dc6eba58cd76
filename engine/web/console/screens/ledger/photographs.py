"""The photographs that came with a claim."""

from starlette.responses import Response

from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.pictures import jpeg_response, set_etags
from patrol.v1.findings_pb2 import GetFindingPhotographRequest


async def photograph(page: Page) -> Response:
    """`?finding=NUMBER&event=NUMBER&sha256=HEX`: a photograph as the engine keeps it, without its metadata."""
    request = GetFindingPhotographRequest(
        name=names.asked_finding(page.query),
        event_number=forms.number(page.query, "event"),
        sha256=forms.text(page.query, "sha256", 64),
    )
    set_etags(page.request, request)
    response = jpeg_response(await page.call(request))
    response.headers["Vary"] = "Cookie"
    return response
