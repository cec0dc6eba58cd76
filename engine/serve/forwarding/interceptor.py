"""Passes each call on to the shards that it concerns, before the front's own services see it.

The shards authenticate the caller, apply its role and region, and write the audit log, as if it had called them. A call
without a valid token is left to the front, which refuses it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from engine.errors import PatrolError, UnauthenticatedError, UnavailableError
from engine.metrics import Metrics
from engine.model.access import PEER_METADATA
from engine.serve.access.rules import rule_of
from engine.serve.forwarding.apply_config import apply_everywhere
from engine.serve.forwarding.calls import CALLER, Caller, ShardAwayError
from engine.serve.forwarding.front_door import FrontDoor
from engine.serve.forwarding.imports import import_cameras
from engine.serve.forwarding.merging import Part
from engine.serve.forwarding.routes import IMPORT, Route, Target, route_of
from engine.serve.messages.resource_names import camera_id_of, number_of
from engine.serve.status import status_code, status_of
from engine.serve.streams.response_streams import Context
from patrol.v1 import cameras_pb2

AWAY_METADATA = "patrol-shard-away"
"""Trailing metadata of a reply that the front gave from the database, because the shard did not answer: its number."""
_PACKAGE = "/patrol.v1."
_PAUSE_NOT_FOUND = grpc.StatusCode.NOT_FOUND
_NOWHERE = 0
"""In place of a shard's number: no shard has it."""
_REPLIES_WAITING = 64
_IMPORT_S_MAX = 600.0


