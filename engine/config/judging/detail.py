"""Thresholds of the judge for a picture without a baseline."""

from engine.config.setting import Section, key


class DetailThresholds(Section):
    """What is blurred or covered in a picture by itself."""

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
