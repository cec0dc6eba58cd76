"""Settings of the ledger: who must mend a fault by when, and what counts as mended."""

from typing import Annotated, Literal

from pydantic import Field

from engine.config.setting import Section, key
from engine.model.findings import Level
from engine.model.verdict import FaultKind, Severity
from engine.model.visit import FailureReason

Hours = Annotated[float, Field(gt=0, le=8760)]
DismissedKind = FaultKind | Literal["offline"]


class RegionPolicy(Section):
    """Settings of one region; whatever it leaves out is as everywhere."""

    region: str = key(
        ...,
        "GB/T 2260 code of 2, 4 or 6 digits. It holds for everything in the region; the longest matching code decides.",
        pattern=r"^(\d{2}){1,3}$",
    )
    first_level: dict[Severity, Level] = key({}, "Level that is responsible first, by severity.")
    blind_hours: dict[Level, Hours] = key({}, "Time to mend a fault that blinds a camera, by level.", unit="h")
    impaired_hours: dict[Level, Hours] = key({}, "Time to mend a fault that impairs a camera, by level.", unit="h")
    cosmetic_hours: dict[Level, Hours] = key({}, "Time to mend a cosmetic fault, by level.", unit="h")


class LedgerSettings(Section):
    """Findings: levels, deadlines, claims and re-checks; docs/ledger.md has the model."""

    first_level: dict[Severity, Level] = key(
        dict.fromkeys(Severity, Level.SCHOOL),
        "Level that is responsible first (school, county, city or province), by severity (blind, impaired, cosmetic).",
    )
    blind_hours: dict[Level, Hours] = key(
        {Level.SCHOOL: 24.0, Level.COUNTY: 24.0, Level.CITY: 48.0, Level.PROVINCE: 72.0},
        "Time to mend a fault that blinds a camera, by level, each from when the level becomes responsible; at "
        "most 8760.",
        unit="h",
    )
    impaired_hours: dict[Level, Hours] = key(
        {Level.SCHOOL: 72.0, Level.COUNTY: 48.0, Level.CITY: 48.0, Level.PROVINCE: 72.0},
        "Time to mend a fault that impairs a camera, by level, in the same way.",
        unit="h",
    )
    cosmetic_hours: dict[Level, Hours] = key(
        {Level.SCHOOL: 168.0, Level.COUNTY: 120.0, Level.CITY: 120.0, Level.PROVINCE: 168.0},
        "Time to mend a cosmetic fault, by level, in the same way.",
        unit="h",
    )
    regions: tuple[RegionPolicy, ...] = key(
        (), "Regions with other settings; one table `[[ledger.regions]]` each.", max_length=10_000
    )
    supervised_level: Literal["county", "city", "province", "never"] = key(
        "city", "A finding that is escalated to this level or above becomes supervised."
    )
    inspector_dismiss_severity: Literal["blind", "impaired", "cosmetic", "never"] = key(
        "cosmetic",
        "An inspector may dismiss a finding of this severity or a milder one; what is more severe needs an operator.",
    )
    inspector_dismiss_kinds: tuple[DismissedKind, ...] = key(
        (),
        "Fault kinds (docs/measuring.md), or `offline`, that an inspector may dismiss whatever their severity.",
        max_length=32,
    )
    reopen_hours: float = key(
        24.0,
        "A person's dismissal of a finding can be undone for this long, by an operator; 0: never.",
        unit="h",
        ge=0,
        le=168,
    )
    offline_min_h: float = key(
        0.5,
        "A camera becomes a finding once it has been announced offline for this long; outages are shorter.",
        unit="h",
        ge=0,
        le=8760,
    )
    operator_reasons: tuple[FailureReason, ...] = key(
        (
            FailureReason.UNAUTHORIZED,
            FailureReason.UNSUPPORTED_CODEC,
            FailureReason.SOURCE_REFUSED,
            FailureReason.REDIRECT_REFUSED,
            FailureReason.INTERNAL,
        ),
        "Reasons for being offline that lie with us (a password or an address in our registry, a codec that the engine "
        "does not take, a network that it may not enter, a bug): such a camera is announced offline and counted by "
        "the KPIs, but is no finding. It is on the operator's list, `patrol cameras list --operator`.",
        max_length=len(FailureReason),
    )
    settle_h: float = key(
        4.0,
        "If a fault goes away without a claim, the engine claims it mended once the camera has been announced ok "
        "for this long.",
        unit="h",
        ge=0,
        le=8760,
    )
    recheck_n: int = key(
        2, "Number of checks, of the `recheck_m` after a claim, that must be good.", unit="checks", ge=1, le=20
    )
    recheck_m: int = key(3, "Number of checks after a claim that decide it.", unit="checks", ge=1, le=20)
    recheck_spacing_s: float = key(
        30.0,
        "Time between two checks of a re-check; it doubles after each inconclusive one, up to an hour.",
        unit="s",
        ge=1,
        le=3600,
    )
    recheck_max_h: float = key(
        24.0, "A re-check that is undecided after this time has failed.", unit="h", gt=0, le=8760
    )
