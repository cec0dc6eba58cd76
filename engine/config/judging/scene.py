"""Thresholds of the judge for whether the usual scene is in its place."""

from engine.config.setting import Section, key


class SceneThresholds(Section):
    """What is learned, and what is moved, covered or partly covered against it."""

    baseline_visits_min: int = key(
        4, "The baseline is used once it has learned from this many good visits.", unit="visits", ge=1, le=1000
    )
    memory_days: float = key(1.5, "Time that the short memory of a baseline reaches back.", unit="days", ge=0.1, le=365)
    season_days: float = key(
        120.0, "Time that the season memory of a baseline reaches back.", unit="days", ge=1, le=3650
    )
    scene_match_min: float = key(
        0.65,
        "Below this correlation with the usual scene, the scene is searched for elsewhere in the picture.",
        ge=-1,
        le=1,
    )
    veil_match_min: float = key(
        0.55,
        "A veil leaves at least this correlation with the usual scene; below it, something hides the scene.",
        ge=-1,
        le=1,
    )
    scene_gone_max: float = key(
        0.45,
        "Below this correlation, and with as much structure as usual, the camera shows another scene: it was moved.",
        ge=-1,
        le=1,
    )
    kept_match_min: float = key(
        0.6,
        "The camera was not moved if what is not hidden correlates at least this well in its usual place.",
        ge=-1,
        le=1,
    )
    moved_match_min: float = key(
        0.55,
        "The camera was moved if the usual scene is found elsewhere in the picture with at least this "
        "correlation, shifted by `moved_share_min`.",
        ge=0,
        le=1,
    )
    moved_share_min: float = key(
        0.02,
        "Least shift of the scene of a moved camera, as a share of the picture (see `moved_match_min`).",
        ge=0,
        le=1,
    )
    covered_contrast_max: float = key(
        0.2,
        "A picture is covered if less than this share of the usual contrast is left in its best places, and "
        "`covered_structure_fall` or `covered_spread_max` agrees.",
        ge=0,
        le=1,
    )
    covered_structure_fall: float = key(
        1.5,
        "A picture may be covered if the structure of the median tile fell by more than this (see "
        "`covered_contrast_max`).",
        unit="octaves",
        ge=0,
        le=16,
    )
    covered_spread_max: float = key(
        0.6,
        "A picture may be covered if light and shade spread over it by less than this share of the usual (see "
        "`covered_contrast_max`).",
        ge=0,
        le=1,
    )
    hidden_share_min: float = key(
        0.1,
        "A picture is partly covered if at least this share of the tiles is hidden, on this visit and on the last one.",
        ge=0,
        le=1,
    )
    hidden_visits_min: int = key(
        10,
        "Good visits that a baseline needs before a part can count as hidden: people of the first visits must "
        "have faded from it.",
        unit="visits",
        ge=1,
        le=1000,
    )
    hidden_structured_min: int = key(
        4,
        "At least this many of the hidden tiles must usually show structure, since light on a wall hides nothing.",
        unit="tiles",
        ge=0,
        le=144,
    )
    held_share_min: float = key(
        0.2,
        "A picture is also partly covered if at least this share of the tiles is hidden on two visits in a row, be it "
        "others each time: somebody holds something before the camera.",
        ge=0,
        le=1,
    )
    covered_hidden_share_min: float = key(
        0.78, "A picture is covered, and not only partly, if at least this share of the tiles is hidden.", ge=0, le=1
    )
    covered_told_share_min: float = key(
        0.85,
        "A picture is also covered if at least this share of the tiles that usually show structure is hidden.",
        ge=0,
        le=1,
    )
    covered_top_fall: float = key(
        2.6,
        "A picture is also covered if even the least affected tiles lost this much structure.",
        unit="octaves",
        ge=0,
        le=16,
    )
