"""PatrolService of patrol.v1: checks on demand, verdicts, pictures, KPIs, the state of the engine."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from engine.errors import DeniedError, ErrorReason, InvalidArgumentError, NotFoundError, Resource
from engine.model.access import Role
from engine.model.dialogue import TRACED_CAMERAS_MAX
from engine.model.registry import CameraCursor, CameraQuery
from engine.model.verdict import PublishedVerdict, View
from engine.model.visit import CheckNowReport
from engine.serve.access.interceptor import Call
from engine.serve.access.not_found import no_camera
from engine.serve.messages.checks import check_message
from engine.serve.messages.convert import engine_message, region_message, verdict_message, view_of
from engine.serve.messages.encoding import encode_watch_response
from engine.serve.messages.kpis import league_message, league_query_of, query_of, table_message
from engine.serve.messages.paging import PageTokens, page_size_of
from engine.serve.messages.pictures import picture_message
from engine.serve.messages.resource_names import LATEST, camera_id_of, camera_ids_of, camera_name, verdict_ids_of
from engine.serve.messages.resume_token import decode_resume_token, encode_resume_token
from engine.serve.messages.stories import story_message
from engine.serve.services.thumbnails import thumbnail, thumbnails
from engine.serve.streams.filters import VERDICTS, VerdictFilter
from patrol.v1 import patrol_pb2, patrol_pb2_grpc, pictures_pb2, stories_pb2, verdicts_pb2

CHECK_NOW_S_MAX = 600.0
REGIONS_MAX = 5_000
"""Regions of one reply; the country has fewer than 3,400 of all levels."""
_PENDING_REPLY_S = 0.5
"""How long before the caller's deadline the cameras without a verdict are reported as pending."""
_REGISTRY_CHECK_S = 2.0
"""How long CheckNow waits without verdicts before it checks that its cameras are still in the registry."""
_SNAPSHOT_ROWS = 500


