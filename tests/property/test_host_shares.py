"""Shards divide the cap of a platform among them, in any order of steps, crashes, ends of leases and returns: all
together never have more visits under way than the cap, and once all is quiet each has what is due to it."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.model.shard import HostGrants
from engine.scheduler.host_shares import HostCap, HostGrant, due_visits

NUMBERS = (1, 2, 3, 4)
TURN_S = 20.0
SHARES = st.dictionaries(st.sampled_from(NUMBERS), st.floats(0, 1), min_size=1)


@given(st.integers(1, 200), st.dictionaries(st.integers(1, 1023), st.floats(0, 1), min_size=1, max_size=40), st.data())
def test_what_is_due_is_the_whole_cap_and_each_has_one_visit_or_its_turn(
    cap: int, shares: dict[int, float], data: st.DataObject
) -> None:
    turn = data.draw(st.integers(0, 10_000))
    due = due_visits(cap, shares, turn)
    assert due.keys() == shares.keys()
    assert sum(due.values()) == cap
    if cap < len(shares):
        assert set(due.values()) <= {0, 1}
        turns = [due_visits(cap, shares, turn + later) for later in range(len(shares))]
        assert {number: sum(each[number] for each in turns) for number in shares} == dict.fromkeys(shares, cap)
    else:
        assert min(due.values()) >= 1
        total = sum(shares.values())
        above = [number for number in shares if due[number] > 1]
        for number in above:  # nobody has more than its share, but for rounding
            assert total == 0 or due[number] <= cap * shares[number] / total + 1
        ranked = sorted(shares, key=lambda number: shares[number])
        assert all(due[less] <= due[more] + 1 for less, more in pairwise(ranked))


def test_shares_of_a_cap() -> None:
    assert due_visits(10, {1: 0.25, 2: 0.75}) == {1: 3, 2: 7}
    assert due_visits(9, {1: 0.3, 2: 0.7}) == {1: 3, 2: 6}
    assert due_visits(20, {1: 0.001, 2: 0.999}) == {1: 1, 2: 19}
    assert due_visits(7, {3: 0.2}) == {3: 7}, "alone it has the whole"
    assert due_visits(6, {1: 0.0, 2: 0.0, 3: 0.0}) == {1: 2, 2: 2, 3: 2}
    assert [due_visits(1, {1: 0.9, 2: 0.1}, turn) for turn in range(3)] == [{1: 0, 2: 1}, {1: 1, 2: 0}, {1: 0, 2: 1}]


@dataclass
class Shard:
    """A shard whose engine runs: what it knows, and its scheduler. `ended`: by the database its lease is over; it stops
    visiting before that. `read`: what it read last, between its steps."""

    own: HostGrant
    limit: int
    in_flight: int = 0
    read: HostGrants | None = None


@dataclass
class Database:
    """Leases, shares and grants as they are stored."""

    shares: dict[int, float]
    granted: dict[int, int] = field(default_factory=dict)
    clock_s: float = 0.0

    def grants(self, living: set[int]) -> HostGrants:
        shares = {number: share for number, share in self.shares.items() if number in living}
        return HostGrants(shares, dict(self.granted), self.clock_s)


class SharedPlatform(RuleBasedStateMachine):
    """Engines of four shards on one platform. A step of a shard is in three parts, between which anything happens."""

    def __init__(self) -> None:
        super().__init__()
        self.database = Database({1: 0.6, 2: 0.3, 3: 0.1})
        self.engines: dict[int, Shard] = {}
        self.cap = self.cap_before = 5

    def cap_of_all(self) -> HostCap:
        return HostCap(self.cap, TURN_S)

    @rule(number=st.sampled_from(NUMBERS))
    def start(self, number: int) -> None:
        """An engine takes the lease, after the one before has lost it."""
        if number not in self.engines:
            self.database.granted.pop(number, None)  # of an epoch before
            self.engines[number] = Shard(HostGrant(number), 0)

    @rule(number=st.sampled_from(NUMBERS))
    def lose(self, number: int) -> None:
        """The lease ends: the engine has stopped, with its visits; its grant stays in the table, and counts no more."""
        if self.engines.pop(number, None) is not None:
            self.database.granted.pop(number, None)

    @rule(number=st.sampled_from(NUMBERS))
    def read(self, number: int) -> None:
        if (engine := self.engines.get(number)) is not None:
            engine.read = self.database.grants(set(self.engines))
            engine.own.lower(engine.read, self.cap_of_all())
            engine.limit = engine.own.limit or 0

    @rule(number=st.sampled_from(NUMBERS), answered=st.booleans())
    def change(self, number: int, answered: bool) -> None:
        """Under the lock of the platform. `answered`: the shard is told that it was committed."""
        engine = self.engines.get(number)
        if engine is None or engine.read is None:
            return
        engine.read = None
        now = self.database.grants(set(self.engines))
        visits = self.database.granted[number] = engine.own.wanted(now, self.cap_of_all(), engine.in_flight)
        if answered:
            engine.own.raise_limit(now, self.cap_of_all(), visits)
            engine.limit = engine.own.limit or 0

    @rule(number=st.sampled_from(NUMBERS), visits=st.integers(1, 9))
    def visit(self, number: int, visits: int) -> None:
        if (engine := self.engines.get(number)) is not None:
            engine.in_flight = max(engine.in_flight, min(engine.limit, engine.in_flight + visits))

    @rule(number=st.sampled_from(NUMBERS), visits=st.integers(1, 9))
    def end_visits(self, number: int, visits: int) -> None:
        if (engine := self.engines.get(number)) is not None:
            engine.in_flight = max(0, engine.in_flight - visits)

    @rule(shares=SHARES)
    def assign(self, shares: dict[int, float]) -> None:
        self.database.shares = shares

    @rule(passed_s=st.floats(0, 50))
    def pass_time(self, passed_s: float) -> None:
        self.database.clock_s += passed_s

    @precondition(lambda self: sum(self.database.granted.values()) <= self.cap)
    @rule(cap=st.integers(1, 9))
    def configure(self, cap: int) -> None:
        """While all keep to the cap before, so that more than one need not be remembered."""
        self.cap, self.cap_before = cap, self.cap

    @invariant()
    def the_cap_holds(self) -> None:
        allowed = max(self.cap, self.cap_before)
        if sum(self.database.granted.values()) <= self.cap:
            self.cap_before = self.cap
        for number, engine in self.engines.items():
            granted = self.database.granted.get(number, 0)
            assert engine.limit <= granted
            assert engine.in_flight <= granted
        assert sum(self.database.granted.values()) <= allowed
        assert sum(engine.in_flight for engine in self.engines.values()) <= allowed

    def teardown(self) -> None:
        """All is quiet: each shard does its steps, and its visits end."""
        for _ in range(3):
            for number, engine in self.engines.items():
                engine.in_flight = 0
                self.read(number)
                self.change(number, answered=True)
        if self.engines:
            due = due_visits(
                self.cap,
                {number: self.database.shares.get(number, 0.0) for number in self.engines},
                int(self.database.clock_s / TURN_S),
            )
            assert {number: engine.limit for number, engine in self.engines.items()} == due
            assert self.database.granted == due


SharedPlatform.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
test_the_cap_holds_and_each_gets_what_is_due_whatever_happens = SharedPlatform.TestCase
