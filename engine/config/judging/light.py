"""Thresholds of the judge for how much light there is."""

from engine.config.setting import Section, key


class LightThresholds(Section):
    """What is too dark and too bright, by itself and against the usual light."""

    light_min: float = key(
        20.0,
        "Below this mean level, a picture has too little light to judge anything else in it.",
        unit="levels",
        ge=0,
        le=255,
    )
    dark_mean_max: float = key(48.0, "A picture is too dark below this mean level.", unit="levels", ge=0, le=255)
    dark_fall_max: float = key(
        0.35,
        "With a baseline, a picture is also too dark below this share of its usual mean level; that limit never "
        "exceeds 1.5 times `dark_mean_max`.",
        ge=0,
        le=1,
    )
    dark_match_min: float = key(
        0.35,
        "The cause of a dark picture is lights off, and not a covered lens, if it correlates with the usual scene "
        "at least this well.",
        ge=-1,
        le=1,
    )
    light_kept_min: float = key(
        0.67,
        "A dark picture with hidden tiles is partly hidden, and not too dark, if the rest keeps at least this "
        "share of its usual light.",
        ge=0,
        le=1,
    )
    bright_mean_min: float = key(
        165.0,
        "A picture is too bright from this mean level on, if shadows (`bright_shadow_min`) and highlights "
        "(`bright_highlight_min`) agree.",
        unit="levels",
        ge=0,
        le=255,
    )
    bright_shadow_min: float = key(
        70.0, "A picture lacks shadows if 95 % of it is above this level.", unit="levels", ge=0, le=255
    )
    bright_scene_min: float = key(
        90.0,
        "If 95 % of a bright picture is above this level, it may as well show a bright scene: it is doubtful.",
        unit="levels",
        ge=0,
        le=255,
    )
    bright_black_max: float = key(
        20.0,
        "If 1 % of a bright picture is below this level, black is still black in it: it is doubtful, too.",
        unit="levels",
        ge=0,
        le=255,
    )
    bright_highlight_min: float = key(
        248.0, "Highlights are burnt out if 1 % of the picture is above this level.", unit="levels", ge=0, le=255
    )
    bright_mean_max: float = key(
        220.0,
        "A picture is too bright from this mean level on, whatever its other figures.",
        unit="levels",
        ge=0,
        le=255,
    )
    bright_clipped_share_min: float = key(
        0.25, "A picture is too bright if at least this share of it is clipped white.", ge=0, le=1
    )
    lost_highlights_max: float = key(
        0.03,
        "Without a baseline, a picture is doubtful if more than this share of it is burnt out beside lamps and windows "
        "(figure `lost_highlights`).",
        ge=0,
        le=1,
    )
    shade_level_min: float = key(
        40.0,
        "Without a baseline, a picture is doubtful if its darker part has a lower mean level (figure `shade_level`).",
        unit="levels",
        ge=0,
        le=255,
    )
    dull_highlight_max: float = key(
        165.0,
        "Without a baseline, a picture is doubtful if 99 % of its levels are below this and its mean below "
        "`dull_mean_max`: nothing in it is bright.",
        unit="levels",
        ge=0,
        le=255,
    )
    dull_mean_max: float = key(95.0, "See `dull_highlight_max`.", unit="levels", ge=0, le=255)
    bright_rise_min: float = key(
        38.0,
        "With a baseline, a picture is too bright if its mean level is this far above the usual one, and "
        "`bright_gain_min` and `bright_clipped_rise_min` are reached.",
        unit="levels",
        ge=0,
        le=255,
    )
    bright_gain_min: float = key(
        1.2,
        "Least gain in light, in the tiles that are not clipped, of a picture that is too bright (see "
        "`bright_rise_min`).",
        ge=1,
        le=10,
    )
    bright_clipped_rise_min: float = key(
        0.01,
        "Least rise in the share that is clipped white, over the usual one, of a picture that is too bright (see "
        "`bright_rise_min`).",
        ge=0,
        le=1,
    )
    backlight_share_min: float = key(
        0.03,
        "The cause of a dark picture is backlight if at least this share of it is clipped white; with a baseline, this "
        "share more than usual.",
        ge=0,
        le=1,
    )
    backlight_median_max: float = key(
        80.0,
        "Without a baseline, a picture with that much clipped white is doubtful if half of it is below this level: it "
        "is taken against the light.",
        unit="levels",
        ge=0,
        le=255,
    )
    exposure_stops_min: float = key(
        0.85,
        "With a baseline, the exposure has changed if the light of a picture differs by at least this much from the "
        "usual, and by `exposure_beyond_min` from all that is usual.",
        unit="stops",
        ge=0,
        le=16,
    )
    exposure_beyond_min: float = key(
        0.25,
        "Least distance of the light of a picture whose exposure has changed from the usual range (see "
        "`exposure_stops_min`).",
        unit="stops",
        ge=0,
        le=16,
    )
    contrast_span_min: float = key(
        24.0,
        "Without a baseline, contrast is low if the 5 % and the 95 % level are less than this apart.",
        unit="levels",
        ge=0,
        le=255,
    )
