"""Decides when each notice is sent to each endpoint: at least once, in order, with bounded retries. Pure.

Each endpoint has one delivery at its head; the next follows when that one is delivered or given up. Waits double with
every failure. An endpoint that keeps failing has its circuit opened, so that it cannot take the slots of the others.
Times are since 1970 UTC, as waits outlive a restart; a clock that jumps back costs at most one longest wait.
"""

from dataclasses import dataclass, field

from engine.clock import ns
from engine.config.notices import NoticesSettings
from engine.model.notice import LAST_ERROR_CHARS_MAX, DeliveryState, DeliveryUpdate, PendingDelivery
from engine.notices.attempt import AttemptResult, Outcome

_S_PER_H = 3600
_NEVER_NS = 1 << 62
_DOUBLINGS_MAX = 40
EXPIRED = "expired"
"""Error of a delivery that was given up because it waited too long."""


@dataclass(slots=True)
class EndpointState:
    """The state of one endpoint.

    `head`: the delivery that is being attempted; None if there is none. `not_before_ns`: earliest time of the next
    attempt. `undelivered`: attempts in a row without a delivery; `failures`: those of them, in a row, that count for
    the circuit. `refusals`: of the head. `circuit_open`: while it is open, the endpoint has only a share of the slots.
    """

    name: str
    head: PendingDelivery | None = None
    in_flight: bool = False
    not_before_ns: int = 0
    undelivered: int = 0
    failures: int = 0
    refusals: int = 0
    circuit_open: bool = False
    configured: bool = True


@dataclass(slots=True)
class Due:
    """What the caller is to do now. `send`: deliveries to attempt; `given_up`: updates to store."""

    send: list[PendingDelivery] = field(default_factory=list)
    given_up: list[DeliveryUpdate] = field(default_factory=list)


@dataclass(slots=True)
class _Slots:
    """Attempts that may begin: in all, and those of them to endpoints whose circuit is open."""

    free: int
    free_probes: int

    def has_room(self, endpoint: EndpointState) -> bool:
        return self.free > 0 and (not endpoint.circuit_open or self.free_probes > 0)

    def acquire(self, endpoint: EndpointState) -> None:
        self.free -= 1
        self.free_probes -= endpoint.circuit_open


