"""Thumbnails of keyframes in a real evidence store; a function of the test renders them."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import IntegrityError, UnavailableError
from engine.hub.services.render_gate import RenderGate
from engine.hub.services.thumbnails import Origins, ThumbnailCache, Thumbnails
from engine.metrics import Metrics
from engine.model.keyframe import Codec, Keyframe
from engine.model.picture import RenderedPicture, etag_of, names_etag
from engine.model.verdict import State, Verdict
from engine.model.visit import FeedKind
from engine.storage.evidence.store import EvidenceStore
from tests.support.expect import present
from tests.support.metric_samples import sample


def keyframe(camera_id: str, visit_id: int, payload: bytes = b"bits") -> Keyframe:
    return Keyframe(camera_id, visit_id, Codec.H264, payload, 10 * visit_id, None, FeedKind.RTSP)


class Desk:
    """Thumbnails, and how often each visit's keyframe was rendered."""

    def __init__(self, folder: Path) -> None:
        self.evidence = EvidenceStore(folder, 1_000_000)
        self.metrics = Metrics("test")
        self.rendered: list[tuple[int, int]] = []
        self.error: Exception | None = None
        self.open: asyncio.Event | None = None
        gate = RenderGate(lambda: 2, lambda: False)
        self.thumbnails = Thumbnails(self.evidence, gate, self._render, self.metrics)

    def keep(self, camera_id: str, visit_id: int) -> None:
        self.evidence.store(
            keyframe(camera_id, visit_id), Verdict(camera_id, visit_id, 1, State.OK, announced=State.OK)
        )

    def counted(self, outcome: str) -> float:
        return sample(self.metrics, "patrol_thumbnails_total", outcome=outcome)

    async def _render(self, kept: Keyframe, side_px_max: int) -> RenderedPicture:
        self.rendered.append((kept.visit_id, side_px_max))
        if self.open is not None:
            await self.open.wait()
        if self.error is not None:
            raise self.error
        etag = etag_of(kept.visit_id, kept.arrival_wall_ns, side_px_max, False)
        return RenderedPicture(b"jpeg%d" % kept.visit_id, side_px_max, 9, kept.visit_id, kept.arrival_wall_ns, etag)


def test_a_thumbnail_is_rendered_once_until_the_camera_has_another_picture(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path)
        assert await desk.thumbnails.get("a", 320, "") is None
        desk.keep("a", 1)
        first = present(await desk.thumbnails.get("a", 320, ""))
        assert await desk.thumbnails.get("a", 320, "") == first
        assert (first.jpeg, first.visit_id, first.arrival_wall_ns, first.width) == (b"jpeg1", 1, 10, 320)
        same = present(await desk.thumbnails.get("a", 320, first.etag))
        assert (same.not_modified, same.jpeg, same.etag, same.arrival_wall_ns) == (True, b"", first.etag, 10)
        assert present(await desk.thumbnails.get("a", 160, first.etag)).width == 160
        desk.keep("a", 2)
        assert present(await desk.thumbnails.get("a", 320, first.etag)).jpeg == b"jpeg2"
        assert desk.rendered == [(1, 320), (1, 160), (2, 320)]
        outcomes = {name: desk.counted(name) for name in ("missing", "miss", "hit", "not_modified")}
        assert outcomes == {"missing": 1, "miss": 3, "hit": 1, "not_modified": 1}
        assert sample(desk.metrics, "patrol_thumbnail_bytes") == 10

    asyncio.run(story())


@pytest.mark.parametrize("torn", [b"", b"PKE2", b"PKE2\0\0\0\x40{}", b"PKE2\0\0\0\x02{]", b"nonsense"])
def test_a_file_that_is_being_overwritten_is_no_picture_yet(tmp_path: Path, torn: bytes) -> None:
    async def story() -> None:
        desk = Desk(tmp_path)
        desk.keep("a", 1)
        (file,) = tmp_path.glob("??/*.ok")
        file.write_bytes(torn)
        assert await desk.thumbnails.get("a", 320, "") is None
        file.unlink()
        assert await desk.thumbnails.get("a", 320, "") is None
        assert desk.rendered == []

    asyncio.run(story())


