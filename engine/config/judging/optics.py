"""Thresholds of the judge for what is before the lens or wrong with it."""

from engine.config.setting import Section, key


class OpticsThresholds(Section):
    """What is steam, grease, blur and drops against the baseline."""

    veil_min: float = key(
        0.28,
        "There is steam or another veil if added light takes at least this much contrast.",
        unit="octaves",
        ge=0,
        le=8,
    )
    veil_told_share_max: float = key(
        0.3,
        "A veil is a partial cover if it hides at least this share of the tiles that usually show structure and "
        "spares others (`veil_spared_fall_max`).",
        ge=0,
        le=1,
    )
    veil_spared_fall_max: float = key(
        0.5,
        "A veil spares tiles if the least affected ones lost no more structure than this (see `veil_told_share_max`).",
        unit="octaves",
        ge=0,
        le=16,
    )
    steam_veil_min: float = key(
        2.0,
        "A veil is steam if it takes at least this many times as many octaves of contrast as blur takes of edges.",
        ge=0,
        le=100,
    )
    sharpness_ratio_min: float = key(
        0.82,
        "A picture is blurred or greasy if its edges are less steep than this share of their usual steepness.",
        ge=0,
        le=1,
    )
    structure_fall_min: float = key(
        0.55,
        "A picture without a veil is blurred, however steep its edges, if it has lost at least this much of its usual "
        "structure, beyond what contrast takes: at night, the codec makes edges of noise.",
        unit="octaves",
        ge=0,
        le=20,
    )
    grease_veil_min: float = key(
        0.2,
        "The fault is grease, and not defocus, if a veil takes at least this share of the octaves that blur takes.",
        ge=0,
        le=100,
    )
    season_ratio_min: float = key(
        0.94,
        "The lens is getting greasy if edges are less steep than this share of the season's, for "
        "`season_visits_min` and `season_hours_min`.",
        ge=0,
        le=1,
    )
    season_visits_min: int = key(
        3,
        "Visits in a row that must show edges softer than the season's (see `season_ratio_min`).",
        unit="visits",
        ge=2,
        le=1000,
    )
    season_hours_min: float = key(
        20.0,
        "Time for which edges must have been softer than the season's (see `season_ratio_min`).",
        unit="h",
        ge=0,
        le=8760,
    )
    spot_share_min: float = key(
        0.27,
        "There are drops on the lens if at least this share of the tiles shows light and shade that is not the "
        "scene's, on this visit and on the last one, and `spot_soft_share_min` is reached.",
        ge=0,
        le=1,
    )
    spot_clear_max: float = key(
        0.15,
        "Drops are looked for once at most this share of the tiles showed light and shade that is not the scene's, on "
        "one visit after the first `hidden_visits_min`.",
        ge=0,
        le=1,
    )
    spot_moved_max: float = key(
        0.06,
        "A camera that was pushed a little has no drops: if a small motion explains more than this share of the "
        "difference from the usual picture.",
        ge=0,
        le=1,
    )
    spot_soft_share_min: float = key(
        0.03,
        "Least share of the tiles that show drops and have softer edges than the rest of the picture (see "
        "`spot_share_min`).",
        ge=0,
        le=1,
    )
