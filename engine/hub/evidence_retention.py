"""What open findings refer to is held on to; what ended ones refer to may go when room is needed."""

from collections.abc import Iterable, Mapping, Sequence

from engine.model.findings import LedgerEvent, Step
from engine.storage.evidence.store import EvidenceStore

_ENDS = (Step.CLOSED, Step.DISMISSED)


class EvidenceRetention:
    """`cited`: digests by open finding, as the ledger has them at the start. For one thread."""

    def __init__(self, evidence: EvidenceStore, cited: Mapping[int, Iterable[str]]) -> None:
        self._evidence = evidence
        self._cited = {finding_id: list(dict.fromkeys(digests)) for finding_id, digests in cited.items()}
        for digests in self._cited.values():
            evidence.pin(digests)

    def hear(self, events: Sequence[LedgerEvent]) -> None:
        """Events were committed, in this order."""
        for event in events:
            cited = self._cited.setdefault(event.finding_id, [])
            new = [digest for digest in dict.fromkeys(event.evidence) if digest not in cited]
            if event.step in _ENDS:
                del self._cited[event.finding_id]
                self._evidence.unpin(cited)
            elif new:
                cited += new
                self._evidence.pin(new)
