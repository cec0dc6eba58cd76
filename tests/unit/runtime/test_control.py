"""What a child learns from the pipe of its parent: whether cameras are still visited for it."""

import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from engine.runtime.control import BEGUN, STOP, VISITS_OVER, Control


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Control]]:
    parent, child = Pipe()
    with parent, child:
        yield parent, Control(child)


def test_a_hub_that_never_began_has_no_visits(pipe: tuple[Connection, Control]) -> None:
    assert pipe[1].visits_are_over(0)


def test_a_hub_that_ends_by_itself_does_not_wait_for_visits_that_go_on(pipe: tuple[Connection, Control]) -> None:
    control = pipe[1]
    control.send(BEGUN)
    assert not control.visits_are_over(60)


def test_a_hub_that_was_stopped_waits_for_the_end_of_its_visits(pipe: tuple[Connection, Control]) -> None:
    parent, control = pipe
    control.send(BEGUN)
    parent.send((STOP,))
    assert control.stop_requested()
    assert not control.visits_are_over(0.01)
    later = threading.Timer(0.1, parent.send, [(VISITS_OVER,)])
    later.start()
    assert control.visits_are_over(60)
    later.join()


def test_both_words_may_come_at_once(pipe: tuple[Connection, Control]) -> None:
    parent, control = pipe
    control.send(BEGUN)
    parent.send((STOP,))
    parent.send((VISITS_OVER,))
    assert control.stop_requested()
    assert control.visits_are_over(0)


def test_a_parent_that_is_gone_says_nothing_any_more(pipe: tuple[Connection, Control]) -> None:
    parent, control = pipe
    control.send(BEGUN)
    parent.close()
    assert control.stop_requested()
    assert not control.visits_are_over(60)
