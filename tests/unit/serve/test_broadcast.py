"""Watchers by themselves: what they are told, in which turns, and that those who want the same share it."""

import asyncio
from dataclasses import replace

import pytest

from engine.model.findings import FindingQuery
from engine.model.verdict import PublishedVerdict, View
from engine.serve.messages.places import Places
from engine.serve.messages.resume_token import decode_resume_token
from engine.serve.status import LostError, TooManyError, TooSlowError
from engine.serve.streams import event_ring
from engine.serve.streams.broadcast import Broadcast
from engine.serve.streams.filters import FindingFilter, VerdictFilter
from tests.support.serve.served import VERDICT


class ListLog:
    """A log of news in a list."""

    def __init__(self) -> None:
        self.rows: list[PublishedVerdict] = []
        self.floor = 0

    def add(self, number: int) -> list[PublishedVerdict]:
        first = len(self.rows) + 1
        self.rows += [PublishedVerdict(seq, replace(VERDICT, visit_id=seq)) for seq in range(first, first + number)]
        return self.rows[-number:]

    async def span(self) -> tuple[int, int]:
        return self.floor, len(self.rows)

    async def after(self, seq: int, limit: int) -> list[PublishedVerdict]:
        await asyncio.sleep(0)
        return [row for row in self.rows if row.seq > max(seq, self.floor)][:limit]


def test_a_watcher_that_the_ring_overtakes_is_cut_with_its_place() -> None:
    async def story() -> tuple[list[int], str]:
        log = ListLog()
        feed: Broadcast[PublishedVerdict] = Broadcast(
            log, lambda verdict, _: b"%d " % verdict.seq, lambda _: b"", ring_max=4, watchers_max=1
        )
        with feed.admitted(), pytest.raises(TooManyError, match=r"serve\.watchers_max"), feed.admitted():
            pass
        bodies = feed.messages(0, VerdictFilter())
        feed.publish(log.add(3))
        seen = [int(seq) for seq in (await anext(bodies)).split()]
        feed.publish(log.add(5))
        with pytest.raises(TooSlowError, match="5 events wait, and 4 may") as caught:
            await anext(bodies)
        return seen, caught.value.metadata["resume_token"]

    seen, token = asyncio.run(story())
    assert (seen, decode_resume_token(token)) == ([1, 2, 3], 3)


def test_a_watcher_reads_the_log_until_it_meets_the_ring() -> None:
    async def story() -> list[int]:
        log = ListLog()
        feed: Broadcast[PublishedVerdict] = Broadcast(
            log, lambda verdict, _: b"%d " % verdict.seq, lambda _: b"", ring_max=4, watchers_max=1
        )
        log.add(1234)
        for _ in range(9):
            feed.publish(log.add(3))
        seen: list[int] = []
        bodies = feed.messages(0, VerdictFilter())
        while len(seen) < 1234 + 27:
            seen += [int(seq) for seq in (await anext(bodies)).split()]
            if len(seen) == 1000:
                feed.publish(log.add(2))
        return seen

    seen = asyncio.run(story())
    assert seen[: 1234 + 27] == list(range(1, 1234 + 28))


def test_what_was_read_from_the_log_before_it_was_published_does_not_come_again() -> None:
    async def story() -> list[int]:
        log = ListLog()
        feed: Broadcast[PublishedVerdict] = Broadcast(
            log, lambda verdict, _: b"%d " % verdict.seq, lambda _: b"", ring_max=8, watchers_max=1
        )
        log.add(1)
        feed.publish(log.add(1))
        committed = log.add(3)  # not published yet
        bodies = feed.messages(0, VerdictFilter())
        seen = [int(seq) for seq in (await anext(bodies)).split()]
        waits = asyncio.ensure_future(anext(bodies))
        await asyncio.sleep(0.05)
        feed.publish(committed[:2])
        await asyncio.sleep(0.05)
        feed.publish([*committed[2:], *log.add(2)])
        seen += [int(seq) for seq in (await waits).split()]
        return seen

    assert asyncio.run(story()) == [1, 2, 3, 4, 5, 6, 7]


def test_what_the_log_has_let_go_is_said_to_be_lost() -> None:
    async def story() -> None:
        log = ListLog()
        feed: Broadcast[PublishedVerdict] = Broadcast(
            log, lambda verdict, _: b"", lambda _: b"", ring_max=4, watchers_max=1
        )
        log.add(10)
        log.floor = 5
        with pytest.raises(LostError, match="is not in the log"):
            await anext(feed.messages(3, VerdictFilter()))

    asyncio.run(story())


