"""Slots of cameras, and the heap that orders them: one by one, and many at once as at a start."""

from random import Random

import pytest

from engine.scheduler.heap import SlotHeap
from engine.scheduler.table import CameraState, Table


def columns(table: Table, slot: int) -> set[int]:
    return {column[slot] for column in table._columns}


def test_reserved_slots_are_given_in_order_after_which_comes_one_by_one() -> None:
    table = Table()
    table.reserve(3)
    assert [table.add(name) for name in "abcd"] == [0, 1, 2, 3]
    assert (len(table), table.size, table.ids) == (4, 4, ["a", "b", "c", "d"])
    assert len({len(column) for column in table._columns}) == 1


def test_no_more_slots_are_reserved_than_are_not_free_already() -> None:
    table = Table()
    table.reserve(4)
    table.reserve(3)
    assert table.size == 4
    table.add("a")
    table.reserve(4)
    assert table.size == 5


def test_a_slot_given_back_has_nothing_of_the_camera_before() -> None:
    table = Table()
    slot = table.add("a")
    for column in table._columns:
        column[slot] = 1
    table.remove_id(slot)
    table.free(slot)
    assert (table.state[slot], table.ids[slot], columns(table, slot)) == (CameraState.FREE, "", {0})
    assert table.add("b") == slot
    assert columns(table, slot) == {0}


@pytest.mark.parametrize("number", [3, 2000])
def test_many_pushed_at_once_come_out_as_if_one_by_one(number: int) -> None:
    random = Random(1)
    table = Table()
    table.reserve(number + 100)
    slots = [table.add(f"c{n}") for n in range(number + 100)]
    for slot in slots:
        table.release[slot] = random.randrange(10**12)
        table.state[slot] = CameraState.DUE
    heap = SlotHeap(table.state, table.release, CameraState.DUE)
    for slot in slots[:100]:
        heap.push(slot)
    heap.push_all(slots[100:])
    heap.push_all([])
    assert len(heap.entries) == len(slots)
    out = [heap.pop() for _ in slots]
    assert heap.head() == -1
    assert out == sorted(slots, key=lambda slot: (-(-table.release[slot] // 1_000_000), slot))