class PatrolService(patrol_pb2_grpc.PatrolServiceServicer):
    """Checks on demand, verdicts, pictures, KPIs, the state of the engine."""

    def __init__(self, page_size_max: int) -> None:
        self._page_size_max = page_size_max

    async def CheckNow(
        self, request: patrol_pb2.CheckNowRequest, call: Call
    ) -> AsyncIterator[patrol_pb2.CheckNowResponse]:
        """Visit cameras, and report the outcome of each. Raises DeniedError or InvalidArgumentError for a trace
        that the caller may not have."""
        camera_ids = list(dict.fromkeys(camera_ids_of(request.cameras, "cameras")))
        if not request.trace:
            async for reply in self._check_now(camera_ids, call):
                yield reply
            return
        _check_trace(camera_ids, call)
        try:
            async for reply in self._check_now(camera_ids, call, trace=True):
                yield reply
        finally:
            await call.hub.forget_dialogues(camera_ids)

    async def _check_now(
        self, camera_ids: list[str], call: Call, *, trace: bool = False
    ) -> AsyncIterator[patrol_pb2.CheckNowResponse]:
        left_s = call.time_left_s()
        limit_s = CHECK_NOW_S_MAX if left_s is None else min(CHECK_NOW_S_MAX, left_s)
        now_s = asyncio.get_running_loop().time
        give_up_s = now_s() + limit_s - _PENDING_REPLY_S
        # The watch begins before the visits are ordered, so that no verdict is missed.
        async with aclosing(call.hub.verdict_events(await call.hub.verdict_head())) as events:
            await anext(events)
            report = await call.hub.check_now(camera_ids, trace)
            for reply in _not_visited(report):
                yield reply
            waiting = dict.fromkeys(report.accepted, report.first_visit_id) | dict(report.in_flight)
            next_events = asyncio.ensure_future(anext(events, None))
            try:
                while waiting and now_s() < give_up_s:
                    await asyncio.wait({next_events}, timeout=min(_REGISTRY_CHECK_S, max(0.0, give_up_s - now_s())))
                    if not next_events.done():
                        registered = await call.hub.registered(list(waiting))
                        for camera_id in [camera_id for camera_id in waiting if camera_id not in registered]:
                            del waiting[camera_id]
                            yield _without_verdict(camera_id, patrol_pb2.CHECK_OUTCOME_REMOVED)
                        continue
                    stored = next_events.result()
                    if stored is None:
                        break
                    for published in stored:
                        camera_id, visit_id = published.verdict.camera_id, published.verdict.visit_id
                        if camera_id in waiting and visit_id >= waiting[camera_id]:
                            del waiting[camera_id]
                            said = await call.hub.dialogue(camera_id, visit_id) if trace else ()
                            yield check_message(camera_id, "verdict", published.verdict, said)
                    next_events = asyncio.ensure_future(anext(events, None))
            finally:
                if not next_events.done():
                    next_events.cancel()
                    await asyncio.wait({next_events})
        for camera_id in waiting:
            yield _without_verdict(camera_id, patrol_pb2.CHECK_OUTCOME_PENDING)

    async def GetVerdict(self, request: patrol_pb2.GetVerdictRequest, call: Call) -> verdicts_pb2.Verdict:
        """Return a verdict. Raises NotFoundError if the camera or the verdict is not kept."""
        camera_id, visit_id = verdict_ids_of(request.name)
        if await call.hub.camera(camera_id) is None:
            raise no_camera(camera_id)
        verdict = await call.hub.verdict(camera_id, visit_id)
        if verdict is None:
            not_kept = f"verdict {visit_id} on camera {camera_id!r} is not kept; ListVerdicts lists those that are"
            not_visited = f"camera {camera_id!r} was not visited yet; call CheckNow, or wait"
            raise NotFoundError(
                not_kept if visit_id else not_visited,
                reason=ErrorReason.VERDICT_NOT_FOUND,
                resource=Resource("Verdict", request.name),
                metadata={"camera": camera_name(camera_id)},
            )
        return verdict_message(verdict)

    async def GetCameraStory(self, request: stories_pb2.GetCameraStoryRequest, call: Call) -> stories_pb2.CameraStory:
        """Return what happened to a camera lately. Raises NotFoundError if it is not in the registry."""
        return story_message(await call.hub.story(camera_id_of(request.camera, "camera")))

    async def ListVerdicts(
        self, request: patrol_pb2.ListVerdictsRequest, call: Call
    ) -> patrol_pb2.ListVerdictsResponse:
        """Return a page of the verdicts on a camera."""
        camera_id = camera_id_of(request.parent, "parent")
        size = page_size_of(request.page_size, self._page_size_max)
        pages = PageTokens("verdicts", call.hub.places, camera_id)
        if await call.hub.camera(camera_id) is None:
            raise no_camera(camera_id)
        verdicts = await call.hub.verdicts(camera_id, pages.number(request.page_token), size + 1)
        page = verdicts[:size]
        return patrol_pb2.ListVerdictsResponse(
            verdicts=[verdict_message(logged.verdict, view_of(request.view, View.FULL)) for logged in page],
            next_page_token=pages.token(page[-1].seq if len(verdicts) > size else None),
        )

    async def WatchVerdicts(
        self, request: patrol_pb2.WatchVerdictsRequest, call: Call
    ) -> AsyncIterator[patrol_pb2.WatchVerdictsResponse | bytes]:
        """Send verdicts as they are stored. Raises InvalidArgumentError if the request contradicts itself."""
        if request.resume_token and request.with_current:
            raise InvalidArgumentError(
                "with_current", "true with resume_token, which resumes an earlier watch; leave one of them out"
            )
        verdict_filter = VerdictFilter(
            request.filter.region_prefix,
            request.filter.site_id,
            frozenset(camera_ids_of(request.filter.cameras, "filter.cameras")),
            request.filter.changes_only,
            view=view_of(request.view, View.FULL),
        )
        if request.resume_token:
            after = decode_resume_token(request.resume_token, VERDICTS, call.hub.places)
        else:
            after = await call.hub.verdict_head()
        if request.with_current:
            async for reply in _snapshot(verdict_filter, call):
                yield reply
        if not request.resume_token:
            yield encode_watch_token(encode_resume_token(after, VERDICTS, call.hub.places))
        async with aclosing(call.hub.watch_verdicts(verdict_filter, after)) as messages:
            async for message in messages:
                yield message

    async def GetPicture(self, request: patrol_pb2.GetPictureRequest, call: Call) -> patrol_pb2.Picture:
        """Return the picture behind a verdict, or an exhibit. Raises NotFoundError if it is not kept."""
        camera_id, visit_id = verdict_ids_of(request.verdict, "verdict")
        picture = await call.hub.picture(
            camera_id,
            visit_id,
            request.side_px_max,
            annotated=request.annotated,
            sha256=request.sha256,
            if_none_match=request.if_none_match,
        )
        if picture is None:
            if await call.hub.camera(camera_id) is None:
                raise no_camera(camera_id)
            raise NotFoundError(
                f"no picture of camera {camera_id!r} and verdict {visit_id or LATEST} is kept; {LATEST} asks for the "
                "latest, and record.evidence says whose are kept",
                reason=ErrorReason.PICTURE_NOT_FOUND,
                resource=Resource("Verdict", request.verdict),
                metadata={"camera": camera_name(camera_id)},
            )
        return picture_message(picture, camera_id)

    async def GetThumbnail(self, request: pictures_pb2.GetThumbnailRequest, call: Call) -> pictures_pb2.Thumbnail:
        """Return a small JPEG of a camera's latest picture. Raises NotFoundError if none is kept."""
        return await thumbnail(request, call)

    async def BatchGetThumbnails(
        self, request: pictures_pb2.BatchGetThumbnailsRequest, call: Call
    ) -> pictures_pb2.BatchGetThumbnailsResponse:
        """Return the thumbnails of several cameras, each with its outcome."""
        return await thumbnails(request, call)

    async def QueryKpis(self, request: patrol_pb2.QueryKpisRequest, call: Call) -> bytes:
        """Return a page of KPIs. It is encoded in a thread, because other calls need the event loop."""
        query = query_of(request)
        days = (str(query.from_day), str(query.to_day))
        pages = PageTokens(
            "kpis", call.hub.places, query.region_prefix, query.by, *days, query.each_day, query.each_hour
        )
        place = "".join(pages.texts(request.page_token, 1))
        size = page_size_of(request.page_size, self._page_size_max)
        table = await call.hub.kpis(replace(query, page_size=size, page_token=place))
        token = pages.token([table.next_page_token] if table.next_page_token else None)
        return await asyncio.to_thread(lambda: table_message(table, token).SerializeToString())

    async def QueryLeague(self, request: patrol_pb2.QueryLeagueRequest, call: Call) -> patrol_pb2.QueryLeagueResponse:
        """Return regions ordered by a KPI."""
        return league_message(await call.hub.league(league_query_of(request)))

    async def GetStatus(self, request: patrol_pb2.GetStatusRequest, call: Call) -> patrol_pb2.PatrolStatus:
        """Return the state of the engine."""
        return engine_message(await call.hub.status(request.region_prefix))

    async def ListRegions(self, request: patrol_pb2.ListRegionsRequest, call: Call) -> patrol_pb2.ListRegionsResponse:
        """Return the regions that have cameras. Raises InvalidArgumentError if there are too many."""
        regions = await call.hub.list_regions(request.region_prefix)
        if len(regions) > REGIONS_MAX:
            raise InvalidArgumentError(
                "region_prefix",
                f"{request.region_prefix!r}: {len(regions)} regions; allowed: at most {REGIONS_MAX}; give a longer one",
            )
        return patrol_pb2.ListRegionsResponse(regions=map(region_message, regions))


