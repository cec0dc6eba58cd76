"""Keeps track of the feeders and the visit orders that each holds. Pure; `now_ns` is monotonic."""

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
    unreachable: bool = False


def visits_allowed(capacity: int, room: int) -> int:
    """Return how many visits may be in flight. `room`: keyframes the intake can still take; each visit may bring one.

    The result may be less than the visits in flight now: then some must end before the next one starts. Otherwise
    workers that fall behind would be sent ever more keyframes that are never decoded.
    """
    return max(0, min(capacity, room))


class FeederPool:
    """Visit orders that wait for a feeder or are in flight; each leaves exactly once.

    An order waits while no feeder of its kind has room. The scheduler's cap on visits in flight bounds how many wait.
    """

    def __init__(self) -> None:
        self._feeders: dict[str, _Feeder] = {}
        self._holder: dict[int, str] = {}
        self._waiting: dict[FeedKind, deque[VisitOrder]] = {kind: deque() for kind in FeedKind}

    def heartbeat(self, name: str, kind: FeedKind, capacity: int, stuck_threads: int, now_ns: int) -> bool:
        """Note that a feeder is alive; returns True if it is new."""
        feeder = self._feeders.get(name)
        if feeder is None:
            self._feeders[name] = _Feeder(kind, capacity, now_ns, stuck_threads=stuck_threads)
            return True
        feeder.capacity, feeder.seen_ns, feeder.stuck_threads = capacity, now_ns, stuck_threads
        feeder.unreachable = False
        return False

    def enqueue(self, order: VisitOrder) -> None:
        """Add an order; it waits for a feeder."""
        self._waiting[order.via].append(order)

    def place(self) -> list[tuple[str, VisitOrder]]:
        """Assign waiting orders to feeders; each goes to the feeder of its kind with the most room."""
        placed: list[tuple[str, VisitOrder]] = []
        for kind, waiting in self._waiting.items():
            while waiting:
                name = self._least_busy(kind)
                if name is None:
                    break
                order = waiting.popleft()
                self._feeders[name].orders[order.visit_id] = order
                self._holder[order.visit_id] = name
                placed.append((name, order))
        return placed

    def end(self, visit_id: int) -> VisitOrder | None:
        """Remove an order from its feeder and return it; None if it is not in flight."""
        name = self._holder.pop(visit_id, None)
        return None if name is None else self._feeders[name].orders.pop(visit_id)

    def not_taken(self, visit_id: int) -> None:
        """Let an order wait again that could not be sent to its feeder, which gets none until its next heartbeat.

        Heartbeats come over a connection of their own: the one for orders may not stand yet, or no longer.
        """
        feeder = self._feeders[self._holder.pop(visit_id)]
        feeder.unreachable = True
        order = feeder.orders.pop(visit_id)
        self._waiting[order.via].appendleft(order)

    def drop_waiting(self, visit_id: int) -> VisitOrder | None:
        """Remove an order that waits for a feeder and return it; None if it does not wait."""
        for waiting in self._waiting.values():
            for order in waiting:
                if order.visit_id == visit_id:
                    waiting.remove(order)
                    return order
        return None

    def lost(self, name: str) -> list[VisitOrder]:
        """Remove a feeder that ended; returns the orders it held."""
        feeder = self._feeders.pop(name, None)
        if feeder is None:
            return []
        for visit_id in feeder.orders:
            del self._holder[visit_id]
        return list(feeder.orders.values())

    def silent(self, now_ns: int, limit_ns: int) -> set[str]:
        """Return the feeders whose last heartbeat is older than `limit_ns`."""
        return {name for name, feeder in self._feeders.items() if now_ns - feeder.seen_ns > limit_ns}

    @property
    def in_flight(self) -> int:
        """Orders that feeders hold."""
        return len(self._holder)

    @property
    def waiting(self) -> int:
        """Orders that wait for a feeder."""
        return sum(map(len, self._waiting.values()))

    def __len__(self) -> int:
        """Feeders that are alive."""
        return len(self._feeders)

    def count(self, kind: FeedKind) -> int:
        """Return how many feeders of a kind are alive."""
        return sum(feeder.kind == kind for feeder in self._feeders.values())

    @property
    def stuck_threads(self) -> int:
        """Threads that feeders have given up and that still run."""
        return sum(feeder.stuck_threads for feeder in self._feeders.values())

    def capacity(self) -> int:
        """Return how many visits all feeders together can hold."""
        return sum(feeder.capacity for feeder in self._feeders.values())

    def check_invariants(self) -> None:
        """Raise AssertionError if an order is held twice or by nobody."""
        held = {visit_id: name for name, feeder in self._feeders.items() for visit_id in feeder.orders}
        if held != self._holder:
            raise AssertionError("the feeders' orders and the index of orders differ")
        waiting = [order.visit_id for queue in self._waiting.values() for order in queue]
        if len(set(waiting)) != len(waiting) or held.keys() & set(waiting):
            raise AssertionError("an order waits twice, or waits while a feeder holds it")

    def _least_busy(self, kind: FeedKind) -> str | None:
        best: str | None = None
        most_room = 0
        for name, feeder in self._feeders.items():
            room = feeder.capacity - len(feeder.orders)
            if feeder.kind == kind and room > most_room and not feeder.unreachable:
                best, most_room = name, room
        return best
