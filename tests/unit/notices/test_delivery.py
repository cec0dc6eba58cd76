"""The policy of delivery, in virtual time."""

import random
from collections import defaultdict
from typing import Any

import pytest

from engine.config.notices import EndpointSettings, NoticesSettings
from engine.model.notice import DeliveryState, DeliveryUpdate, Notice, PendingDelivery
from engine.notices.attempt import AttemptResult, Outcome
from engine.notices.delivery import Delivery

S = 10**9
H = 3600 * S
T0 = 1_764_000_000 * S
OK = AttemptResult(Outcome.DELIVERED)
DOWN = AttemptResult(Outcome.SERVER_ERROR, "HTTP 500")
BAD = AttemptResult(Outcome.REFUSED, "HTTP 422")


def settings(*names: str, **more: Any) -> NoticesSettings:
    endpoints = tuple(
        EndpointSettings(name=name, url=f"https://{name}.example/", secret_file="s") for name in names or ("a",)
    )
    return NoticesSettings(endpoints=endpoints, **({"per_s_max": 1000.0} | more))


def parcel(endpoint: str = "a", seq: int = 1, at_ns: int = T0, **more: Any) -> PendingDelivery:
    return PendingDelivery(endpoint, Notice(seq, "finding.opened", seq, 1, at_ns, "13", "{}"), at_ns, **more)


def sent(delivery: Delivery, now_ns: int) -> list[str]:
    return [pending.name for pending in delivery.due(now_ns).send]


def fail(delivery: Delivery, now_ns: int, answer: AttemptResult = DOWN, jitter: float = 0.0) -> DeliveryUpdate:
    assert sent(delivery, now_ns), "nothing was due"
    return delivery.complete("a", answer, now_ns, jitter)


def test_a_notice_is_sent_at_once_and_its_delivery_marked() -> None:
    delivery = Delivery(settings())
    assert delivery.endpoints_without_head() == ("a",)
    delivery.set_head(parcel())
    assert delivery.endpoints_without_head() == ()
    assert sent(delivery, T0) == ["a/1"]
    assert sent(delivery, T0 + S) == []  # it is on the wire
    assert delivery.complete("a", OK, T0 + S, 0.0) == DeliveryUpdate("a", 1, DeliveryState.DELIVERED, 1)
    assert delivery.endpoints_without_head() == ("a",)


