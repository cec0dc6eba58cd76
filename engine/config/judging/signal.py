"""Thresholds of the judge for the camera's electronics and its link."""

from engine.config.setting import Section, key


class SignalThresholds(Section):
    """What is a colour cast, noise, snow, stripes and a frozen picture."""

    cast_min: float = key(
        14.0,
        "There is a colour cast if the colour of the median tile is off by at least this much, in a picture as "
        "light as `cast_light_min`.",
        unit="levels",
        ge=0,
        le=255,
    )
    cast_light_min: float = key(
        40.0, "Least mean level of a picture in which a colour cast is looked for.", unit="levels", ge=0, le=255
    )
    noise_rise_min: float = key(
        1.1,
        "A picture is noisy if at least this much noise was added to `noise_ratio_min` times the usual noise: the root "
        "of the difference of their squares.",
        unit="levels",
        ge=0,
        le=255,
    )
    noise_ratio_min: float = key(
        1.25, "Least ratio of noise to usual noise in a noisy picture (see `noise_rise_min`).", ge=1, le=100
    )
    snow_noise_min: float = key(12.0, "A noisy picture shows snow from this noise on.", unit="levels", ge=0, le=255)
    pattern_rise_min: float = key(
        6.5,
        "There are stripes if the pattern that all rows or columns share has at least this much added to "
        "`pattern_ratio_min` times the usual one: the root of the difference of their squares.",
        unit="levels",
        ge=0,
        le=255,
    )
    pattern_ratio_min: float = key(
        1.25, "Least ratio of the shared pattern to the usual one where there are stripes.", ge=1, le=100
    )
    frozen_visits: int = key(
        3, "A picture is frozen after this many visits in a row with the same picture.", unit="visits", ge=2, le=100
    )
    frozen_gap_s: float = key(
        60.0,
        "Visits closer together than this count as one when pictures are compared for a freeze.",
        unit="s",
        ge=0,
        le=86_400,
    )
    frozen_tolerance: float = key(
        0.01, "Most that the mean of a tile may differ in the same picture.", unit="levels", ge=0, le=10
    )
    frozen_tiles_share_min: float = key(
        0.6,
        "A picture is the same if at least this share of the tiles is unchanged; a clock may tick in the others.",
        ge=0.5,
        le=1,
    )
    frozen_change_ratio: float = key(
        0.14,
        "A picture coded anew is the same if three of four tiles change by at most this share of the usual change "
        "(nearly all by twice that), and by at most `frozen_change_max`.",
        ge=0,
        le=1,
    )
    frozen_change_max: float = key(
        0.5, "Upper limit for that change, whatever is usual (see `frozen_change_ratio`).", unit="levels", ge=0, le=10
    )