class Feed:
    """A watch over a log in a list; `told`: what each watcher was told, as bytes."""

    def __init__(self, ring_max: int = 64) -> None:
        self.log = ListLog()
        self.coded: list[int] = []
        self.watch: Broadcast[PublishedVerdict] = Broadcast(
            self.log, self._code, lambda token: b"|", ring_max, watchers_max=99
        )
        self.told: list[list[bytes]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def _code(self, verdict: PublishedVerdict, _: View) -> bytes:
        self.coded.append(verdict.seq)
        return b"%d " % verdict.seq

    async def follow(self, *filters: VerdictFilter) -> None:
        """Watchers who have met the ring, and wait."""
        self.commit(1)
        for wanted in filters:
            self.told.append([])
            self.tasks.append(asyncio.create_task(self._one(wanted, self.told[-1])))
        for _ in range(5):
            await asyncio.sleep(0)

    def commit(self, number: int, region: str = "130102") -> None:
        self.watch.publish([replace(verdict, region=region) for verdict in self.log.add(number)])

    async def _one(self, wanted: VerdictFilter, told: list[bytes]) -> None:
        with self.watch.admitted():
            async for body in self.watch.messages(self.log.rows[-1].seq, wanted):
                told.append(body)  # noqa: PERF401 (one by one, as they come)

    async def settle(self) -> None:
        async with asyncio.timeout(5):
            while not all(self.told):
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.02)

    async def end(self) -> list[BaseException | None]:
        self.watch.close()
        async with asyncio.timeout(5):
            return await asyncio.gather(*self.tasks, return_exceptions=True)


def test_those_with_equal_filters_are_given_the_very_same_bytes_joined_once() -> None:
    async def story() -> list[list[bytes]]:
        feed = Feed()
        await feed.follow(*(VerdictFilter("13", camera_ids=frozenset({"c1", "c2"})) for _ in range(20)))
        feed.commit(3)
        await feed.settle()
        await feed.end()
        assert feed.coded == [2, 3, 4]
        return feed.told

    told = asyncio.run(story())
    assert [b"".join(bodies) for bodies in told] == [b"2 3 4 |"] * 20
    assert len({id(bodies[0]) for bodies in told}) == 1


def of(region: str) -> Places:
    """Places of a caller with a region."""
    return Places(region, bytes(64))


def test_those_of_other_regions_never_share() -> None:
    async def story() -> list[list[bytes]]:
        feed = Feed()
        scopes = ("", "13", "14", "1301", "130102", "130103")
        await feed.follow(*(VerdictFilter(places=of(scope)) for scope in scopes), VerdictFilter("13", places=of("14")))
        feed.commit(1, "130102")
        feed.commit(1, "130103")
        feed.commit(1, "140101")
        await asyncio.sleep(0.1)  # one of them hears nothing, which cannot be waited for
        await feed.end()
        return feed.told

    told = [b"".join(bodies) for bodies in asyncio.run(story())]
    assert told == [b"2 3 4 |", b"2 3 |", b"4 |", b"2 3 |", b"2 |", b"3 |", b""]
    assert FindingFilter(FindingQuery(), of("13")) != FindingFilter(FindingQuery(), of("14"))


@pytest.mark.parametrize("name", ["_JOINED_BYTES_MAX", "_FILTERS_MAX"])
def test_what_is_kept_joined_has_a_bound_and_beyond_it_everybody_hears_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_ring, name, 0)

    async def story() -> list[list[bytes]]:
        feed = Feed()
        await feed.follow(VerdictFilter(), VerdictFilter())
        feed.commit(2)
        await feed.settle()
        await feed.end()
        return feed.told

    told = asyncio.run(story())
    assert told == [[b"2 3 |"], [b"2 3 |"]]
    assert told[0][0] is not told[1][0]


def test_a_few_are_told_at_a_time_and_others_have_their_turn_between() -> None:
    async def story() -> list[int]:
        feed = Feed()
        await feed.follow(*(VerdictFilter() for _ in range(10)))
        feed.commit(1)
        seen = []
        async with asyncio.timeout(5):
            while sum(map(len, feed.told)) < 10:
                await asyncio.sleep(0)
                seen.append(sum(map(len, feed.told)))
        await feed.end()
        return sorted(set(seen) - {0})

    assert asyncio.run(story()) == [4, 8, 10]


