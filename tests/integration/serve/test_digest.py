"""The digest over a real database: what callers of the API get is what `patrol report` writes, within bounds."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engine.clock import NS_PER_S
from engine.errors import InvalidArgumentError, UnavailableError
from engine.hub.services import digests
from engine.hub.services.digest_report import report
from engine.hub.services.digests import DigestService
from engine.interchange.regions import hebei
from engine.model.digest import DigestQuery, DigestReport
from engine.model.kpi import KpiName
from engine.notices.digest import Period
from engine.notices.html_page import html
from engine.notices.vocabulary import Lang
from engine.serve.messages.digests import digest_message, digest_of, digest_query_message, digest_query_of
from engine.storage.db.store import Store
from tests.support.digests import COUNTIES, WEEK, fill_city

ZONE = "Asia/Shanghai"
LATER_NS = 1_800_000_000 * NS_PER_S
DAY = date.fromisocalendar(int(WEEK[:4]), int(WEEK[-2:]), 3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('city')}/patrol.db")
    fill_city(store)
    yield store
    store.close()


def made(store: Store, query: DigestQuery, now_ns: int = LATER_NS) -> DigestReport:
    return asyncio.run(DigestService(store, ZONE, hebei(), lambda: now_ns).digest(query))


def test_it_is_the_digest_that_patrol_report_writes(store: Store) -> None:
    query = DigestQuery("1301", day=DAY, with_html=True, lang="en")
    given = made(store, query)
    written = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    assert given.html == html(written.digest, Lang.EN)
    assert given.rates == {line.name: line.rate for line in written.digest.kpis}
    assert [line.code for line in given.league] == [line.code for line in written.digest.league]
    assert {line.code for line in given.league} == set(COUNTIES)
    assert {finding.finding_id for finding in given.findings} == {
        snapshot.finding.finding_id for snapshot in written.standing
    }
    assert given.total.standing == len(given.findings) + given.left_out
    assert (given.first, given.last) == (written.digest.period.first, written.digest.period.last)
    assert KpiName.CLARITY in given.rates


def test_it_survives_its_message(store: Store) -> None:
    given = made(store, DigestQuery("1301", day=DAY, with_html=True))
    message = digest_message(given)
    received = digest_of(type(message).FromString(message.SerializeToString()))
    assert received == replace(given, findings=received.findings)
    assert [finding.finding_id for finding in received.findings] == [finding.finding_id for finding in given.findings]
    for query in (DigestQuery(), DigestQuery("1301", False, DAY, True, "en")):
        assert digest_query_of(digest_query_message(query)) == query


def test_a_day_and_a_period_that_is_over_by_default(store: Store) -> None:
    day = made(store, DigestQuery("1301", weekly=False, day=DAY))
    assert (day.first, day.last, day.html) == (DAY, DAY, "")
    assert not day.so_far
    last = made(store, DigestQuery("1301"))
    assert (last.last - last.first).days == 6
    assert (last.kpi_days, last.empty) == (0, False)
    assert last.total.standing > 0, "findings of March that nobody has put right"
    yesterday = made(store, DigestQuery("1301", weekly=False))
    assert yesterday.first == yesterday.last


@pytest.mark.parametrize("day", [date(2999, 1, 1), date(1969, 12, 1), date(1, 1, 1), date(9999, 12, 31)])
@pytest.mark.parametrize("weekly", [True, False])
def test_a_period_that_cannot_be_is_refused(store: Store, day: date, weekly: bool) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        made(store, DigestQuery(day=day, weekly=weekly))
    assert caught.value.violations[0][0] == "date"


def test_what_it_lists_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "LISTED_MAX", 1)
    monkeypatch.setattr(digests, "HTML_BYTES_MAX", 100)
    given = made(store, DigestQuery("1301", day=DAY, with_html=True))
    assert len(given.findings) == 1
    assert given.left_out == given.total.standing - 1
    assert given.html == ""


def test_callers_wait_for_one_another_and_not_too_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "WAITING_MAX", 3)

    async def ask() -> list[object]:
        service = DigestService(store, ZONE, hebei(), lambda: LATER_NS)
        query = DigestQuery("1301", day=DAY)
        return list(await asyncio.gather(*(service.digest(query) for _ in range(5)), return_exceptions=True))

    outcomes = asyncio.run(ask())
    assert sum(isinstance(outcome, DigestReport) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, UnavailableError) for outcome in outcomes) == 2


def test_a_path_is_no_part_of_a_page(store: Store, tmp_path: Path) -> None:
    page = made(store, DigestQuery("1301", day=DAY, with_html=True)).html
    assert page.startswith("<!doctype html>")
    assert "rtsp://" not in page
    assert str(tmp_path.parent) not in page