class Delivery:
    """The delivery policy of all endpoints.

    The caller sets the heads of `endpoints_without_head`, sends what is `due`, reports each attempt to `complete`, and
    stores the updates.
    """

    def __init__(self, settings: NoticesSettings) -> None:
        self._endpoints: dict[str, EndpointState] = {}
        self._next_start_ns = 0
        self.configure(settings)

    def configure(self, settings: NoticesSettings) -> None:
        """Apply new settings. Endpoints that were removed are dropped, once their attempt in flight has ended."""
        self._settings = settings
        names = {endpoint.name for endpoint in settings.endpoints}
        for name in names:
            self._endpoints.setdefault(name, EndpointState(name)).configured = True
        for endpoint in list(self._endpoints.values()):
            if endpoint.name not in names:
                endpoint.configured = False
                if not endpoint.in_flight:
                    del self._endpoints[endpoint.name]

    def endpoints_without_head(self) -> tuple[str, ...]:
        """Return the endpoints for which the oldest waiting delivery is to be fetched."""
        return tuple(
            endpoint.name for endpoint in self._endpoints.values() if endpoint.head is None and endpoint.configured
        )

    def set_head(self, delivery: PendingDelivery) -> None:
        """Put a delivery at the head of its endpoint. One that was attempted before a restart continues its waits.

        Does nothing if the endpoint is not configured, or has a head.
        """
        endpoint = self._endpoints.get(delivery.endpoint)
        if endpoint is None or not endpoint.configured or endpoint.head is not None:
            return  # fetched before the endpoint was removed
        endpoint.head = delivery
        endpoint.refusals = 0
        if delivery.attempts and not endpoint.undelivered:
            endpoint.undelivered = endpoint.failures = delivery.attempts
            endpoint.circuit_open = delivery.attempts >= self._settings.circuit_failures
            endpoint.not_before_ns = delivery.next_wall_ns

    def due(self, now_ns: int) -> Due:
        """Return what to send now, and what is given up without being sent."""
        due = Due()
        self._clamp_waits(now_ns)
        for endpoint in self._idle():
            head = endpoint.head
            if head is not None and now_ns >= self._expires_ns(endpoint, head):
                due.given_up.append(_update(head, DeliveryState.DEAD, f"{EXPIRED}; {head.last_error}".rstrip("; ")))
                endpoint.head = None
        ready = [endpoint for endpoint in self._idle() if endpoint.not_before_ns <= now_ns]
        slots = self._slots()
        for endpoint in sorted(ready, key=_send_order):
            head = endpoint.head
            if head is None or not slots.has_room(endpoint) or self._next_start_ns > now_ns:
                continue
            endpoint.in_flight = True
            slots.acquire(endpoint)
            self._next_start_ns = now_ns + ns(1 / self._settings.per_s_max)
            due.send.append(head)
        return due

    def complete(self, endpoint_name: str, result: AttemptResult, now_ns: int, jitter: float) -> DeliveryUpdate:
        """Record the result of an attempt; return the update to store.

        `jitter`: 0 to 1, drawn anew for each attempt; it takes up to half of the next wait away. Raises KeyError if the
        endpoint is not known, ValueError if nothing was in flight to it.
        """
        endpoint = self._endpoints[endpoint_name]
        head = endpoint.head
        if head is None or not endpoint.in_flight:
            raise ValueError(f"endpoint {endpoint_name}: nothing was in flight")
        endpoint.in_flight = False
        update = self._apply(endpoint, head, result, now_ns, jitter)
        if not endpoint.configured:
            del self._endpoints[endpoint_name]
        return update

    def next_wakeup_ns(self, now_ns: int) -> int | None:
        """Return when `due` may have something new; None if that needs a new head or the end of an attempt."""
        slots = self._slots()
        moments = [
            min(
                max(endpoint.not_before_ns, self._next_start_ns), max(now_ns, self._expires_ns(endpoint, endpoint.head))
            )
            for endpoint in self._idle()
            if endpoint.head is not None and (endpoint.not_before_ns > now_ns or slots.has_room(endpoint))
        ]
        return min(moments, default=None)

    def circuits_open(self) -> tuple[str, ...]:
        """Return the endpoints whose circuit is open."""
        return tuple(endpoint.name for endpoint in self._endpoints.values() if endpoint.circuit_open)

    def check_invariants(self) -> None:
        """Raise AssertionError if the state of an endpoint is inconsistent."""
        for endpoint in self._endpoints.values():
            assert endpoint.head is None or endpoint.head.endpoint == endpoint.name, endpoint  # noqa: S101
            assert not endpoint.in_flight or endpoint.head is not None, endpoint  # noqa: S101
            assert endpoint.configured or endpoint.in_flight, endpoint  # noqa: S101
            assert endpoint.failures <= endpoint.undelivered, endpoint  # noqa: S101

    def _apply(
        self, endpoint: EndpointState, head: PendingDelivery, result: AttemptResult, now_ns: int, jitter: float
    ) -> DeliveryUpdate:
        attempted = PendingDelivery(
            head.endpoint,
            head.notice,
            head.queued_wall_ns,
            attempts=head.attempts + 1,
            last_error=f"{result.outcome}: {result.detail}".removesuffix(": ")[:LAST_ERROR_CHARS_MAX],
        )
        if result.outcome == Outcome.DELIVERED:
            endpoint.head, endpoint.circuit_open = None, False
            endpoint.undelivered = endpoint.failures = 0
            endpoint.not_before_ns = now_ns  # endpoints that have waited longer send before its next delivery
            return _update(attempted, DeliveryState.DELIVERED, "")
        endpoint.undelivered += 1
        if result.outcome.counts_for_circuit:
            endpoint.failures += 1
        else:
            endpoint.failures, endpoint.circuit_open = 0, False  # it answers
        if result.outcome == Outcome.GONE or endpoint.failures >= self._settings.circuit_failures:
            endpoint.circuit_open = True
        if result.outcome == Outcome.REFUSED:
            endpoint.refusals += 1
            if endpoint.refusals >= self._settings.refusals_max:
                endpoint.head, endpoint.undelivered, endpoint.not_before_ns = None, 0, now_ns
                return _update(attempted, DeliveryState.DEAD, attempted.last_error)
        endpoint.not_before_ns = now_ns + self._wait_ns(endpoint, result, jitter)
        endpoint.head = attempted
        return _update(attempted, DeliveryState.WAITING, attempted.last_error, endpoint.not_before_ns)

    def _wait_ns(self, endpoint: EndpointState, result: AttemptResult, jitter: float) -> int:
        settings = self._settings
        if result.retry_after_ns is not None:
            longest_ns = ns(settings.retry_after_max_s)
            return min(max(result.retry_after_ns, ns(settings.wait_first_s)), longest_ns)
        wait_s = settings.wait_max_s
        if result.outcome != Outcome.GONE:
            wait_s = min(wait_s, settings.wait_first_s * 2 ** min(endpoint.undelivered - 1, _DOUBLINGS_MAX))
        return ns(wait_s * (1 - jitter / 2))

    def _idle(self) -> list[EndpointState]:
        """Return the endpoints that have a head and no attempt in flight."""
        return [
            endpoint for endpoint in self._endpoints.values() if endpoint.head is not None and not endpoint.in_flight
        ]

    def _slots(self) -> "_Slots":
        in_flight = [endpoint.circuit_open for endpoint in self._endpoints.values() if endpoint.in_flight]
        settings = self._settings
        return _Slots(settings.in_flight_max - len(in_flight), settings.probes_max - sum(in_flight))

    def _expires_ns(self, endpoint: EndpointState, head: PendingDelivery) -> int:
        """Return when a delivery is given up; never before its first attempt, unless the circuit is open.

        So after days of standstill every delivery is attempted once.
        """
        if not head.attempts and not endpoint.circuit_open:
            return _NEVER_NS
        return head.queued_wall_ns + ns(self._settings.age_max_h * _S_PER_H)

    def _clamp_waits(self, now_ns: int) -> None:
        """Shorten waits beyond the longest allowed one: they were computed before the clock jumped back."""
        longest_ns = now_ns + ns(max(self._settings.wait_max_s, self._settings.retry_after_max_s))
        for endpoint in self._endpoints.values():
            endpoint.not_before_ns = min(endpoint.not_before_ns, longest_ns)
        self._next_start_ns = min(self._next_start_ns, now_ns + ns(1 / self._settings.per_s_max))


def _update(delivery: PendingDelivery, state: DeliveryState, error: str, next_wall_ns: int = 0) -> DeliveryUpdate:
    return DeliveryUpdate(delivery.endpoint, delivery.notice.seq, state, delivery.attempts, next_wall_ns, error)


def _send_order(endpoint: EndpointState) -> tuple[int, str]:
    return endpoint.not_before_ns, endpoint.name