def test_what_is_stored_during_a_round_is_told_in_the_next_to_all_and_once() -> None:
    async def story() -> list[list[bytes]]:
        feed = Feed()
        await feed.follow(*(VerdictFilter() for _ in range(10)))
        feed.commit(2)
        async with asyncio.timeout(5):
            while not any(feed.told):
                await asyncio.sleep(0)
            feed.commit(3)  # six of them are yet to be told of the first two
            while min(map(len, feed.told)) < 2:
                await asyncio.sleep(0.001)
        await feed.end()
        return feed.told

    assert asyncio.run(story()) == [[b"2 3 |", b"4 5 6 |"]] * 10


def test_an_end_during_a_round_ends_everybody_at_once() -> None:
    async def story() -> list[BaseException | None]:
        feed = Feed()
        await feed.follow(*(VerdictFilter() for _ in range(10)))
        feed.commit(1)
        async with asyncio.timeout(5):
            while not any(feed.told):
                await asyncio.sleep(0)
        return await feed.end()

    assert {str(bodies) for bodies in asyncio.run(story())} == {
        "the engine stops; watch again with the last resume_token"
    }


def test_those_who_go_away_before_their_turn_hold_up_nobody() -> None:
    async def story() -> list[list[bytes]]:
        feed = Feed()
        await feed.follow(*(VerdictFilter() for _ in range(12)))
        for task in feed.tasks[:4]:
            task.cancel()
        feed.commit(1)
        async with asyncio.timeout(5):
            while not any(feed.told):
                await asyncio.sleep(0)
        for task in feed.tasks[8:10]:
            task.cancel()  # their turn is near
        await asyncio.sleep(0.05)  # the round is over, which nothing shows
        feed.commit(1)
        await asyncio.sleep(0.05)  # as above
        await feed.end()
        return feed.told

    told = [b"".join(bodies) for bodies in asyncio.run(story())]
    assert told == [b""] * 4 + [b"2 |3 |"] * 4 + [b""] * 2 + [b"2 |3 |"] * 2


def test_news_that_come_while_a_watcher_reads_the_log_are_not_slept_through() -> None:
    async def story() -> bytes:
        feed = Feed()

        async def after(seq: int, limit: int) -> list[PublishedVerdict]:
            found = await ListLog.after(feed.log, seq, limit)
            if not found and len(feed.log.rows) < 3:
                feed.commit(1)  # after the look, and before the watcher sleeps
                await asyncio.sleep(0.01)
            return found

        feed.log.after = after  # type: ignore[method-assign]
        feed.log.add(2)
        async with asyncio.timeout(5):
            return await anext(feed.watch.messages(2, VerdictFilter()))

    assert asyncio.run(story()) == b"3 |"


def test_nothing_is_kept_of_those_who_went_nor_of_places_that_nobody_shares() -> None:
    async def story() -> None:
        feed = Feed(ring_max=512)
        await feed.follow(*(VerdictFilter() for _ in range(10)))
        for task in feed.tasks:
            task.cancel()
        await asyncio.wait(feed.tasks)
        assert not feed.watch._waiting
        for number in range(50):  # each at a place of its own, in no round
            feed.commit(1)
            assert await anext(feed.watch.messages(number, VerdictFilter()))
        assert len(feed.watch._ring._spans) <= event_ring._SPANS_MAX
        assert [len(span.entries) for span in feed.watch._ring._spans.values()][-1] == 2
        feed.commit(1)
        await asyncio.sleep(0.01)  # a round, of nobody
        assert not feed.watch._ring._spans

    asyncio.run(story())


def test_watchers_of_two_views_get_their_own_bytes_each_coded_once() -> None:
    async def story() -> tuple[bytes, bytes, list[str]]:
        log, coded = ListLog(), list[str]()

        def code(published: PublishedVerdict, view: View) -> bytes:
            coded.append(f"{view}{published.seq}")
            return f"{view}{published.seq} ".encode()

        feed: Broadcast[PublishedVerdict] = Broadcast(log, code, lambda _: b"", ring_max=8, watchers_max=9)
        bodies = [feed.messages(0, VerdictFilter(view=view)) for view in (View.BASIC, View.FULL, View.BASIC)]
        feed.publish(log.add(1))
        told = [await anext(body) for body in bodies]
        assert told[0] == told[2]
        return told[0], told[1], coded

    assert asyncio.run(story()) == (b"basic1 ", b"full1 ", ["basic1", "full1"])
