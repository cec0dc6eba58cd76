"""How long a process waits before it is started again, and how replacements are counted."""

from engine.clock import NS_PER_S
from engine.supervisor.restarts import REMEMBERED_NS, WAIT_FIRST_NS, WAIT_MAX_NS, BackOff, RestartCount


def test_the_wait_doubles_with_each_loss_of_the_last_minute_up_to_ten_seconds() -> None:
    back_off = BackOff()
    waits = [back_off.lost(n) for n in range(20)]
    assert waits[:4] == [WAIT_FIRST_NS, 2 * WAIT_FIRST_NS, 4 * WAIT_FIRST_NS, 8 * WAIT_FIRST_NS]
    assert set(waits[7:]) == {WAIT_MAX_NS}


def test_a_loss_is_forgotten_after_a_minute() -> None:
    back_off = BackOff()
    back_off.lost(0)
    assert back_off.lost(NS_PER_S) == 2 * WAIT_FIRST_NS
    assert back_off.lost(NS_PER_S + REMEMBERED_NS) == WAIT_FIRST_NS


def test_replacements_are_counted_by_kind_and_reason() -> None:
    count = RestartCount()
    for kind, reason in (("hub", "stopped"), ("worker", "stuck"), ("hub", "stopped")):
        count.add(kind, reason)
    assert sorted(count.tally()) == [("hub", "stopped", 2), ("worker", "stuck", 1)]