class ForwardingInterceptor(grpc.aio.ServerInterceptor):
    """Comes before the interceptor of the front's own calls. `authenticate(metadata)`: raises UnauthenticatedError."""

    def __init__(self, front: FrontDoor, authenticate: Callable[[Any], object], metrics: Metrics) -> None:
        self._metrics = metrics
        self._shards = front.shards
        self._calls = front.calls
        self._authenticate = authenticate

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler that passes a call on, or the front's own."""
        own = await continuation(details)
        path: str = details.method
        method = path.removeprefix(_PACKAGE)
        if not path.startswith(_PACKAGE) or own is None:
            return own
        try:
            self._authenticate(details.invocation_metadata)
        except UnauthenticatedError:
            return own  # which refuses it, counts it and limits how often
        route = route_of(method)
        if method == IMPORT:
            return self._import_handler(path)
        if route is None:
            return _remembering(own)
        return self._stream_handler(path, route, own) if route.streams else self._unary_handler(path, route, own)

    def _unary_handler(self, path: str, route: Route, own: Any) -> Any:
        async def unary_unary(raw: bytes, context: Context) -> Any:
            try:
                request = route.request.FromString(raw)
                work = self._unary(path, route, request, raw, caller_of(context))
                reply = await self._answered(work, path, context, or_itself=route.reads)
                if reply is not None:
                    return reply
            except DecodeError:
                pass  # the front's own handler says what is wrong
            except ShardAwayError as error:
                context.set_trailing_metadata(((AWAY_METADATA, str(error.shard_no)),))
            return own.response_serializer(await own.unary_unary(raw, context))

        return grpc.unary_unary_rpc_method_handler(unary_unary)

    def _stream_handler(self, path: str, route: Route, own: Any) -> Any:
        async def unary_stream(raw: bytes, context: Context) -> None:
            try:
                request = route.request.FromString(raw)
            except DecodeError:
                await own.unary_stream(raw, context)
                return
            await self._answered(self._relay(path, route, request, caller_of(context), context), path, context)

        return grpc.unary_stream_rpc_method_handler(unary_stream)

    def _import_handler(self, path: str) -> Any:
        async def stream_unary(raws: AsyncIterable[bytes], context: Context) -> Any:
            async def work() -> Any:
                async with asyncio.timeout(_IMPORT_S_MAX):
                    return await import_cameras(raws, caller_of(context), self._calls, self._shards)

            return (await self._answered(work(), path, context)).SerializeToString()

        return grpc.stream_unary_rpc_method_handler(stream_unary)

    async def _unary(self, path: str, route: Route, request: Any, raw: bytes, caller: Caller) -> bytes | None:
        """Return the reply of the shards; None if the front knows as well as they do, since there is no such camera."""
        rule = rule_of(path)
        repeatable = rule is None or not rule.changes or bool(getattr(request, "request_id", ""))
        if route.target is Target.ONCE:
            report: bytes = (await apply_everywhere(request, caller, self._calls, self._shards)).SerializeToString()
            return report
        names = route.names(request)
        if route.target is Target.ALL and not names:
            return await self._all(path, route, request, raw, caller, repeatable)
        groups = await self._groups(route, request, names)
        if _NOWHERE in groups:
            return None
        if len(groups) == 1:
            (shard_no,) = groups
            if route.reads and not self._calls.answers(shard_no):
                raise ShardAwayError(shard_no)
            reply = await self._calls.unary(shard_no, path, raw, caller, repeatable=repeatable)
        else:
            reply = await self._several(path, route, request, groups, caller, repeatable)
        if isinstance(request, _CAMERA_CHANGES):
            await self._shards.changed([name.removeprefix("cameras/") for name in names])
        return reply

    async def _several(
        self, path: str, route: Route, request: Any, groups: dict[int, list[int]], caller: Caller, repeatable: bool
    ) -> bytes:
        """Call each shard with its own items; put the replies together."""

        async def one(shard_no: int, indexes: Sequence[int]) -> Part:
            raw = route.part(request, indexes).SerializeToString()
            reply = await self._calls.unary(shard_no, path, raw, caller, repeatable=repeatable)
            return Part(indexes, route.reply.FromString(reply))

        parts = await asyncio.gather(*(one(number, indexes) for number, indexes in groups.items()))
        return route.merge(request, parts).SerializeToString()

    async def _all(self, path: str, route: Route, request: Any, raw: bytes, caller: Caller, repeatable: bool) -> bytes:
        """Call all shards that somebody runs; those that start later read what was changed from the database."""
        first, *others = self._held()

        async def one(shard_no: int) -> Part | grpc.aio.AioRpcError:
            try:
                # One entry in the audit log is enough.
                reply = await self._calls.unary(
                    shard_no, path, raw, caller, repeatable=repeatable, is_part=shard_no != first
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is _PAUSE_NOT_FOUND:
                    return error
                raise
            return Part((), route.reply.FromString(reply))

        found = await asyncio.gather(*(one(number) for number in (first, *others)))
        parts = [part for part in found if isinstance(part, Part)]
        if not parts:
            raise next(error for error in found if isinstance(error, grpc.aio.AioRpcError))
        return route.merge(request, parts).SerializeToString()

    async def _relay(self, path: str, route: Route, request: Any, caller: Caller, context: Context) -> None:
        groups = await self._groups(route, request, route.names(request))
        async with aclosing(self._replies(path, route, request, groups, caller)) as replies:
            async for reply in replies:
                await context.write(reply)

    async def _replies(
        self, path: str, route: Route, request: Any, groups: dict[int, list[int]], caller: Caller
    ) -> AsyncGenerator[bytes, None]:
        """Yield the replies of several streams as they come."""
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_REPLIES_WAITING)

        async def one(shard_no: int, indexes: Sequence[int]) -> None:
            raw = route.part(request, indexes).SerializeToString() if indexes else request.SerializeToString()
            async for reply in self._calls.stream(shard_no, path, raw, caller):
                await waiting.put(reply)

        async def all_of_them() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    for number, indexes in groups.items():
                        group.create_task(one(number, indexes))
            except BaseExceptionGroup:
                await waiting.put(None)
                raise
            await waiting.put(None)

        work = asyncio.create_task(all_of_them())
        try:
            while (reply := await waiting.get()) is not None:
                yield reply
            try:
                await work
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
        finally:
            work.cancel()

    async def _answered(self, work: Awaitable[Any], path: str, context: Context, *, or_itself: bool = False) -> Any:
        """Return what work returns, None where the front answers itself; end the call with the status of an error, a
        shard's own as it came. `or_itself`: raise ShardAwayError, since the front answers then too."""
        method, outcome, began_s = path.removeprefix(_PACKAGE), "OK", time.perf_counter()
        try:
            reply = await work
            if or_itself and reply is None:
                outcome = ""  # the front's own handler counts the call
            return reply
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except grpc.aio.AioRpcError as error:
            outcome = error.code().name
            await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata() or ()))
        except Exception as error:
            if or_itself and isinstance(error, ShardAwayError):
                outcome = ""
                raise
            outcome = status_code(error).name
            if outcome == "INTERNAL":
                structlog.get_logger().error("call not passed on", method=method, exc_info=error)
            await context.abort_with_status(rpc_status.to_status(status_of(error, method)))
        finally:
            if outcome:
                self._metrics.rpc(f"/{method}", outcome, time.perf_counter() - began_s)

    async def _groups(self, route: Route, request: Any, names: Sequence[str]) -> dict[int, list[int]]:
        """Return the positions of the names by shard. Unknown ones go to a shard that says so, or to none if the front
        can."""
        if route.target is Target.ANY or not names:
            return {self._any(): list(range(len(names)))}
        of_name = await self._of_names(route, names)
        if route.reads and not of_name:
            return {_NOWHERE: list(range(len(names)))}
        unknown = self._shards.of_region(route.region(request)) or next(iter(of_name.values()), 0) or self._any()
        groups: dict[int, list[int]] = {}
        for index, name in enumerate(names):
            groups.setdefault(of_name.get(name) or unknown, []).append(index)
        return groups

    async def _of_names(self, route: Route, names: Sequence[str]) -> dict[str, int]:
        """Return the shards of the names that are known; names that are no names are for a shard to refuse."""
        if route.target is Target.FINDINGS:
            numbers = {name: _finding_id(name) for name in names}
            found = await self._shards.of_findings([number for number in numbers.values() if number])
            return {name: found[number] for name, number in numbers.items() if number in found}
        ids = {name: _camera_id(name) for name in names}
        cameras = await self._shards.of_cameras([camera_id for camera_id in ids.values() if camera_id])
        return {name: cameras[camera_id] for name, camera_id in ids.items() if camera_id in cameras}

    def _any(self) -> int:
        held = self._held()
        return next((number for number in held if self._calls.answers(number)), held[0])

    def _held(self) -> Sequence[int]:
        held = self._shards.held()
        if not held:
            raise UnavailableError("no engine runs a shard; start one, or call again in a second")
        return held


