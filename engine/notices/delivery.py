"""When which notice is sent to whom: at least once, in order for each endpoint, stubbornly but bounded. Pure.

Each endpoint has one parcel at its head; the next comes when that is delivered or given up. Waits double with every
failure, an open circuit keeps a dead endpoint from taking the slots of the others. Times are since 1970 UTC, as waits
outlive a restart; a clock that jumps back costs one longest wait.
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
"""Why a parcel was given up that waited too long."""


@dataclass(slots=True)
class EndpointState:
    """One endpoint. `failures`: in a row, that count for the circuit; `streak`: attempts in a row without delivery."""

    name: str
    parcel: PendingDelivery | None = None
    in_flight: bool = False
    not_before_ns: int = 0
    streak: int = 0
    failures: int = 0
    refusals: int = 0
    open: bool = False
    """The circuit: while it is open, the endpoint has but a share of the slots."""
    configured: bool = True


@dataclass(slots=True)
class Due:
    """What is to be done now."""

    send: list[PendingDelivery] = field(default_factory=list)
    given_up: list[DeliveryUpdate] = field(default_factory=list)


@dataclass(slots=True)
class _Slots:
    """Attempts that may begin: in all, and of these to endpoints whose circuit is open."""

    free: int
    free_probes: int

    def has_room(self, link: EndpointState) -> bool:
        return self.free > 0 and (not link.open or self.free_probes > 0)

    def take(self, link: EndpointState) -> None:
        self.free -= 1
        self.free_probes -= link.open


class Delivery:
    """The policy over all endpoints. The caller sends what is `due`, says how it `ended`, and writes the marks down."""

    def __init__(self, settings: NoticesSettings) -> None:
        self._links: dict[str, EndpointState] = {}
        self._next_start_ns = 0
        self.configure(settings)

    def configure(self, settings: NoticesSettings) -> None:
        """New settings. Endpoints that are no longer there are forgotten, once what is in flight has ended."""
        self._settings = settings
        names = {one.name for one in settings.endpoints}
        for name in names:
            self._links.setdefault(name, EndpointState(name)).configured = True
        for link in list(self._links.values()):
            if link.name not in names:
                link.configured = False
                if not link.in_flight:
                    del self._links[link.name]

    def wanting(self) -> tuple[str, ...]:
        """Endpoints without a parcel at their head, for which the oldest that waits is to be fetched."""
        return tuple(link.name for link in self._links.values() if link.parcel is None and link.configured)

    def take(self, parcel: PendingDelivery) -> None:
        """Put a parcel at the head of its endpoint. One that was tried before a restart goes on where it was."""
        link = self._links.get(parcel.endpoint)
        if link is None or not link.configured or link.parcel is not None:
            return  # asked for before the endpoint was taken away
        link.parcel = parcel
        link.refusals = 0
        if parcel.attempts and not link.streak:
            link.streak = link.failures = parcel.attempts
            link.open = parcel.attempts >= self._settings.circuit_failures
            link.not_before_ns = parcel.next_wall_ns

    def due(self, now_ns: int) -> Due:
        """What to send now, and what is given up without being sent."""
        due = Due()
        self._forgive_a_jump(now_ns)
        for link in self._idle():
            if link.parcel is not None and now_ns >= self._expires_ns(link, link.parcel):
                due.given_up.append(
                    _update(link.parcel, DeliveryState.DEAD, f"{EXPIRED}; {link.parcel.last_error}".rstrip("; "))
                )
                link.parcel = None
        ready = [one for one in self._idle() if one.not_before_ns <= now_ns]
        slots = self._slots()
        for link, parcel in sorted(((one, one.parcel) for one in ready), key=lambda pair: _send_order(pair[0])):
            if parcel is None or not slots.has_room(link) or self._next_start_ns > now_ns:
                continue
            link.in_flight = True
            slots.take(link)
            self._next_start_ns = now_ns + ns(1 / self._settings.per_s_max)
            due.send.append(parcel)
        return due

    def ended(self, endpoint: str, answer: AttemptResult, now_ns: int, jitter: float) -> DeliveryUpdate:
        """An attempt came to this. `jitter`, 0 to 1, is drawn anew each time: it takes up to half of a wait away."""
        link = self._links[endpoint]
        parcel = link.parcel
        if parcel is None or not link.in_flight:
            raise ValueError(f"endpoint {endpoint}: nothing was in flight")
        link.in_flight = False
        mark = self._judge(link, parcel, answer, now_ns, jitter)
        if not link.configured:
            del self._links[endpoint]
        return mark

    def next_wakeup_ns(self, now_ns: int) -> int | None:
        """When `due` may have something new; None if only news from outside can bring it."""
        slots = self._slots()
        moments = [
            min(max(link.not_before_ns, self._next_start_ns), max(now_ns, self._expires_ns(link, link.parcel)))
            for link in self._idle()
            if link.parcel is not None and (link.not_before_ns > now_ns or slots.has_room(link))
        ]
        return min(moments, default=None)

    def circuits_open(self) -> tuple[str, ...]:
        """Endpoints whose circuit is open."""
        return tuple(link.name for link in self._links.values() if link.open)

    def check_invariants(self) -> None:
        """Raises AssertionError where the books do not agree."""
        for link in self._links.values():
            assert link.parcel is None or link.parcel.endpoint == link.name, link  # noqa: S101
            assert not link.in_flight or link.parcel is not None, link  # noqa: S101
            assert link.configured or link.in_flight, link  # noqa: S101
            assert link.failures <= link.streak, link  # noqa: S101

    def _judge(
        self, link: EndpointState, parcel: PendingDelivery, answer: AttemptResult, now_ns: int, jitter: float
    ) -> DeliveryUpdate:
        tried = PendingDelivery(
            parcel.endpoint,
            parcel.notice,
            parcel.queued_wall_ns,
            attempts=parcel.attempts + 1,
            last_error=f"{answer.outcome}: {answer.detail}".removesuffix(": ")[:LAST_ERROR_CHARS_MAX],
        )
        if answer.outcome == Outcome.DELIVERED:
            link.parcel, link.open = None, False
            link.streak = link.failures = 0
            link.not_before_ns = now_ns  # those that wait longer have their turn before its next
            return _update(tried, DeliveryState.DELIVERED, "")
        link.streak += 1
        if answer.outcome.counts_for_circuit:
            link.failures += 1
        else:
            link.failures, link.open = 0, False  # it answers
        if answer.outcome == Outcome.GONE or link.failures >= self._settings.circuit_failures:
            link.open = True
        if answer.outcome == Outcome.REFUSED:
            link.refusals += 1
            if link.refusals >= self._settings.refusals_max:
                link.parcel, link.streak, link.not_before_ns = None, 0, now_ns
                return _update(tried, DeliveryState.DEAD, tried.last_error)
        link.not_before_ns = now_ns + self._wait_ns(link, answer, jitter)
        link.parcel = tried
        return _update(tried, DeliveryState.WAITING, tried.last_error, link.not_before_ns)

    def _wait_ns(self, link: EndpointState, answer: AttemptResult, jitter: float) -> int:
        settings = self._settings
        if answer.retry_after_ns is not None:
            longest_ns = ns(settings.retry_after_max_s)
            return min(max(answer.retry_after_ns, ns(settings.wait_first_s)), longest_ns)
        wait_s = settings.wait_max_s
        if answer.outcome != Outcome.GONE:
            wait_s = min(wait_s, settings.wait_first_s * 2 ** min(link.streak - 1, _DOUBLINGS_MAX))
        return ns(wait_s * (1 - jitter / 2))

    def _idle(self) -> list[EndpointState]:
        """Endpoints that have something to send and are not at it."""
        return [one for one in self._links.values() if one.parcel is not None and not one.in_flight]

    def _slots(self) -> "_Slots":
        flying = [one.open for one in self._links.values() if one.in_flight]
        settings = self._settings
        return _Slots(settings.in_flight_max - len(flying), settings.probes_max - sum(flying))

    def _expires_ns(self, link: EndpointState, parcel: PendingDelivery) -> int:
        """When a parcel is given up: tried at least once, or on a way that is known to be shut.

        So after days of standstill all are sent once.
        """
        if not parcel.attempts and not link.open:
            return _NEVER_NS
        return parcel.queued_wall_ns + ns(self._settings.age_max_h * _S_PER_H)

    def _forgive_a_jump(self, now_ns: int) -> None:
        """No wait is longer than the longest: what says so was reckoned by a clock that was ahead."""
        longest_ns = now_ns + ns(max(self._settings.wait_max_s, self._settings.retry_after_max_s))
        for link in self._links.values():
            link.not_before_ns = min(link.not_before_ns, longest_ns)
        self._next_start_ns = min(self._next_start_ns, now_ns + ns(1 / self._settings.per_s_max))


def _update(parcel: PendingDelivery, state: DeliveryState, error: str, next_wall_ns: int = 0) -> DeliveryUpdate:
    return DeliveryUpdate(parcel.endpoint, parcel.notice.seq, state, parcel.attempts, next_wall_ns, error)


def _send_order(link: EndpointState) -> tuple[int, str]:
    return link.not_before_ns, link.name
