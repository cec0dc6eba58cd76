"""Defines what goes wrong in a simulation: presets, or a TOML file with the same keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import field_validator

from engine.config.reading.toml_section import read_section
from engine.config.setting import Section, key
from engine.errors import ConfigError
from engine.model.visit import FailureReason


def _at_share() -> Any:
    return key(..., "When it begins, as a share of the simulated time.", ge=0, le=1)


def _for_s() -> Any:
    return key(..., "How long it lasts.", unit="s", gt=0, le=604_800)


class PlatformRestart(Section):
    """Platforms refuse every connection for a while."""

    at_share: float = _at_share()
    for_s: float = _for_s()
    platforms: int = key(1, "How many of them, drawn at random.", ge=1, le=10_000)


class PowerCut(Section):
    """All cameras of some counties are gone for a while."""

    at_share: float = _at_share()
    for_s: float = _for_s()
    counties: int = key(1, "How many of them, drawn at random.", ge=1, le=10_000)


class Storm(Section):
    """A backbone fails: a share of all platforms is gone at once, and comes back at once."""

    at_share: float = _at_share()
    for_s: float = _for_s()
    platforms_share: float = key(
        0.5, "Share of the platforms that are gone, rounded, at least one platform.", gt=0, le=1
    )


class Faults(Section):
    """The whole file. Shares are of all cameras, or of all visits where the key says so."""

    offline_share: float = key(0.0, "Cameras that never answer.", ge=0, le=1)
    offline_reasons: dict[FailureReason, float] = key(
        {
            FailureReason.TIMEOUT_CONNECT: 40.0,
            FailureReason.REFUSED: 25.0,
            FailureReason.TIMEOUT_KEYFRAME: 15.0,
            FailureReason.UNAUTHORIZED: 10.0,
            FailureReason.NOT_FOUND: 10.0,
        },
        "Why they do not answer, by relative shares; your own table replaces this one entirely.",
        min_length=1,
        max_length=len(FailureReason),
    )
    flapping_share: float = key(0.0, "Cameras that come and go (timeout_keyframe).", ge=0, le=1)
    flapping_up_s: float = key(
        2400.0, "How long they stay, on average; half to one and a half times this.", unit="s", gt=0, le=604_800
    )
    flapping_down_s: float = key(600.0, "How long they are away, likewise.", unit="s", gt=0, le=604_800)
    lost_share: float = key(0.0, "Visits whose answer never comes: a feeder dies with them.", ge=0, le=0.5)
    false_look_share: float = key(
        0.0, "Visits to good pictures that see a fault: somebody stands before the lens.", ge=0, le=0.5
    )
    picture_faults_per_camera_day: float = key(0.0, "Real faults in pictures, evenly over the day.", ge=0, le=100)
    picture_fault_s: float = key(5400.0, "How long each lasts.", unit="s", gt=0, le=604_800)
    platform_restarts: tuple[PlatformRestart, ...] = key(
        (), "Platforms refuse every connection for a while (refused).", max_length=1000
    )
    power_cuts: tuple[PowerCut, ...] = key(
        (), "All cameras of some counties are gone for a while (timeout_connect).", max_length=1000
    )
    storms: tuple[Storm, ...] = key(
        (), "A share of the platforms is gone at once and comes back at once (timeout_connect).", max_length=1000
    )

    @field_validator("offline_reasons")
    @classmethod
    def _positive(cls, given: dict[FailureReason, float]) -> dict[FailureReason, float]:
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
    """Return a preset by its name, or the faults of a file. Raises ConfigError if there is neither, and with each wrong
    entry of the file.
    """
    preset = PRESETS.get(name)
    if preset is not None:
        return preset
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            f"--faults {name!r}: neither a preset nor a file; allowed: {', '.join(PRESETS)}, or a TOML file"
        )
    return read_section(path, Faults)
