"""Pictures for all screens: of a camera, of a verdict, of a finding; kept by browsers and asked for by their ETag."""

from starlette.responses import Response

from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.screen import Action, Screen
from engine.web.pictures import jpeg_response, set_etags
from patrol.v1.findings_pb2 import FindingPicture, GetFindingPictureRequest
from patrol.v1.patrol_pb2 import GetPictureRequest
from patrol.v1.pictures_pb2 import GetThumbnailRequest

_SIDE_PX_MAX = 4096
_THUMBNAIL_PX_MAX = 640
_WHICH = {
    "evidence": FindingPicture.FINDING_PICTURE_EVIDENCE,
    "baseline": FindingPicture.FINDING_PICTURE_BASELINE,
    "last_good": FindingPicture.FINDING_PICTURE_LAST_GOOD,
}


async def thumbnail(page: Page) -> Response:
    """`?id=CAMERA&side=PX`: a small picture of a camera's latest kept keyframe."""
    side = forms.number(page.query, "side", 320, 160, _THUMBNAIL_PX_MAX)
    return await _picture(page, GetThumbnailRequest(camera=names.asked_camera(page.query), side_px_max=side))


async def picture(page: Page) -> Response:
    """`?id=CAMERA&verdict=NUMBER&side=PX&annotated=1&sha256=HEX`: a picture in full quality; the latest by default."""
    verdict = forms.text(page.query, "verdict", 20) or "latest"
    return await _picture(
        page,
        GetPictureRequest(
            verdict=f"{names.asked_camera(page.query)}/verdicts/{verdict}",
            side_px_max=forms.number(page.query, "side", 0, 0, _SIDE_PX_MAX),
            annotated=bool(forms.text(page.query, "annotated", 1)),
            sha256=forms.text(page.query, "sha256", 64),
        ),
    )


async def finding_picture(page: Page) -> Response:
    """`?finding=NUMBER&which=evidence|baseline|last_good&event=NUMBER&side=PX&annotated=1`."""
    return await _picture(
        page,
        GetFindingPictureRequest(
            name=names.asked_finding(page.query),
            picture=_WHICH[forms.choice(page.query, "which", _WHICH, "evidence")],
            event_number=forms.number(page.query, "event"),
            side_px_max=forms.number(page.query, "side", 0, 0, _SIDE_PX_MAX),
            annotated=bool(forms.text(page.query, "annotated", 1)),
        ),
    )


async def _picture(page: Page, request: object) -> Response:
    set_etags(page.request, request)
    response = jpeg_response(await page.call(request))  # type: ignore[arg-type]
    response.headers["Vary"] = "Cookie"
    return response


SCREEN = Screen(
    "",
    "",
    (
        Action("/pictures/thumbnail.jpg", thumbnail, "thumbnail", plain=True),
        Action("/pictures/camera.jpg", picture, "picture", plain=True),
        Action("/pictures/finding.jpg", finding_picture, "finding-picture", plain=True),
    ),
)
