"""Calls of other threads run in the hub's thread, and wake it."""

import select
import threading
from functools import partial

import pytest

from engine.hub.thread_calls import ThreadCalls


def readable(calls: ThreadCalls) -> bool:
    return bool(select.select([calls.descriptor], [], [], 0)[0])


def test_a_call_waits_until_it_is_run_and_gives_its_result() -> None:
    calls = ThreadCalls()
    assert not readable(calls)
    threads: list[str] = []

    def call() -> int:
        threads.append(threading.current_thread().name)
        return 7

    answer = calls.ask(call)
    assert readable(calls)
    assert not answer.done()
    calls.run_waiting()
    assert answer.result(0) == 7
    assert threads == [threading.current_thread().name]
    assert not readable(calls)


def test_an_exception_goes_to_the_caller_and_the_next_call_still_runs() -> None:
    calls = ThreadCalls()
    failing, next_call = calls.ask(lambda: 1 // 0), calls.ask(lambda: "ran")
    calls.run_waiting()
    with pytest.raises(ZeroDivisionError):
        failing.result(0)
    assert next_call.result(0) == "ran"


def test_a_cancelled_call_is_not_run() -> None:
    calls = ThreadCalls()
    ran: list[int] = []
    answer = calls.ask(lambda: ran.append(1))
    assert answer.cancel()
    calls.run_waiting()
    assert ran == []


def test_more_calls_than_the_pipe_holds_wake_ups_for_all_run() -> None:
    calls = ThreadCalls()
    answers = [calls.ask(partial(int, number)) for number in range(100_000)]
    calls.run_waiting()
    calls.run_waiting()
    assert [answer.result(0) for answer in answers] == list(range(100_000))
    assert not readable(calls)
