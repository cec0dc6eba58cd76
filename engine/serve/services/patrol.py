"""PatrolService of patrol.v1: checks on demand, verdicts, pictures, KPIs, how it goes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace

from engine.errors import InvalidArgumentError, NotFoundError
from engine.model.registry import CameraCursor, CameraQuery
from engine.model.verdict import PublishedVerdict
from engine.model.visit import CheckNowReport
from engine.serve.access.gate import Call
from engine.serve.access.scope import no_camera
from engine.serve.messages.convert import engine_message, picture_message, verdict_message
from engine.serve.messages.encoding import watch_bytes
from engine.serve.messages.kpis import league_message, league_query_of, query_of, table_message
from engine.serve.messages.paging import Pages, page_size_of
from engine.serve.messages.resource_names import LATEST, camera_id_of, camera_ids_of, camera_name, verdict_ids_of
from engine.serve.streams.filters import VerdictFilter
from engine.serve.streams.watch import seq_of, token_of
from patrol.v1 import patrol_pb2, patrol_pb2_grpc, verdicts_pb2

CHECK_NOW_S_MAX = 600.0
_PARTING_S = 0.5
"""So long before the caller's deadline those that are still waited for are named."""
_LOOK_S = 2.0
"""So often it is looked whether those that are waited for are still in the registry."""
_CURRENT_ROWS = 500


class PatrolService(patrol_pb2_grpc.PatrolServiceServicer):
    """Arguments are checked by the gate; what they mean is checked here."""

    def __init__(self, page_size_max: int) -> None:
        self._page_size_max = page_size_max

    async def CheckNow(
        self, request: patrol_pb2.CheckNowRequest, call: Call
    ) -> AsyncIterator[patrol_pb2.CheckNowResponse]:
        """Visit cameras, and tell what came of each."""
        camera_ids = list(dict.fromkeys(camera_ids_of(request.cameras, "cameras")))
        left_s = call.left_s()
        limit_s = CHECK_NOW_S_MAX if left_s is None else min(CHECK_NOW_S_MAX, left_s)
        now_s = asyncio.get_running_loop().time
        give_up_s = now_s() + limit_s - _PARTING_S
        # Before the visits are asked for, so that no verdict is missed.
        async with aclosing(call.port.verdict_news(await call.port.verdict_head())) as news:
            await anext(news)
            report = await call.port.check_now(camera_ids)
            for reply in _not_visited(report):
                yield reply
            waiting = dict.fromkeys(report.accepted, report.first_visit_id) | dict(report.in_flight)
            coming = asyncio.ensure_future(anext(news, None))
            try:
                while waiting and now_s() < give_up_s:
                    await asyncio.wait({coming}, timeout=min(_LOOK_S, max(0.0, give_up_s - now_s())))
                    if not coming.done():
                        known = await call.port.known(list(waiting))
                        for camera_id in [one for one in waiting if one not in known]:
                            del waiting[camera_id]
                            yield _ended(camera_id, patrol_pb2.CHECK_OUTCOME_REMOVED)
                        continue
                    stored = coming.result()
                    if stored is None:
                        break
                    for one in stored:
                        camera_id, visit_id = one.verdict.camera_id, one.verdict.visit_id
                        if camera_id in waiting and visit_id >= waiting[camera_id]:
                            del waiting[camera_id]
                            yield _checked(one)
                    coming = asyncio.ensure_future(anext(news, None))
            finally:
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait({coming})
        for camera_id in waiting:
            yield _ended(camera_id, patrol_pb2.CHECK_OUTCOME_PENDING)

    async def GetVerdict(self, request: patrol_pb2.GetVerdictRequest, call: Call) -> verdicts_pb2.Verdict:
        """One verdict."""
        camera_id, visit_id = verdict_ids_of(request.name)
        if await call.port.camera(camera_id) is None:
            raise no_camera(camera_id)
        verdict = await call.port.verdict(camera_id, visit_id)
        if verdict is None:
            what = f"verdict {visit_id} on camera {camera_id!r} is not kept; ListVerdicts names those that are"
            raise NotFoundError(
                what if visit_id else f"camera {camera_id!r} was not visited yet; ask CheckNow, or wait"
            )
        return verdict_message(verdict)

    async def ListVerdicts(
        self, request: patrol_pb2.ListVerdictsRequest, call: Call
    ) -> patrol_pb2.ListVerdictsResponse:
        """The verdicts on a camera."""
        camera_id = camera_id_of(request.parent, "parent")
        size = page_size_of(request.page_size, self._page_size_max)
        pages = Pages("verdicts", call.port.region, camera_id)
        if await call.port.camera(camera_id) is None:
            raise no_camera(camera_id)
        found = await call.port.verdicts(camera_id, pages.number(request.page_token), size + 1)
        page = found[:size]
        return patrol_pb2.ListVerdictsResponse(
            verdicts=[verdict_message(one.verdict) for one in page],
            next_page_token=pages.token(page[-1].seq if len(found) > size else None),
        )

    async def WatchVerdicts(
        self, request: patrol_pb2.WatchVerdictsRequest, call: Call
    ) -> AsyncIterator[patrol_pb2.WatchVerdictsResponse | bytes]:
        """Verdicts as they are stored."""
        if request.resume_token and request.with_current:
            raise InvalidArgumentError(
                "with_current", "true with resume_token, which goes on from what is known; leave one of them out"
            )
        wanted = VerdictFilter(
            request.filter.region_prefix,
            request.filter.site_id,
            frozenset(camera_ids_of(request.filter.cameras, "filter.cameras")),
            request.filter.changes_only,
        )
        after = seq_of(request.resume_token) if request.resume_token else await call.port.verdict_head()
        if request.with_current:
            async for current in _current(wanted, call):
                yield current
        if not request.resume_token:
            yield watch_mark(token_of(after))
        async with aclosing(call.port.watch_verdicts(wanted, after)) as coming:
            async for body in coming:
                yield body

    async def GetPicture(self, request: patrol_pb2.GetPictureRequest, call: Call) -> patrol_pb2.Picture:
        """The picture behind a verdict."""
        camera_id, visit_id = verdict_ids_of(request.verdict, "verdict")
        picture = await call.port.picture(
            camera_id, visit_id, request.side_px_max, annotated=request.annotated, sha256=request.sha256
        )
        if picture is None:
            if await call.port.camera(camera_id) is None:
                raise no_camera(camera_id)
            raise NotFoundError(
                f"no picture of camera {camera_id!r} and verdict {visit_id or LATEST} is kept; {LATEST} asks for the "
                "latest, and record.evidence says whose are kept"
            )
        return picture_message(picture, camera_id)

    async def QueryKpis(self, request: patrol_pb2.QueryKpisRequest, call: Call) -> bytes:
        """The rates; coded beside the loop, which others wait for."""
        query = query_of(request)
        pages = Pages("kpis", call.port.region, query.region_prefix, query.by, str(query.from_day), str(query.to_day),
                      query.each_day)  # fmt: skip
        place = "".join(pages.texts(request.page_token, 1))
        size = page_size_of(request.page_size, self._page_size_max)
        table = await call.port.kpis(replace(query, page_size=size, page_token=place))
        token = pages.token([table.next_page_token] if table.next_page_token else None)
        return await asyncio.to_thread(lambda: table_message(table, token).SerializeToString())

    async def QueryLeague(self, request: patrol_pb2.QueryLeagueRequest, call: Call) -> patrol_pb2.QueryLeagueResponse:
        """Who does best."""
        return league_message(await call.port.league(league_query_of(request)))

    async def GetStatus(self, request: patrol_pb2.GetStatusRequest, call: Call) -> patrol_pb2.PatrolStatus:
        """How the patrol goes."""
        return engine_message(await call.port.status(request.region_prefix))


