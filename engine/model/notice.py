"""Nouns of notices (通报) on their way: what waits to be told, to whom, and what became of it. Times since 1970 UTC."""

from dataclasses import dataclass
from enum import StrEnum

from engine.model.findings import TOLD, Step

FINDING_KINDS = tuple(f"finding.{step}" for step in Step if step in TOLD)
OPENED = f"finding.{Step.OPENED}"
VERDICT_CHANGED = "verdict.changed"
"""The announced state of a camera is another one."""
TEST = "test"
"""Of `patrol notices test`; it is in no outbox, and every endpoint takes it."""
NOTICE_KINDS = (*FINDING_KINDS, VERDICT_CHANGED)

LAST_ERROR_CHARS_MAX = 300
PRUNE_ROWS = 1000
"""Rows of one kind that go in one step."""


class DeliveryState(StrEnum):
    """Where a notice stands on its way to one endpoint."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; `patrol notices replay` sends it on its way again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One row of the outbox, written in the transaction of the event it tells of, and never changed.

    `seq` rises in the order of commits. `kind`: one of NOTICE_KINDS. `finding_id`, `number`: the ledger's event; 0
    where it is about none. `region`: GB/T 2260, of the camera. `body`: the event's data, a JSON object.
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
    """A notice on its way to one endpoint. `queued_wall_ns`: since when it waits; `next_wall_ns`: not sent before."""

    endpoint: str
    notice: Notice
    queued_wall_ns: int
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    next_wall_ns: int = 0
    last_error: str = ""

    @property
    def name(self) -> str:
        """What people call it by: `county/1234`."""
        return f"{self.endpoint}/{self.notice.seq}"


@dataclass(frozen=True, slots=True)
class DeliveryUpdate:
    """What became of a parcel: where it stands now, how often it was sent, when it may be sent again."""

    endpoint: str
    seq: int
    state: DeliveryState
    attempts: int
    next_wall_ns: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one endpoint, and since when the oldest does; what was given up."""

    waiting: int = 0
    oldest_wall_ns: int = 0
    dead: int = 0
