"""Settings of the judge: thresholds, and how many visits confirm a fault."""

from engine.config.setting import Section, key


class JudgeSettings(Section):
    """Thresholds of the judge; docs/measuring.md has the rules.

    Every verdict is stored with its raw figures, the thresholds, and the version of the rules.
    """

    confirm_n: int = key(
        2, "A fault is announced once this many of the last `confirm_m` visits showed it.", ge=1, le=20
    )
    confirm_m: int = key(3, "Number of latest visits among which `confirm_n` must show the fault.", ge=1, le=20)
    recover_n: int = key(2, "An announced fault is withdrawn after this many ok visits in a row.", ge=1, le=20)
    hold: float = key(
        0.9,
        "While a fault is announced, its threshold is relaxed by this factor, so that the fault does not flap.",
        ge=0.5,
        le=1,
    )
    lines_min: int = key(
        180,
        "Without a baseline, a picture with fewer lines shows too little to be judged: it is doubtful.",
        unit="lines",
        ge=0,
        le=8192,
    )
    flat_share_min: float = key(
        0.5, "The signal is lost if at least this share of the tiles has neither change nor noise.", ge=0, le=1
    )
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
    sharpness_min: float = key(
        36.0, "Without a baseline, a picture is blurred below this sharpness score.", ge=0, le=100
    )
    sharpness_sure_min: float = key(
        60.0,
        "Without a baseline, a picture is sharp from this sharpness score on; between `sharpness_min` and this it "
        "is doubtful.",
        ge=0,
        le=100,
    )
    edge_tiles_min: int = key(
        32,
        "Without a baseline, a picture is called blurred only if at least this many tiles have edges.",
        unit="tiles",
        ge=0,
        le=144,
    )
    edge_tiles_sure_min: int = key(
        36,
        "Without a baseline, a picture is called sharp only if at least this many tiles have edges.",
        unit="tiles",
        ge=0,
        le=144,
    )
    covered_share_min: float = key(
        0.85,
        "Without a baseline, a picture is covered if at least this share of the tiles shows no structure.",
        ge=0,
        le=1,
    )
    partly_covered_share_min: float = key(
        0.6,
        "Without a baseline, a picture is partly covered if at least this share of the tiles shows no structure.",
        ge=0,
        le=1,
    )
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
