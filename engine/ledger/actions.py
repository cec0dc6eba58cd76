"""What follows from a step of the ledger: an event to store, or a camera to visit."""

from dataclasses import dataclass

from engine.model.findings import RecordedEvent


@dataclass(frozen=True, slots=True)
class RecheckRequest:
    """A request to visit the camera of a finding as soon as the caps allow. `reads`: and to read its clock and name
    then."""

    camera_id: str
    finding_id: int
    reads: bool = False


Action = RecordedEvent | RecheckRequest
