"""Settings of the ledger: who must mend what by when, and what counts as mended."""

from typing import Annotated, Literal

from pydantic import Field

from engine.config.setting import Section, key
from engine.model.findings import Level
from engine.model.verdict import Severity

Hours = Annotated[float, Field(gt=0, le=8760)]


class RegionPolicy(Section):
    """What a region has otherwise; what it does not name is as everywhere."""

    region: str = key(
        ...,
        "GB/T 2260, of 2, 4 or 6 digits; holds for all it contains; of several the longest.",
        pattern=r"^(\d{2}){1,3}$",
    )
    first_level: dict[Severity, Level] = key({}, "Who is responsible first, by severity.")
    blind_hours: dict[Level, Hours] = key({}, "Time to mend what blinds a camera, by level.", unit="h")
    impaired_hours: dict[Level, Hours] = key({}, "The same for what impairs it.", unit="h")
    cosmetic_hours: dict[Level, Hours] = key({}, "The same for what is cosmetic.", unit="h")


class LedgerSettings(Section):
    """Findings: levels, deadlines, claims and re-checks; docs/ledger.md has the model."""

    first_level: dict[Severity, Level] = key(
        dict.fromkeys(Severity, Level.SCHOOL),
        "Who is responsible first, by severity (blind, impaired, cosmetic): school, county, city or province.",
    )
    blind_hours: dict[Level, Hours] = key(
        {Level.SCHOOL: 24.0, Level.COUNTY: 24.0, Level.CITY: 48.0, Level.PROVINCE: 72.0},
        "Time to mend what blinds a camera, by level, each from when it becomes responsible; up to 8760.",
        unit="h",
    )
    impaired_hours: dict[Level, Hours] = key(
        {Level.SCHOOL: 72.0, Level.COUNTY: 48.0, Level.CITY: 48.0, Level.PROVINCE: 72.0},
        "The same for what impairs it.",
        unit="h",
    )
    cosmetic_hours: dict[Level, Hours] = key(
        {Level.SCHOOL: 168.0, Level.COUNTY: 120.0, Level.CITY: 120.0, Level.PROVINCE: 168.0},
        "The same for what is cosmetic.",
        unit="h",
    )
    regions: tuple[RegionPolicy, ...] = key(
        (), "Regions that have it otherwise; a table `[[ledger.regions]]` each.", max_length=10_000
    )
    supervised_level: Literal["county", "city", "province", "never"] = key(
        "city", "A finding that is escalated to this level or above is supervised from then on."
    )
    offline_min_h: float = key(
        0.5, "A camera that is announced offline is a finding after this; outages are shorter.", unit="h", ge=0, le=8760
    )
    settle_h: float = key(
        4.0,
        "A fault that went away unclaimed: the engine claims it mended once the camera was announced ok so long.",
        unit="h",
        ge=0,
        le=8760,
    )
    recheck_n: int = key(2, "Looks that must be good out of `recheck_m` after a claim.", unit="looks", ge=1, le=20)
    recheck_m: int = key(3, "Looks after a claim that decide it.", unit="looks", ge=1, le=20)
    recheck_spacing_s: float = key(
        30.0, "Between two looks of a re-check; doubles after each that tells nothing, up to an hour.", unit="s", ge=1,
        le=3600,
    )  # fmt: skip
    recheck_max_h: float = key(24.0, "A re-check that is not decided by then has failed.", unit="h", gt=0, le=8760)
