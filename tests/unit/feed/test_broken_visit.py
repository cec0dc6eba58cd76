"""A visit on which our own code breaks ends as internal, with a bounded log."""

import io
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from engine.feed import broken_visit as module
from engine.feed.broken_visit import broken_visit
from engine.feed.camera_url import check_url
from engine.feed.failure import DETAIL_CHARS_MAX, visit_failure
from engine.model.visit import FailureReason, FeedKind, VisitOrder
from engine.runtime.log import configure_logging

ORDER = VisitOrder(3, "c3", "rtsp://admin:geheim@h/1", 1, FeedKind.RTSP)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    monkeypatch.setattr(module, "_times", Counter())
    stream = io.StringIO()
    configure_logging("info", "json", "test", stream)
    yield stream
    structlog.reset_defaults()


def broken(count: int) -> ValueError:
    """An error from within the engine's code."""
    try:
        check_url(None, ("rtsp",))  # type: ignore[arg-type]
    except TypeError as error:
        return ValueError(f"rtsp://admin:geheim@h/{count}").with_traceback(error.__traceback__)
    raise AssertionError("check_url takes None")


def test_it_is_internal_and_names_the_place(log: io.StringIO) -> None:
    failure = broken_visit(ORDER, broken(1))
    assert (failure.camera_id, failure.visit_id, failure.reason) == ("c3", 3, FailureReason.INTERNAL)
    assert "ValueError at engine/" in failure.detail
    assert "geheim" not in failure.detail
    (line,) = log.getvalue().splitlines()
    assert '"visit broke"' in line
    assert "Traceback" in line
    assert "geheim" not in line


def test_the_same_break_is_logged_at_its_powers_of_ten_and_another_one_again(log: io.StringIO) -> None:
    for number in range(150):
        broken_visit(ORDER, broken(number))
    assert [line.count('"times"') for line in log.getvalue().splitlines()] == [1, 1, 1]
    broken_visit(ORDER, KeyError("x"))
    assert len(log.getvalue().splitlines()) == 4


def test_the_places_that_are_remembered_are_bounded(log: io.StringIO) -> None:
    for number in range(300):
        broken_visit(ORDER, type(f"Error{number}", (Exception,), {})("x"))
    assert len(module._times) <= 101
    assert len(log.getvalue().splitlines()) <= 104


def test_the_text_of_a_server_is_made_fit_to_be_shown() -> None:
    failure = visit_failure(
        ORDER, FailureReason.PROTOCOL_ERROR, "454 \x1b[2J\nrtsp://admin:geheim@h/1 \u202e" + "x" * 1000
    )
    assert failure.detail.startswith("454 \\x1b[2J rtsp://admin:***@h/1 \\u202ex")
    assert len(failure.detail) == DETAIL_CHARS_MAX
