"""Parts of the ledger's pages that need no engine: the bound of a CSV file, filters, what the engine says in words."""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from google.rpc import status_pb2

from engine.web.console.csv_replies import csv_reply
from engine.web.console.formats import Formats
from engine.web.console.languages import Language, language
from engine.web.console.page import Page
from engine.web.console.screens.ledger import export
from engine.web.console.screens.ledger.filters import LedgerQuery
from engine.web.console.screens.ledger.reasons import own_words, refusal_words
from engine.web.console.screens.ledger.timeline import load_timeline
from engine.web.errors import HttpError, refusal
from patrol.v1.findings_pb2 import (
    Finding,
    FindingEvent,
    FindingStep,
    ListFindingEventsResponse,
    ListFindingsResponse,
)

ZONE = ZoneInfo("Asia/Shanghai")


class PageOf:
    """What the code under test uses of a page; `replies` answer its calls, one after the other."""

    def __init__(self, code: str = "en", replies: tuple[Any, ...] = ()) -> None:
        self.language: Language = language(code)
        self.zone = ZONE
        self.query: dict[str, str] = {"region": "1301"}
        self.regions = {"1301": "石家庄市"}
        self.caller = type("Caller", (), {"region": ""})()
        self.replies = list(replies)

    def text(self, english: str, **values: Any) -> str:
        return self.language.text(english) % values if values else self.language.text(english)

    def region_name(self, code: str) -> str:
        return self.regions.get(code, code)

    def formats(self) -> Formats:
        return Formats(self.language, ZONE, 0)

    async def call(self, _: Any) -> Any:
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def page_of_findings(first: int, number: int, more: bool) -> ListFindingsResponse:
    findings = [Finding(name=f"findings/{first + n}", camera="cameras/c") for n in range(number)]
    return ListFindingsResponse(findings=findings, next_page_token="more" if more else "", total_size=9)


def sent(page: PageOf) -> tuple[list[list[str]], str]:
    """Return the rows of the file that `export` sends, and its header Content-Disposition."""
    pieces: list[bytes] = []
    headers: dict[str, str] = {}

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))
        headers.update((name.decode(), value.decode()) for name, value in message.get("headers", ()))

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def run() -> None:
        reply = await export.export(cast(Page, page))
        await reply({"type": "http"}, receive, send)

    asyncio.run(run())
    text = b"".join(pieces).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text))), headers["content-disposition"]


def test_a_file_that_would_be_too_long_says_how_much_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_MAX", 3)
    rows, name = sent(PageOf(replies=(page_of_findings(5, 2, True), page_of_findings(1, 2, True))))
    assert [row[0] for row in rows[1:4]] == ["5", "6", "1"]
    assert rows[4:] == [["These are the newest 3 of 9 findings; narrow the filter to get the others."]]
    assert 'filename="ledger-1970-01-01-1301-' in name


def test_a_file_that_has_all_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_MAX", 4)
    rows, _ = sent(PageOf("zh", (page_of_findings(5, 2, True), page_of_findings(1, 2, False))))
    assert len(rows) == 5


def test_a_file_that_an_error_ends_says_so() -> None:
    away = refusal("UNAVAILABLE", "X", "the engine is away")
    rows, _ = sent(PageOf(replies=(page_of_findings(5, 2, True), away)))
    assert rows[-1] == ["The list ends here, because of an error: the engine is away"]


def test_an_error_at_the_beginning_is_no_file() -> None:
    with pytest.raises(HttpError, match="away"):
        sent(PageOf(replies=(refusal("UNAVAILABLE", "X", "away"),)))


def test_days_begin_in_the_kitchens_time_zone_and_the_last_one_counts() -> None:
    wanted = LedgerQuery(since="2026-03-02", until="2026-03-02").message(ZONE)
    assert wanted.open_start_time.ToJsonString() == "2026-03-01T16:00:00Z"
    assert wanted.open_end_time.ToJsonString() == "2026-03-02T16:00:00Z"
    assert wanted.open_only


@pytest.mark.parametrize(
    ("why", "chinese"),
    [
        ("seen again: 0 good and 2 bad checks after the claim", "再次发现故障：申报后检查 0 次正常，2 次异常"),
        (
            "undecided after 2 h: 1 good and 0 bad checks after the claim",
            "2 小时内未能判定：申报后检查 1 次正常，0 次异常",
        ),
        ("the deadline of the school passed", "学校整改期限已过"),
        ("from school to county", "由学校升级至县级"),
        ("escalated to the city", "已升级至市级"),
        ("blurred/defocus: blind now", "模糊（失焦）：现为无法看清"),
        ("the re-check passed", "复查通过"),
        ("nothing listens on that port", "nothing listens on that port"),
        ("told <b>%(x)s</b>", "已通报 <b>%(x)s</b>"),
    ],
)
def test_what_the_engine_writes_into_the_ledger_has_its_chinese(why: str, chinese: str) -> None:
    assert own_words(cast(Page, PageOf("zh")), why) == chinese
    assert own_words(cast(Page, PageOf()), "the re-check passed") == "the re-check passed"


def test_escalations_are_marked_and_a_person_s_words_stay_as_they_are() -> None:
    events = [
        FindingEvent(name="findings/7/events/1", step=FindingStep.FINDING_STEP_OPENED),
        FindingEvent(name="findings/7/events/2", step=FindingStep.FINDING_STEP_ESCALATED, why="from school to county"),
        FindingEvent(
            name="findings/7/events/3",
            step=FindingStep.FINDING_STEP_CLAIMED,
            role="inspector",
            why="from school to county",
        ),
    ]
    page = PageOf("zh", (ListFindingEventsResponse(events=events, next_page_token="x"), ListFindingEventsResponse()))
    timeline = asyncio.run(load_timeline(cast(Page, page), "findings/7", 3))
    assert [entry.is_raised for entry in timeline.entries] == [False, True, False]
    assert [entry.why for entry in timeline.entries] == ["", "由学校升级至县级", "from school to county"]
    assert [entry.number for entry in timeline.after(1)] == [2, 3]
    assert timeline.left_out == 0


def test_a_timeline_that_is_too_long_says_how_many_events_it_leaves_out() -> None:
    reply = ListFindingEventsResponse(events=[FindingEvent(name="findings/7/events/1")], next_page_token="x")
    timeline = asyncio.run(load_timeline(cast(Page, PageOf(replies=(reply,) * 5)), "findings/7", 9))
    assert (len(timeline.entries), timeline.left_out) == (5, 4)


def test_a_refusal_is_told_by_its_reason() -> None:
    changed = refusal("ABORTED", "FINDING_CHANGED", "findings/1: its latest event is number 4")
    assert "在您处理期间" in refusal_words(cast(Page, PageOf("zh")), changed)
    odd = HttpError(status_pb2.Status(code=3, message="100 % <odd>"))
    assert refusal_words(cast(Page, PageOf()), odd) == "This input cannot be used: 100 % <odd>"


def test_the_name_of_a_file_cannot_break_its_header() -> None:
    async def none() -> AsyncGenerator[str, None]:
        yield ""

    reply = asyncio.run(csv_reply(none(), 'a"; x=\r\n台.csv', ""))
    assert reply.headers["content-disposition"] == (
        "attachment; filename=\"a___x____.csv\"; filename*=UTF-8''a%22%3B%20x%3D%0D%0A%E5%8F%B0.csv"
    )