def test_waits_double_up_to_the_longest() -> None:
    delivery = Delivery(settings(wait_first_s=5, wait_max_s=60, circuit_failures=1000))
    delivery.set_head(parcel())
    now, waits = T0, []
    for attempt in range(1, 8):
        mark = fail(delivery, now)
        assert (mark.state, mark.attempts) == (DeliveryState.WAITING, attempt)
        waits.append((mark.next_wall_ns - now) // S)
        assert sent(delivery, mark.next_wall_ns - 1) == []
        now = mark.next_wall_ns
    assert waits == [5, 10, 20, 40, 60, 60, 60]


def test_jitter_takes_up_to_half_of_a_wait_away() -> None:
    delivery = Delivery(settings(wait_first_s=10))
    delivery.set_head(parcel())
    assert fail(delivery, T0, jitter=1.0).next_wall_ns == T0 + 5 * S


def test_waits_stay_finite_after_years_of_failures() -> None:
    delivery = Delivery(settings(wait_max_s=3600, age_max_h=8760))
    delivery.set_head(parcel(attempts=100_000, next_wall_ns=T0))
    assert fail(delivery, T0).next_wall_ns == T0 + H


def test_the_next_notice_waits_until_the_one_before_it_is_delivered() -> None:
    delivery = Delivery(settings())
    delivery.set_head(parcel(seq=1))
    delivery.set_head(parcel(seq=2))  # offered too early: the head stays
    fail(delivery, T0)
    assert sent(delivery, T0 + 5 * S) == ["a/1"]
    delivery.complete("a", OK, T0 + 5 * S, 0.0)
    delivery.set_head(parcel(seq=2))
    assert sent(delivery, T0 + 6 * S) == ["a/2"]


def test_retry_after_is_honoured_within_bounds() -> None:
    for asked_s, waits_s in ((30, 30), (0, 5), (10**9, 7200)):
        delivery = Delivery(settings(wait_first_s=5, retry_after_max_s=7200))
        delivery.set_head(parcel())
        answer = AttemptResult(Outcome.THROTTLED, "HTTP 429", asked_s * S)
        assert fail(delivery, T0, answer).next_wall_ns == T0 + waits_s * S


def test_an_endpoint_that_only_throttles_keeps_its_circuit_closed() -> None:
    delivery = Delivery(settings(circuit_failures=2))
    delivery.set_head(parcel())
    now = T0
    for _ in range(10):
        now = fail(delivery, now, AttemptResult(Outcome.THROTTLED, "HTTP 429")).next_wall_ns
    assert delivery.circuits_open() == ()


def test_a_notice_that_is_refused_again_and_again_lets_the_next_one_pass() -> None:
    delivery = Delivery(settings(refusals_max=3))
    delivery.set_head(parcel(seq=1))
    now = T0
    for _ in range(2):
        mark = fail(delivery, now, BAD)
        assert mark.state == DeliveryState.WAITING
        now = mark.next_wall_ns
    assert fail(delivery, now, BAD) == DeliveryUpdate("a", 1, DeliveryState.DEAD, 3, 0, "refused: HTTP 422")
    delivery.set_head(parcel(seq=2))
    assert sent(delivery, now + S) == ["a/2"]
    assert delivery.circuits_open() == ()


def test_a_dead_endpoint_holds_nobody_else_up() -> None:
    dead = [f"dead{number}" for number in range(6)]
    delivery = Delivery(settings("well", *dead, in_flight_max=3, probes_max=1, circuit_failures=1, wait_max_s=5))
    for name in dead:
        delivery.set_head(parcel(name))
    now = T0
    for _ in range(2):  # each fails once, three at a time
        for name in sent_all(delivery, now):
            delivery.complete(name, DOWN, now, 0.0)
        now += S // 100
    assert len(delivery.circuits_open()) == 6
    now += 10 * S
    # All dead ones are due and hang, and still there is room for who is well.
    assert len(sent_all(delivery, now)) == 1
    for seq in range(1, 50):
        now += S // 10
        delivery.set_head(parcel("well", seq))
        assert sent(delivery, now) == [f"well/{seq}"]
        delivery.complete("well", OK, now, 0.0)


def sent_all(delivery: Delivery, now_ns: int) -> list[str]:
    """Endpoints that are sent to within a few milliseconds, as the pace allows."""
    names = []
    for step in range(10):
        names += [pending.endpoint for pending in delivery.due(now_ns + step * S // 500).send]
    return names


def test_delivery_closes_the_circuit() -> None:
    delivery = Delivery(settings(circuit_failures=2))
    delivery.set_head(parcel())
    now = T0
    for _ in range(2):
        now = fail(delivery, now).next_wall_ns
    assert delivery.circuits_open() == ("a",)
    fail(delivery, now, OK)
    assert delivery.circuits_open() == ()
    delivery.set_head(parcel(seq=2))
    assert fail(delivery, now + S).next_wall_ns == now + S + 5 * S  # and the waits begin anew


def test_an_endpoint_that_is_gone_is_asked_again_only_after_the_longest_wait() -> None:
    delivery = Delivery(settings(wait_max_s=3600))
    delivery.set_head(parcel())
    assert fail(delivery, T0, AttemptResult(Outcome.GONE, "HTTP 410")).next_wall_ns == T0 + H
    assert delivery.circuits_open() == ("a",)


def test_what_waited_too_long_is_given_up_with_the_last_error() -> None:
    delivery = Delivery(settings(age_max_h=1, wait_max_s=600))
    delivery.set_head(parcel())
    now = T0
    while not (due := delivery.due(now)).given_up:
        if due.send:
            delivery.complete("a", DOWN, now, 0.0)
        wakeup = delivery.next_wakeup_ns(now)
        assert wakeup is not None
        assert wakeup > now
        now = wakeup
    assert now == T0 + H
    (mark,) = due.given_up
    assert (mark.state, mark.last_error) == (DeliveryState.DEAD, "expired; server_error: HTTP 500")


def test_after_a_standstill_of_days_everything_is_tried_once() -> None:
    delivery = Delivery(settings(age_max_h=1))
    delivery.set_head(parcel(at_ns=T0 - 100 * H))
    assert sent(delivery, T0) == ["a/1"]


def test_the_backlog_of_a_dead_endpoint_is_given_up_without_being_sent() -> None:
    delivery = Delivery(settings(age_max_h=1, circuit_failures=1))
    delivery.set_head(parcel(seq=1, at_ns=T0 - 2 * H))
    fail(delivery, T0)
    for seq in (1, 2, 3):
        delivery.set_head(parcel(seq=seq, at_ns=T0 - 2 * H))
        due = delivery.due(T0 + seq)
        assert due.send == []
        assert [(pending.seq, pending.state) for pending in due.given_up] == [(seq, DeliveryState.DEAD)]


def test_a_restart_goes_on_where_it_was() -> None:
    delivery = Delivery(settings(circuit_failures=3))
    delivery.set_head(parcel(attempts=4, next_wall_ns=T0 + 40 * S))
    assert delivery.circuits_open() == ("a",)
    assert sent(delivery, T0 + 39 * S) == []
    assert fail(delivery, T0 + 40 * S).next_wall_ns == T0 + 40 * S + 80 * S


def test_a_clock_that_jumps_back_costs_one_longest_wait_at_most() -> None:
    delivery = Delivery(settings(wait_max_s=60, retry_after_max_s=60))
    delivery.set_head(parcel(attempts=1, next_wall_ns=T0 + 1000 * H))
    delivery.due(T0)
    assert sent(delivery, T0 + 60 * S) == ["a/1"]


def test_no_more_are_on_the_wire_and_no_more_begin_in_a_second_than_is_allowed() -> None:
    names = [f"e{number}" for number in range(20)]
    delivery = Delivery(settings(*names, in_flight_max=8, per_s_max=10))
    for name in names:
        delivery.set_head(parcel(name))
    starts = [tick for tick in range(2000) if delivery.due(T0 + tick * S // 1000).send]
    assert starts == [100 * number for number in range(8)]


def test_an_endpoint_that_left_the_configuration_ends_what_is_on_the_wire_and_no_more() -> None:
    delivery = Delivery(settings("a", "b"))
    delivery.set_head(parcel("a"))
    delivery.set_head(parcel("b"))
    assert sent_all(delivery, T0) == ["a", "b"]
    delivery.configure(settings("b"))
    delivery.check_invariants()
    assert delivery.endpoints_without_head() == ()
    assert delivery.complete("a", OK, T0, 0.0).state == DeliveryState.DELIVERED
    assert delivery.complete("b", DOWN, T0, 0.0).state == DeliveryState.WAITING
    delivery.check_invariants()
    delivery.set_head(parcel("a", 2))
    assert sent_all(delivery, T0 + 6 * S) == ["b"]
    with pytest.raises(KeyError):
        delivery.complete("a", OK, T0, 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_in_any_weather_nothing_is_lost_and_every_endpoint_hears_in_order(seed: int) -> None:
    """Endpoints that come and go, answers of every kind, restarts: what is not delivered or dead still waits."""
    draw = random.Random(seed)
    names = [f"e{number}" for number in range(6)]
    rules = settings(*names, in_flight_max=3, probes_max=1, circuit_failures=3, age_max_h=4, wait_max_s=900)
    box = {(name, seq): parcel(name, seq) for name in names for seq in range(1, 30)}
    heard: dict[str, list[int]] = defaultdict(list)
    delivery, flying, now = Delivery(rules), [], T0

    def write(marks: list[DeliveryUpdate]) -> None:
        for mark in marks:
            old = box[mark.endpoint, mark.seq]
            assert old.state == DeliveryState.WAITING
            box[mark.endpoint, mark.seq] = PendingDelivery(
                mark.endpoint, old.notice, old.queued_wall_ns, mark.state, mark.attempts, mark.next_wall_ns
            )

    for _ in range(6000):
        for name in delivery.endpoints_without_head():
            waiting = [
                pending
                for pending in box.values()
                if pending.endpoint == name and pending.state == DeliveryState.WAITING
            ]
            if waiting:
                delivery.set_head(min(waiting, key=lambda pending: pending.notice.seq))
        due = delivery.due(now)
        write(due.given_up)
        flying += due.send
        assert len(flying) <= 3
        assert len({pending.endpoint for pending in flying}) == len(flying)
        delivery.check_invariants()
        if flying and draw.random() < 0.7:
            pending = flying.pop(draw.randrange(len(flying)))
            well = draw.random() < (0.9 if pending.endpoint < "e3" else 0.2)
            answer = (
                OK
                if well
                else AttemptResult(draw.choice([outcome for outcome in Outcome if outcome != Outcome.DELIVERED]))
            )
            if well:
                heard[pending.endpoint].append(pending.notice.seq)
            write([delivery.complete(pending.endpoint, answer, now, draw.random())])
        if draw.random() < 0.002:  # killed: what was on the wire was perhaps taken, and nobody knows
            for pending in flying:
                if draw.random() < 0.5:
                    heard[pending.endpoint].append(pending.notice.seq)
            delivery, flying = Delivery(rules), []
        wakeup = delivery.next_wakeup_ns(now)
        now = min(now + 30 * S, max(now + S // 100, wakeup or now + 30 * S))
    for name in names:
        assert heard[name] == sorted(heard[name]), "a later notice overtook an earlier one"
        states = {seq: box[name, seq].state for seq in range(1, 30)}
        assert DeliveryState.WAITING not in states.values()
        delivered = {seq for seq, state in states.items() if state == DeliveryState.DELIVERED}
        assert delivered <= set(heard[name])
    assert all(box[name, seq].state == DeliveryState.DELIVERED for name in ("e0", "e1", "e2") for seq in range(1, 30))
