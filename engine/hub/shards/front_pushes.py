"""Takes what gateways pushed to a front: it goes the way of a keyframe that was pushed to this engine."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from engine.clock import monotonic_ns
from engine.errors import ErrorReason, InvalidArgumentError, WireError
from engine.feed import passed_on
from engine.feed.passed_on import Kept, PassedOn
from engine.hub.catalog import Catalog
from engine.hub.keyframes.gateways import Gateways
from engine.hub.keyframes.latest_times import LatestTimes
from engine.hub.thread_calls import ThreadCalls
from engine.model.keyframe import Keyframe
from engine.model.verdict import State
from engine.storage.db.verdict_history import VerdictHistory


class StoredTimes:
    """Tells of which time the newest keyframe is that an engine judged before. Any thread may call."""

    def __init__(self, catalog: Catalog, history: VerdictHistory) -> None:
        self._catalog = catalog
        self._history = history

    def __call__(self, camera_ids: Collection[str]) -> Mapping[str, int]:
        """Return the times by camera; 0 without one. Reads the database where the latest verdict had no keyframe.

        Raises StoreError.
        """
        return {camera_id: self._of(camera_id) for camera_id in camera_ids}

    def _of(self, camera_id: str) -> int:
        latest = self._catalog.verdict(camera_id)
        if latest is None or latest.state is not State.OFFLINE:
            return 0 if latest is None else latest.at_wall_ns
        verdicts = (row.verdict for row in self._history.of_camera(camera_id))
        return next((verdict.at_wall_ns for verdict in verdicts if verdict.state is not State.OFFLINE), 0)


class FrontPushes:
    """Implements engine.serve.port.PushPort. `latest`: that of `gateways`; `stored`: what it learns at first. `arrived`
    and `has_room`, of the intake, are called in the hub's thread."""

    def __init__(
        self,
        gateways: Gateways,
        latest: LatestTimes,
        stored: Callable[[Collection[str]], Mapping[str, int]],
        calls: ThreadCalls,
        arrived: Callable[[Keyframe, int], None],
        has_room: Callable[[], bool],
    ) -> None:
        self._gateways = gateways
        self._latest = latest
        self._stored = stored
        self._calls = calls
        self._arrived = arrived
        self._has_room = has_room

    async def take(self, raw: bytes) -> bytes:
        """Take keyframes; return which of them the front keeps.

        Raises InvalidArgumentError if the bytes are none, StoreError if the database does not answer.
        """
        try:
            items = passed_on.unpack(raw)
        except WireError as error:
            raise InvalidArgumentError("", str(error), reason=ErrorReason.REQUEST_MALFORMED) from error
        new = {item.camera_id for item in items if not self._latest.knows(item.camera_id)}
        times = await asyncio.to_thread(self._stored, new) if new else {}
        kept = await asyncio.wrap_future(self._calls.ask(lambda: self._take(items, times)))
        return passed_on.pack_kept(kept)

    def _take(self, items: Sequence[PassedOn], times: Mapping[str, int]) -> Kept:
        self._latest.learn(times)
        unknown: list[int] = []
        for position, item in enumerate(items):
            if not self._has_room():
                return Kept(tuple(unknown), len(items) - position)
            try:
                keyframe = self._gateways.receive_passed_on(item)
            except KeyError:
                unknown.append(position)
                continue
            if keyframe is not None:
                self._arrived(keyframe, monotonic_ns())
        return Kept(tuple(unknown))
