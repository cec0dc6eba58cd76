"""Photographs of claims in a real evidence store; a function of the test makes the JPEGs."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.errors import DecodeError, InvalidArgumentError, StoreError, UnavailableError
from engine.hub.services import photographs as module
from engine.hub.services.photographs import PhotographService
from engine.hub.state import HubState
from engine.model.picture import RenderedPicture
from engine.storage.evidence.store import EvidenceStore


class World:
    """The service; a file is its own JPEG, and one that begins with `bad` gives no picture."""

    def __init__(self, folder: Path, bytes_max: int = 10_000) -> None:
        self.evidence = EvidenceStore(folder, bytes_max)
        workers = SimpleNamespace(make_photograph=self._make)
        calls = SimpleNamespace(ask=self._ask)
        self.service = PhotographService(cast(HubState, SimpleNamespace(workers=workers, calls=calls)), self.evidence)

    def _make(self, content: bytes, side_px_max: int) -> "Future[RenderedPicture]":
        answer: Future[RenderedPicture] = Future()
        if content.startswith(b"bad"):
            answer.set_exception(DecodeError("damaged", "the file cannot be decoded"))
        else:
            answer.set_result(RenderedPicture(content, side_px_max, 900))
        return answer

    def _ask(self, question: Callable[[], Any]) -> "Future[Any]":
        answer: Future[Any] = Future()
        answer.set_result(question())
        return answer


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def test_they_are_kept_and_pinned_while_the_claim_is_written_each_once(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def claim() -> None:
        async with world.service.kept([b"one", b"two", b"one"]) as digests:
            assert digests == tuple(hashlib.sha256(content).hexdigest() for content in (b"one", b"two"))
            assert world.evidence.counts()["pinned"] == 2
        assert (world.evidence.counts()["pinned"], world.evidence.counts()["exhibit"]) == (0, 2)
        kept = await world.service.photograph(digests[0], "")
        assert kept is not None
        assert kept.jpeg == b"one"
        assert await world.service.photograph("0" * 64, "") is None

    run(claim())


def test_one_that_gives_no_picture_is_named_and_none_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def claim() -> None:
        with pytest.raises(InvalidArgumentError) as caught:
            async with world.service.kept([b"one", b"bad"]):
                raise AssertionError("it goes on")
        assert caught.value.violations[0][0] == "photographs[1]"
        assert world.evidence.bytes_kept == 0

    run(claim())


def test_a_claim_is_refused_if_there_is_no_room_for_its_photograph(tmp_path: Path) -> None:
    world = World(tmp_path, bytes_max=10)

    async def claim() -> None:
        with pytest.raises(StoreError, match="evidence_bytes_max"):
            async with world.service.kept([b"more than ten bytes"]):
                raise AssertionError("it goes on")

    run(claim())


def test_only_so_many_claims_are_under_way_and_each_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLAIMS_MAX", 1)
    world = World(tmp_path)

    async def claim() -> None:
        for _ in range(2):
            async with world.service.kept([b"one"]):
                with pytest.raises(UnavailableError, match="1 claims with photographs"):
                    async with world.service.kept([b"two"]):
                        raise AssertionError("it goes on")

    run(claim())