def watch_body(one: PublishedVerdict) -> bytes:
    """A verdict as a part of the reply of WatchVerdicts."""
    return watch_bytes(one.verdict)


def watch_mark(resume_token: str) -> bytes:
    """A place as a part of it."""
    return patrol_pb2.WatchVerdictsResponse(resume_token=resume_token).SerializeToString()


async def _current(wanted: VerdictFilter, call: Call) -> AsyncIterator[patrol_pb2.WatchVerdictsResponse]:
    """The latest verdicts of all cameras of a filter, a page at a time."""
    mark: CameraCursor | None = None
    while True:
        page = await call.port.list_cameras(
            CameraQuery(wanted.region_prefix, wanted.site_id, page_size=_CURRENT_ROWS, after=mark)
        )
        verdicts = [
            verdict_message(status.latest)
            for status in page.cameras
            if status.latest is not None and (not wanted.camera_ids or status.camera.camera_id in wanted.camera_ids)
        ]
        if verdicts:
            yield patrol_pb2.WatchVerdictsResponse(verdicts=verdicts, current=True)
        mark = page.next_after
        if mark is None:
            return


def _checked(one: PublishedVerdict) -> patrol_pb2.CheckNowResponse:
    return patrol_pb2.CheckNowResponse(
        camera=camera_name(one.verdict.camera_id),
        outcome=patrol_pb2.CHECK_OUTCOME_VERDICT,
        verdict=verdict_message(one.verdict),
    )


def _not_visited(report: CheckNowReport) -> Iterator[patrol_pb2.CheckNowResponse]:
    for camera_ids, outcome in (
        (report.unknown_ids, patrol_pb2.CHECK_OUTCOME_NOT_FOUND),
        (report.not_visited_ids, patrol_pb2.CHECK_OUTCOME_NOT_VISITED),
        (report.paused_ids, patrol_pb2.CHECK_OUTCOME_PAUSED),
    ):
        yield from (_ended(camera_id, outcome) for camera_id in camera_ids)


def _ended(camera_id: str, outcome: patrol_pb2.CheckOutcome) -> patrol_pb2.CheckNowResponse:
    return patrol_pb2.CheckNowResponse(camera=camera_name(camera_id), outcome=outcome)