def encode_watch_event(published: PublishedVerdict, view: View) -> bytes:
    """Return a WatchVerdictsResponse that holds only a verdict; such messages can be joined."""
    return encode_watch_response(published.verdict, view)


def encode_watch_token(resume_token: str) -> bytes:
    """Return a WatchVerdictsResponse that holds only a resume token; it can be joined with others."""
    return patrol_pb2.WatchVerdictsResponse(resume_token=resume_token).SerializeToString()


async def _snapshot(verdict_filter: VerdictFilter, call: Call) -> AsyncIterator[patrol_pb2.WatchVerdictsResponse]:
    """Yield the latest verdicts of all cameras of a filter, a page at a time."""
    mark: CameraCursor | None = None
    while True:
        page = await call.hub.list_cameras(
            CameraQuery(verdict_filter.region_prefix, verdict_filter.site_id, page_size=_SNAPSHOT_ROWS, after=mark)
        )
        verdicts = [
            verdict_message(status.latest, verdict_filter.view)
            for status in page.cameras
            if status.latest is not None
            and (not verdict_filter.camera_ids or status.camera.camera_id in verdict_filter.camera_ids)
        ]
        if verdicts:
            yield patrol_pb2.WatchVerdictsResponse(verdicts=verdicts, current=True)
        mark = page.next_after
        if mark is None:
            return


def _check_trace(camera_ids: Sequence[str], call: Call) -> None:
    """Raise DeniedError or InvalidArgumentError unless the caller may have the dialogues of these cameras."""
    if not call.actor.role.includes(Role.OPERATOR):
        raise DeniedError(
            f"CheckNow with trace needs the role {Role.OPERATOR}, token {call.actor.name!r} has {call.actor.role}; ask "
            "an admin for another token, or leave trace out",
            metadata={"role_needed": Role.OPERATOR, "role": call.actor.role},
        )
    if len(camera_ids) > TRACED_CAMERAS_MAX:
        raise InvalidArgumentError(
            "cameras", f"{len(camera_ids)} with trace; at most {TRACED_CAMERAS_MAX} are allowed, so call several times"
        )


def _not_visited(report: CheckNowReport) -> Iterator[patrol_pb2.CheckNowResponse]:
    for camera_ids, outcome in (
        (report.unknown_ids, patrol_pb2.CHECK_OUTCOME_NOT_FOUND),
        (report.not_visited_ids, patrol_pb2.CHECK_OUTCOME_NOT_VISITED),
        (report.paused_ids, patrol_pb2.CHECK_OUTCOME_PAUSED),
    ):
        yield from (_without_verdict(camera_id, outcome) for camera_id in camera_ids)


def _without_verdict(camera_id: str, outcome: patrol_pb2.CheckOutcome) -> patrol_pb2.CheckNowResponse:
    return patrol_pb2.CheckNowResponse(camera=camera_name(camera_id), outcome=outcome)
