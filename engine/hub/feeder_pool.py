"""Which feeders there are, and which orders each holds. Pure; `now_ns` is monotonic."""

from collections import deque
from dataclasses import dataclass, field

from engine.model.visit import FeedKind, VisitOrder


@dataclass(slots=True)
class _Feeder:
    kind: FeedKind
    capacity: int
    seen_ns: int
    orders: dict[int, VisitOrder] = field(default_factory=dict)
    stuck_threads: int = 0


def visits_allowed(capacity: int, room: int) -> int:
    """Visits that may be in flight. `room`: frames the intake can still take, and every visit may bring one at once.

    It may be less than are in flight: then as many must end before one begins, or workers that fall behind would be
    brought more and more keyframes that nobody looks at.
    """
    return max(0, min(capacity, room))


class FeederPool:
    """The books of visits in flight: every order that begins here ends here, once.

    An order waits while no feeder of its kind has room; the scheduler's cap on visits in flight bounds how many do.
    """

    def __init__(self) -> None:
        self._feeders: dict[str, _Feeder] = {}
        self._holder: dict[int, str] = {}
        self._waiting: dict[FeedKind, deque[VisitOrder]] = {kind: deque() for kind in FeedKind}

    def heartbeat(self, name: str, kind: FeedKind, capacity: int, stuck_threads: int, now_ns: int) -> bool:
        """A feeder is alive. True if it is new."""
        feeder = self._feeders.get(name)
        if feeder is None:
            self._feeders[name] = _Feeder(kind, capacity, now_ns, stuck_threads=stuck_threads)
            return True
        feeder.capacity, feeder.seen_ns, feeder.stuck_threads = capacity, now_ns, stuck_threads
        return False

    def begin(self, order: VisitOrder) -> None:
        """An order waits for a feeder."""
        self._waiting[order.via].append(order)

    def place(self) -> list[tuple[str, VisitOrder]]:
        """Orders that go out now, each with its feeder: the one of its kind with most room."""
        placed: list[tuple[str, VisitOrder]] = []
        for kind, waiting in self._waiting.items():
            while waiting:
                name = self._roomiest(kind)
                if name is None:
                    break
                order = waiting.popleft()
                self._feeders[name].orders[order.visit_id] = order
                self._holder[order.visit_id] = name
                placed.append((name, order))
        return placed

    def end(self, visit_id: int) -> VisitOrder | None:
        """The order's feeder is done with it. None if it is not in flight: ended before, or never given."""
        name = self._holder.pop(visit_id, None)
        return None if name is None else self._feeders[name].orders.pop(visit_id)

    def drop_waiting(self, visit_id: int) -> VisitOrder | None:
        """Take back an order that still waits for a feeder."""
        for waiting in self._waiting.values():
            for order in waiting:
                if order.visit_id == visit_id:
                    waiting.remove(order)
                    return order
        return None

    def lost(self, name: str) -> list[VisitOrder]:
        """A feeder is gone; the orders it held."""
        feeder = self._feeders.pop(name, None)
        if feeder is None:
            return []
        for visit_id in feeder.orders:
            del self._holder[visit_id]
        return list(feeder.orders.values())

    def silent(self, now_ns: int, limit_ns: int) -> set[str]:
        """Feeders not heard of for longer than `limit_ns`."""
        return {name for name, feeder in self._feeders.items() if now_ns - feeder.seen_ns > limit_ns}

    @property
    def in_flight(self) -> int:
        """Orders that feeders hold."""
        return len(self._holder)

    @property
    def waiting(self) -> int:
        """Orders that wait for a feeder."""
        return sum(map(len, self._waiting.values()))

    @property
    def feeders(self) -> int:
        """Feeders alive."""
        return len(self._feeders)

    @property
    def stuck_threads(self) -> int:
        """Threads given up in feeders that live."""
        return sum(feeder.stuck_threads for feeder in self._feeders.values())

    def capacity(self) -> int:
        """Visits that all feeders can hold together."""
        return sum(feeder.capacity for feeder in self._feeders.values())

    def check_invariants(self) -> None:
        """Raise AssertionError if an order is held twice or by nobody."""
        held = {visit_id: name for name, feeder in self._feeders.items() for visit_id in feeder.orders}
        if held != self._holder:
            raise AssertionError("the feeders' orders and the index of orders differ")
        waiting = [order.visit_id for queue in self._waiting.values() for order in queue]
        if len(set(waiting)) != len(waiting) or held.keys() & set(waiting):
            raise AssertionError("an order waits twice, or waits while a feeder holds it")

    def _roomiest(self, kind: FeedKind) -> str | None:
        best: str | None = None
        most_room = 0
        for name, feeder in self._feeders.items():
            room = feeder.capacity - len(feeder.orders)
            if feeder.kind == kind and room > most_room:
                best, most_room = name, room
        return best
