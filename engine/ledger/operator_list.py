"""Keeps the cameras that are offline for a reason of ours (`ledger.operator_reasons`), which is no finding. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from engine.ledger.policy import Policy
from engine.model.verdict import State, Verdict


class OperatorCase(NamedTuple):
    """A camera that is announced offline, and was so for a reason of ours.

    `reason`: of the latest visit; empty if that one had another reason, or brought a picture. `seen_wall_ns`: latest
    visit with a reason of ours.
    """

    reason: str
    seen_wall_ns: int


class OperatorList:
    """The cameras that the operator must put right. `cases`: as they were before a restart, by camera id."""

    def __init__(self, cases: Mapping[str, OperatorCase] | None = None) -> None:
        self._cases = dict(cases or {})

    def observe(self, verdict: Verdict, policy: Policy) -> None:
        """Add, change or remove the camera of a verdict."""
        if verdict.announced is not State.OFFLINE:
            self._cases.pop(verdict.camera_id, None)
        elif policy.is_for_operator(verdict):
            self._cases[verdict.camera_id] = OperatorCase(verdict.reason, verdict.at_wall_ns)
        elif verdict.camera_id in self._cases:
            self._cases[verdict.camera_id] = self._cases[verdict.camera_id]._replace(reason="")

    def blames_school(self, verdict: Verdict, policy: Policy) -> bool:
        """Return whether an offline camera is to be a finding: for as long as outages take, no reason was ours.

        Call `observe` with the verdict first.
        """
        case = self._cases.get(verdict.camera_id)
        since_ns = verdict.since_wall_ns if case is None else max(verdict.since_wall_ns, case.seen_wall_ns)
        return not policy.is_for_operator(verdict) and verdict.at_wall_ns - since_ns >= policy.offline_min_ns

    def counts(self) -> Counter[str]:
        """Return the number of cameras by reason."""
        return Counter(case.reason for case in self._cases.values() if case.reason)

    def forget(self, camera_ids: Iterable[str]) -> None:
        """Remove cameras that left the registry."""
        for camera_id in camera_ids:
            self._cases.pop(camera_id, None)

    def shift(self, by_ns: int) -> None:
        """Move all times back, after the wall clock was set back by `by_ns`."""
        self._cases = {
            camera_id: case._replace(seen_wall_ns=case.seen_wall_ns - by_ns) for camera_id, case in self._cases.items()
        }
