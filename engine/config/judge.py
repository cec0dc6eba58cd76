"""Thresholds of the judge, and how many visits confirm a fault."""

from engine.config.setting import Section, key


class JudgeSettings(Section):
    """Thresholds. Raw figure, threshold and the rules' version are stored with every verdict; docs/measuring.md."""

    confirm_n: int = key(2, "Faults seen out of the last `confirm_m` visits before a fault is announced.", ge=1, le=20)
    confirm_m: int = key(3, "Visits looked back at for `confirm_n`.", ge=1, le=20)
    recover_n: int = key(2, "Ok visits in a row before an announced fault is taken back.", ge=1, le=20)
    hold: float = key(
        0.9,
        "While a fault is announced its threshold is easier by this factor, so that it does not flap.",
        ge=0.5,
        le=1,
    )
    lines_min: int = key(
        180, "Without a baseline a picture of fewer lines shows too little to be judged: doubtful.", unit="lines", ge=0,
        le=8192,
    )  # fmt: skip
    flat_share_min: float = key(0.5, "No signal if this share of the tiles is without any change or noise.", ge=0, le=1)
    light_min: float = key(
        20.0, "Mean level below which a picture has too little light to judge more.", unit="levels", ge=0, le=255
    )
    dark_mean_max: float = key(48.0, "Too dark below this mean level.", unit="levels", ge=0, le=255)
    dark_fall_max: float = key(
        0.35, "Too dark, up to one and a half times that level, below this share of the usual one.", ge=0, le=1
    )
    dark_match_min: float = key(
        0.35, "A dark picture that matches the usual scene so well is lights off, and no covered lens.", ge=-1, le=1
    )
    light_kept_min: float = key(
        0.67, "A dark picture parts of which keep this share of their usual light is hidden in part.", ge=0, le=1
    )
    bright_mean_min: float = key(
        165.0, "Too bright from this mean level on, if shadows and highlights agree.", unit="levels", ge=0, le=255
    )
    bright_shadow_min: float = key(
        70.0, "Shadows are missing if 95 % of the picture are above this level.", unit="levels", ge=0, le=255
    )
    bright_scene_min: float = key(
        90.0, "With 95 % of the picture above this level a bright scene is as likely: doubtful.", unit="levels", ge=0,
        le=255,
    )  # fmt: skip
    bright_black_max: float = key(
        20.0, "With 1 % of the picture below this level black is black: doubtful as well.", unit="levels", ge=0, le=255
    )
    bright_highlight_min: float = key(
        248.0, "Highlights are burnt if 1 % of the picture is above this level.", unit="levels", ge=0, le=255
    )
    bright_mean_max: float = key(
        220.0, "Too bright from this mean level on, whatever else.", unit="levels", ge=0, le=255
    )
    bright_clipped_share_min: float = key(0.25, "Too bright if this share of the picture is clipped white.", ge=0, le=1)
    bright_rise_min: float = key(
        38.0, "Too bright if the mean level is so far above the usual one ...", unit="levels", ge=0, le=255
    )
    bright_gain_min: float = key(
        1.2, "... with a gain in light of at least so much in the tiles that are not clipped ...", ge=1, le=10
    )
    bright_clipped_rise_min: float = key(
        0.01, "... and so much more of the picture is clipped white than usually.", ge=0, le=1
    )
    backlight_share_min: float = key(
        0.03, "A dark picture of which this share is clipped white looks against the light.", ge=0, le=1
    )
    contrast_span_min: float = key(
        24.0, "Without a baseline, low contrast if the levels between 5 % and 95 % span less.", unit="levels", ge=0,
        le=255,
    )  # fmt: skip
    sharpness_min: float = key(36.0, "Without a baseline, blurred below this sharpness score.", ge=0, le=100)
    sharpness_sure_min: float = key(
        60.0, "Without a baseline, sharp from this score on; between the two it is doubtful.", ge=0, le=100
    )
    edge_tiles_min: int = key(
        32, "Fewer tiles with edges say too little to call a picture blurred without a baseline.", unit="tiles", ge=0,
        le=144,
    )  # fmt: skip
    edge_tiles_sure_min: int = key(
        36, "Fewer tiles with edges say too little to call a picture sharp without a baseline.", unit="tiles", ge=0,
        le=144,
    )  # fmt: skip
    covered_share_min: float = key(
        0.85, "Without a baseline, covered if this share of the tiles shows no structure.", ge=0, le=1
    )
    partly_covered_share_min: float = key(
        0.6, "Without a baseline, partly covered if this share of the tiles shows no structure.", ge=0, le=1
    )
    baseline_visits_min: int = key(4, "Good visits before the baseline is compared with.", unit="visits", ge=1, le=1000)
    memory_days: float = key(
        1.5, "Time over which the short memory of a baseline reaches.", unit="days", ge=0.1, le=365
    )
    season_days: float = key(120.0, "The same of the memory of the season.", unit="days", ge=1, le=3650)
    scene_match_min: float = key(
        0.65, "Below this correlation with the usual scene it is looked for elsewhere in the picture.", ge=-1, le=1
    )
    veil_match_min: float = key(
        0.55, "A veil leaves at least this correlation; below it something hides the scene.", ge=-1, le=1
    )
    scene_gone_max: float = key(
        0.45, "Below this correlation, with structure as ever, the camera looks at another scene.", ge=-1, le=1
    )
    kept_match_min: float = key(
        0.6, "The camera was not moved if what is not hidden correlates so well in its old place.", ge=-1, le=1
    )
    moved_match_min: float = key(
        0.55, "Moved if the usual scene is found elsewhere in the picture with this correlation ...", ge=0, le=1
    )
    moved_share_min: float = key(0.02, "... shifted by this share of the picture at least.", ge=0, le=1)
    covered_contrast_max: float = key(
        0.2, "Covered if less than this share of the usual contrast is left in the best places ...", ge=0, le=1
    )
    covered_structure_fall: float = key(
        1.5, "... and the structure of the middle tile fell by so much ...", unit="octaves", ge=0, le=16
    )
    covered_spread_max: float = key(
        0.6, "... or light and shade spread over the picture by less than this share of the usual.", ge=0, le=1
    )
    hidden_share_min: float = key(
        0.1, "Partly covered if this share of the tiles is hidden, at the last visit too.", ge=0, le=1
    )
    hidden_visits_min: int = key(
        10, "Good visits before a part may count as hidden; people in the first ones must have faded.", unit="visits",
        ge=1, le=1000,
    )  # fmt: skip
    hidden_structured_min: int = key(
        4, "Among the hidden tiles so many must usually show structure; light on a wall hides nothing.", unit="tiles",
        ge=0, le=144,
    )  # fmt: skip
    covered_hidden_share_min: float = key(0.78, "Covered, and not partly, from this share on ...", ge=0, le=1)
    covered_told_share_min: float = key(0.85, "... or of the tiles that usually show structure ...", ge=0, le=1)
    covered_top_fall: float = key(
        2.6, "... or where even the least affected tiles lost so much structure.", unit="octaves", ge=0, le=16
    )
    veil_min: float = key(
        0.28, "Steam or another veil if added light takes so much contrast ...", unit="octaves", ge=0, le=8
    )
    veil_told_share_max: float = key(
        0.3, "... unless it hides this share of the tiles that usually show structure ...", ge=0, le=1
    )
    veil_spared_fall_max: float = key(
        0.5, "... while the least affected ones lost no more of theirs than that.", unit="octaves", ge=0, le=16
    )
    steam_veil_min: float = key(
        2.0, "... and at least so many times as many octaves as blur takes of edges.", ge=0, le=100
    )
    sharpness_ratio_min: float = key(
        0.82, "Blurred or greasy if edges are less steep than this share of their usual steepness.", ge=0, le=1
    )
    grease_veil_min: float = key(
        0.2, "Greasy, and not out of focus, if a veil takes this share of the octaves that blur does.", ge=0, le=100
    )
    season_ratio_min: float = key(
        0.94, "Greasing if edges are less steep than this share of the season's ...", ge=0, le=1
    )
    season_visits_min: int = key(3, "... at so many visits in a row ...", unit="visits", ge=2, le=1000)
    season_hours_min: float = key(20.0, "... over so long.", unit="h", ge=0, le=8760)
    cast_min: float = key(
        14.0, "Colour cast if the colour of the middle tile is off by so much ...", unit="levels", ge=0, le=255
    )
    cast_light_min: float = key(40.0, "... in a picture of at least this mean level.", unit="levels", ge=0, le=255)
    noise_rise_min: float = key(2.0, "Noisy if the noise rose by so much ...", unit="levels", ge=0, le=255)
    noise_ratio_min: float = key(2.0, "... and is this many times the usual one.", ge=1, le=100)
    snow_noise_min: float = key(12.0, "Snow, and not only noise, from this noise on.", unit="levels", ge=0, le=255)
    pattern_rise_min: float = key(
        4.0,
        "Stripes if what all rows or columns share exceeds twice the usual by so much.",
        unit="levels",
        ge=0,
        le=255,
    )
    frozen_visits: int = key(
        3, "Visits in a row with the same picture that make it frozen.", unit="visits", ge=2, le=100
    )
    frozen_gap_s: float = key(60.0, "Visits closer together count as one.", unit="s", ge=0, le=86_400)
    frozen_tolerance: float = key(
        0.01, "How far a tile's mean may move in the same picture.", unit="levels", ge=0, le=10
    )
    frozen_tiles_share_min: float = key(
        0.6, "The picture is the same if this share of its tiles stays; a clock ticks in others.", ge=0.5, le=1
    )
    frozen_change_ratio: float = key(
        0.14,
        "One coded anew is the same if three tiles of four move by at most this share of the usual (most by twice) ...",
        ge=0,
        le=1,
    )
    frozen_change_max: float = key(0.5, "... and by no more than this.", unit="levels", ge=0, le=10)
