"""Finds the open findings of a camera by the family of their fault; a camera has one of each family at most. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.model.faults import family_of_cause_key
from engine.model.findings import Finding

_NONE: Mapping[str, int] = MappingProxyType({})


class CameraIndex:
    """The ids of open findings by camera and family."""

    def __init__(self) -> None:
        self._cameras: dict[str, dict[str, int]] = {}

    def add(self, finding: Finding) -> None:
        """Add a finding, or replace the one of its family."""
        subject = finding.subject
        self._cameras.setdefault(subject.camera_id, {})[family_of_cause_key(subject.cause_key)] = finding.finding_id

    def remove(self, finding: Finding) -> None:
        """Remove a finding that is there."""
        subject = finding.subject
        by_family = self._cameras[subject.camera_id]
        del by_family[family_of_cause_key(subject.cause_key)]
        if not by_family:
            del self._cameras[subject.camera_id]

    def of(self, camera_id: str) -> Mapping[str, int]:
        """Return the ids of a camera's findings by family; it changes when findings are added and removed."""
        return self._cameras.get(camera_id, _NONE)

    def like(self, finding: Finding) -> int | None:
        """Return the id of the open finding of the same camera and family; None if there is none."""
        return self.of(finding.subject.camera_id).get(family_of_cause_key(finding.subject.cause_key))
