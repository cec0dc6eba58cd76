"""Shards divide the cap of a platform among them, in any order of steps, crashes, ends of leases and returns: all
together never have more visits under way than the cap, and once all is quiet each has what is due to it."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.model.shard import HostGrants
from engine.scheduler.host_shares import HostCap, HostGrant, due_visits, planned_visits

NUMBERS = (1, 2, 3)
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


def test_what_becomes_shared_while_both_have_the_whole_cap_is_divided_without_a_visit_more() -> None:
    cap, shares = HostCap(8, TURN_S), {1: 0.25, 2: 0.75}
    one, two = HostGrant(1, limit=None), HostGrant(2, limit=None)
    alone = HostGrants(shares, {})
    assert planned_visits(alone, 1, cap) == 0, "the other may use the whole cap, and has not said so"
    one.lower(alone, cap)
    assert (one.limit, one.wanted(alone, cap, 8)) == (0, 8), "what is under way is granted"
    seen = HostGrants(shares, {1: 8})
    two.lower(seen, cap)
    assert (two.limit, two.wanted(seen, cap, 7)) == (0, 7)
    seen = HostGrants(shares, {1: 3, 2: 1})
    assert (one.wanted(seen, cap, 3), two.wanted(seen, cap, 1)) == (3, 5)
    two.raise_limit(seen, cap, 5)
    assert two.limit == 5


@dataclass
class Shard:
    """A shard whose engine runs: what it knows, and its scheduler. `read`: what it read last, between its steps;
    `counted`: its visits under way then."""

    own: HostGrant
    limit: int
    in_flight: int = 0
    counted: int = 0
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
    """Engines of three shards on one platform. A step of a shard is in three parts, between which anything happens."""

    def __init__(self) -> None:
        super().__init__()
        self.database = Database({1: 0.6, 2: 0.3, 3: 0.1})
        self.engines: dict[int, Shard] = {}
        self.cap = self.cap_before = 5

    def cap_of_all(self) -> HostCap:
        return HostCap(self.cap, TURN_S)

    @rule(number=st.sampled_from(NUMBERS))
    def take(self, number: int) -> None:
        self.start(number)

    def start(self, number: int) -> None:
        """An engine takes the lease, after the one before has lost it."""
        if number not in self.engines:
            self.engines[number] = Shard(HostGrant(number), 0)

    @precondition(lambda self: len(self.engines) > 1)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """The lease ends: the engine has stopped, with its visits, and its grant counts no more."""
        number = data.draw(st.sampled_from(sorted(self.engines)))
        del self.engines[number]
        self.database.granted.pop(number, None)

    @precondition(lambda self: self.engines)
    @rule(data=st.data())
    def happen(self, data: st.DataObject) -> None:
        """Engines do parts of their steps, and visits begin and end, in any order."""
        parts = [self.read, self.change, self.visit, self.change_unanswered, self.end_some, self.replace_other]
        deeds = st.sampled_from(parts)
        for number, deed in data.draw(
            st.lists(st.tuples(st.sampled_from(sorted(self.engines)), deeds), min_size=5, max_size=40)
        ):
            if number in self.engines:
                deed(number)
                self.the_cap_holds()

    @precondition(lambda self: self.engines)
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """All engines make whole steps, and as many visits as they may; some of these end."""
        for number in data.draw(st.permutations(sorted(self.engines))):
            self.read(number)
            self.change(number)
            self.visit(number)
            self.the_cap_holds()
            if data.draw(st.booleans()):
                self.end_some(number)

    def read(self, number: int) -> None:
        engine = self.engines[number]
        engine.read = self.database.grants(set(self.engines))
        engine.own.lower(engine.read, self.cap_of_all())
        engine.limit = engine.own.limit or 0
        engine.counted = engine.in_flight

    def change(self, number: int, *, answered: bool = True) -> None:
        """Under the lock of the platform. `answered`: the shard is told that it was committed."""
        engine = self.engines[number]
        if engine.read is None:
            return
        engine.read = None
        now = self.database.grants(set(self.engines))
        visits = self.database.granted[number] = engine.own.wanted(now, self.cap_of_all(), engine.counted)
        if answered:
            engine.own.raise_limit(now, self.cap_of_all(), visits)
            engine.limit = engine.own.limit or 0

    def change_unanswered(self, number: int) -> None:
        self.change(number, answered=False)

    def visit(self, number: int) -> None:
        """As many visits begin as may: there is always more to do."""
        engine = self.engines[number]
        engine.in_flight = max(engine.in_flight, engine.limit)

    def replace_other(self, number: int) -> None:
        """Another shard loses its lease, and has it again; or it takes one that nobody had."""
        other = number % len(NUMBERS) + 1
        if self.engines.pop(other, None) is None:
            self.start(other)
        self.database.granted.pop(other, None)

    def end_some(self, number: int) -> None:
        engine = self.engines[number]
        engine.in_flight //= 2

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
                self.change(number)
        if self.engines:
            due = due_visits(
                self.cap,
                {number: self.database.shares.get(number, 0.0) for number in self.engines},
                int(self.database.clock_s / TURN_S),
            )
            assert {number: engine.limit for number, engine in self.engines.items()} == due
            assert self.database.granted == due


SharedPlatform.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
test_the_cap_holds_and_each_gets_what_is_due_whatever_happens = SharedPlatform.TestCase
