"""Types of notices (通报) and of their delivery to endpoints. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from engine.model.findings import PUBLISHED_STEPS, Step

FINDING_KINDS = tuple(f"finding.{step}" for step in Step if step in PUBLISHED_STEPS)
OPENED = f"finding.{Step.OPENED}"
VERDICT_CHANGED = "verdict.changed"
"""Kind of a notice that the announced state of a camera changed."""
TEST = "test"
"""Kind of the notice that `patrol notices test` sends; it is never in the outbox and goes to any endpoint."""
NOTICE_KINDS = (*FINDING_KINDS, VERDICT_CHANGED)

LAST_ERROR_CHARS_MAX = 300
PRUNE_ROWS = 1000
"""Most rows of one kind that one step of pruning deletes."""


class DeliveryState(StrEnum):
    """The state of one delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; `patrol notices replay` queues it again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One row of the outbox. It is written in the transaction of the event it is about, and never changed.

    `seq`: increases in the order of commits. `kind`: one of NOTICE_KINDS, or TEST. `finding_id`, `number`: the ledger
    event; 0 if the notice is about no finding. `at_wall_ns`: time of the event. `region`: GB/T 2260 code of the camera.
    `body`: the data of the event, a JSON object.
    """

    seq: int
    kind: str
    finding_id: int
    number: int
    at_wall_ns: int
    region: str
    body: str


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A notice to be delivered to one endpoint.

    `endpoint`: its name in the configuration. `queued_wall_ns`: when it was queued. `attempts`: made so far.
    `next_wall_ns`: earliest time of the next attempt; 0 means at once. `last_error`: of the latest failed attempt, at
    most LAST_ERROR_CHARS_MAX characters; empty before any.
    """

    endpoint: str
    notice: Notice
    queued_wall_ns: int
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    next_wall_ns: int = 0
    last_error: str = ""

    @property
    def name(self) -> str:
        """The name of the delivery in commands and lists, like `county/1234`."""
        return f"{self.endpoint}/{self.notice.seq}"


@dataclass(frozen=True, slots=True)
class DeliveryUpdate:
    """The new state of a delivery, to be stored. Fields as in PendingDelivery; `seq`: that of the notice."""

    endpoint: str
    seq: int
    state: DeliveryState
    attempts: int
    next_wall_ns: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The deliveries of one endpoint.

    `waiting`: not delivered yet; `oldest_wall_ns`: when the oldest of them was queued, 0 if there is none. `dead`:
    deliveries given up.
    """

    waiting: int = 0
    oldest_wall_ns: int = 0
    dead: int = 0
