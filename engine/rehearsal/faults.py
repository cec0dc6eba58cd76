"""What goes wrong in a rehearsal: presets, or a TOML file with the same keys. Bounded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from engine.config.setting import Section
from engine.errors import ConfigError
from engine.rehearsal.world import read_section
from engine.types import FailureReason


class PlatformRestart(Section):
    """Platforms refuse every connection for a while. `at_share`: when, as a share of the rehearsal."""

    at_share: float = Field(ge=0, le=1)
    for_s: float = Field(gt=0, le=604_800)
    platforms: int = Field(default=1, ge=1, le=10_000)


class PowerCut(Section):
    """All cameras of some counties are gone for a while."""

    at_share: float = Field(ge=0, le=1)
    for_s: float = Field(gt=0, le=604_800)
    counties: int = Field(default=1, ge=1, le=10_000)


class Storm(Section):
    """A backbone breaks: a share of all platforms is gone at once, and comes back at once."""

    at_share: float = Field(ge=0, le=1)
    for_s: float = Field(gt=0, le=604_800)
    platforms_share: float = Field(default=0.5, gt=0, le=1)


class Faults(Section):
    """The whole file. Shares are of all cameras, or of all visits where they say so."""

    offline_share: float = Field(default=0.0, ge=0, le=1)
    offline_reasons: dict[FailureReason, float] = Field(
        default={
            FailureReason.TIMEOUT_CONNECT: 40.0,
            FailureReason.REFUSED: 25.0,
            FailureReason.TIMEOUT_KEYFRAME: 15.0,
            FailureReason.UNAUTHORIZED: 10.0,
            FailureReason.NOT_FOUND: 10.0,
        },
        min_length=1,
        max_length=len(FailureReason),
    )
    flapping_share: float = Field(default=0.0, ge=0, le=1)
    flapping_up_s: float = Field(default=2400.0, gt=0, le=604_800)
    flapping_down_s: float = Field(default=600.0, gt=0, le=604_800)
    lost_share: float = Field(default=0.0, ge=0, le=0.5)
    """Visits whose answer never comes: a feeder dies with them."""
    false_look_share: float = Field(default=0.0, ge=0, le=0.5)
    """Visits of good cameras that see a fault once: somebody stands before the lens."""
    picture_faults_per_camera_day: float = Field(default=0.0, ge=0, le=100)
    picture_fault_s: float = Field(default=5400.0, gt=0, le=604_800)
    platform_restarts: tuple[PlatformRestart, ...] = Field(default=(), max_length=1000)
    power_cuts: tuple[PowerCut, ...] = Field(default=(), max_length=1000)
    storms: tuple[Storm, ...] = Field(default=(), max_length=1000)

    @field_validator("offline_reasons")
    @classmethod
    def _weighed(cls, given: dict[FailureReason, float]) -> dict[FailureReason, float]:
        for reason, share in given.items():
            if share <= 0:
                raise ValueError(f"{reason} = {share:g}: allowed: more than 0; delete the line")
        return given


_OFFLINE: dict[str, Any] = {"offline_share": 0.05}
_RESTART: dict[str, Any] = {"platform_restarts": (PlatformRestart(at_share=0.55, for_s=240),)}
_POWER_CUT: dict[str, Any] = {"power_cuts": (PowerCut(at_share=0.35, for_s=2700),)}
_STORM: dict[str, Any] = {"storms": (Storm(at_share=0.45, for_s=600),)}
_FLAPPING: dict[str, Any] = {"flapping_share": 0.01}
_PICTURES: dict[str, Any] = {"picture_faults_per_camera_day": 0.02, "false_look_share": 0.002}

PRESETS: Mapping[str, Faults] = {
    "none": Faults(),
    "offline": Faults(**_OFFLINE),
    "platform_restart": Faults(**_RESTART),
    "power_cut": Faults(**_POWER_CUT),
    "storm": Faults(**_STORM),
    "flapping": Faults(**_FLAPPING),
    "pictures": Faults(**_PICTURES),
    "all": Faults(**_OFFLINE, **_RESTART, **_POWER_CUT, **_STORM, **_FLAPPING, **_PICTURES, lost_share=0.0005),
}


def load_faults(name: str) -> Faults:
    """A preset by its name, or the faults of a file. Raises ConfigError."""
    preset = PRESETS.get(name)
    if preset is not None:
        return preset
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            f"--faults {name!r}: neither a preset nor a file; allowed: {', '.join(PRESETS)}, or a TOML file"
        )
    return read_section(path, Faults)
