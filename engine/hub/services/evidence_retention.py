"""Keeps the exhibits and photographs that open findings cite; those of ended findings may go when room is needed."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from engine.model.findings import LoggedEvent, Step
from engine.model.photograph import photograph_name
from engine.storage.evidence.store import EvidenceStore

_ENDING_STEPS = (Step.CLOSED, Step.DISMISSED)


class EvidenceRetention:
    """For one thread. `cited`: digests that open findings cite, by finding id, as stored at the start. `stored`:
    returns what the events of one finding cite, for one that is reopened."""

    def __init__(
        self, evidence: EvidenceStore, cited: Mapping[int, Iterable[str]], stored: Callable[[int], Iterable[str]]
    ) -> None:
        self._evidence = evidence
        self._stored = stored
        self._cited = {finding_id: list(dict.fromkeys(digests)) for finding_id, digests in cited.items()}
        for digests in self._cited.values():
            evidence.pin(digests)

    def update(self, events: Sequence[LoggedEvent]) -> None:
        """Pin what these committed events cite, and unpin what findings cited that they end."""
        for logged in events:
            event = logged.event
            cited = self._cited.setdefault(event.finding_id, [])
            again = self._stored(event.finding_id) if event.step is Step.REOPENED else ()
            digests = dict.fromkeys([*again, *event.evidence, *map(photograph_name, event.photographs)])
            new = [digest for digest in digests if digest not in cited]
            if event.step in _ENDING_STEPS:
                del self._cited[event.finding_id]
                self._evidence.unpin(cited)
            elif new:
                cited += new
                self._evidence.pin(new)