_CAMERA_CHANGES = (
    cameras_pb2.CreateCameraRequest,
    cameras_pb2.UpdateCameraRequest,
    cameras_pb2.DeleteCameraRequest,
    cameras_pb2.BatchDeleteCamerasRequest,
)


def caller_of(context: Context) -> Caller:
    """Return who makes a call of the front. The HTTP gateway says for whom it calls."""
    metadata = tuple(context.invocation_metadata() or ())
    peer: str = context.peer()
    if peer.startswith("unix:"):
        peer = next((str(value) for key, value in metadata if key == PEER_METADATA), peer)
    return Caller(peer, metadata, context.time_remaining())


def _remembering(own: Any) -> Any:
    """Return the front's own handler, which notes who calls, for what it asks shards in the course of it."""

    def noted(serve: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
        async def remembering(request: Any, context: Context) -> Any:
            CALLER.set(caller_of(context))
            return await serve(request, context)

        return remembering

    if own.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(noted(own.unary_unary), None, own.response_serializer)
    if own.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(noted(own.unary_stream), None, own.response_serializer)
    return own


def _camera_id(name: str) -> str:
    try:
        return camera_id_of(name)
    except PatrolError:
        return ""


def _finding_id(name: str) -> int:
    try:
        return number_of(name)
    except (PatrolError, ValueError):
        return 0