def test_callers_who_come_meanwhile_share_one_render_and_one_who_leaves_ends_it_for_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path)
        desk.keep("a", 1)
        desk.open = asyncio.Event()
        callers = [asyncio.create_task(desk.thumbnails.get("a", 320, "")) for _ in range(5)]
        while not desk.rendered:
            await asyncio.sleep(0.01)
        callers[0].cancel()
        await asyncio.gather(callers[0], return_exceptions=True)
        desk.open.set()
        found = await asyncio.gather(*callers[1:])
        assert {present(picture).jpeg for picture in found} == {b"jpeg1"}
        assert len(desk.rendered) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("error", "outcome"), [(UnavailableError("no worker"), "busy"), (IntegrityError("no picture"), "damaged")]
)
def test_a_render_that_fails_is_counted_and_tried_again_at_the_next_call(
    tmp_path: Path, error: Exception, outcome: str
) -> None:
    async def story() -> None:
        desk = Desk(tmp_path)
        desk.keep("a", 1)
        desk.error = error
        with pytest.raises(type(error)):
            await desk.thumbnails.get("a", 320, "")
        assert desk.counted(outcome) == 1
        desk.error = None
        assert present(await desk.thumbnails.get("a", 320, "")).jpeg == b"jpeg1"

    asyncio.run(story())


def test_thumbnails_take_no_more_room_than_they_may() -> None:
    cache = ThumbnailCache(bytes_max=100)
    picture = RenderedPicture(bytes(30), 320, 9, etag="e")
    for number in range(9):
        cache.add(f"c{number}", 320, picture)
        cache.get("c0", 320, "e")
    assert cache.bytes_kept == 90
    kept = [f"c{number}" for number in range(9) if cache.get(f"c{number}", 320, "e")]
    assert kept == ["c0", "c7", "c8"]  # the one that is asked for all the time stays
    cache.add("c8", 320, replace(picture, jpeg=bytes(20), etag="f"))
    assert (cache.bytes_kept, cache.get("c8", 320, "e")) == (80, None)
    cache.add("huge", 320, replace(picture, jpeg=bytes(101)))
    assert cache.bytes_kept == 0


@pytest.mark.parametrize(
    ("sent", "named"),
    [("", False), ('"1-a-320"', True), ("1-a-320", True), ('W/"1-a-320"', True), ('"x", "1-a-320"', True), ("*", True),
     ('"1-a-640"', False), (",,", False)],
)  # fmt: skip
def test_an_etag_is_named_as_in_http(sent: str, named: bool) -> None:
    etag = etag_of(1, 10, 320, False)
    assert etag == '"1-a-320"'
    assert names_etag(sent, etag) is named
    assert etag_of(1, 10, 320, True) != etag


def test_a_batch_reads_the_origins_of_its_cameras_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        evidence = EvidenceStore(tmp_path, 1_000_000)
        for number in range(3):
            evidence.store(
                keyframe(f"c{number}", number + 1),
                Verdict(f"c{number}", number + 1, 1, State.OK, announced=State.OK),
            )
        origins, asked = Origins(evidence), asyncio.to_thread
        threads = 0

        async def counted(*arguments: Any) -> Any:
            nonlocal threads
            threads += 1
            return await asked(*arguments)

        monkeypatch.setattr(asyncio, "to_thread", counted)
        found = await asyncio.gather(*(origins.get(camera) for camera in ("c0", "c1", "c2", "c0", "gone")))
        assert found == [(1, 10), (2, 20), (3, 30), (1, 10), None]
        assert threads == 1
        assert await origins.get("c2") == (3, 30)
        assert threads == 2

    asyncio.run(story())
