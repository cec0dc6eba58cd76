"""Says in words why a picture allows no verdict: what was measured, and the limits it was compared with. Pure."""

from engine.config.judge import JudgeSettings
from engine.judge.baseline import TILES
from engine.judge.picture_rules import active_lines, brightness_problem, light_doubts
from engine.model.measurement import Measurement
from engine.model.verdict import UnknownReason


def doubt_text(reason: UnknownReason | None, measurement: Measurement, settings: JudgeSettings) -> str:
    """Return a sentence for a reason that figures explain, such as "sharpness 41: sharp from 60 on, blurred below 36".

    Empty for any other reason, and for None.
    """
    if reason is UnknownReason.TOO_DARK_TO_JUDGE:
        mean = measurement.figures["luma_mean"]
        limit = max(settings.light_min, settings.dark_mean_max)
        return f"mean level {mean:.0f}: dark below {limit:.0f}"
    if reason is UnknownReason.FEATURELESS:
        return _few_edges(measurement, settings)
    if reason is UnknownReason.DOUBTFUL:
        return _doubtful(measurement, settings)
    return ""


def _doubtful(measurement: Measurement, settings: JudgeSettings) -> str:
    lines = active_lines(measurement)
    if lines < settings.lines_min:
        return f"the picture has {lines} lines: judged from {settings.lines_min} on"
    said = []
    sharpness = measurement.scores.sharpness
    if sharpness is not None and sharpness < settings.sharpness_sure_min:
        said.append(
            f"sharpness {sharpness:.0f}: sharp from {settings.sharpness_sure_min:.0f} on, "
            f"blurred below {settings.sharpness_min:.0f}"
        )
        if measurement.figures["edge_tiles"] < settings.edge_tiles_min:
            said.append(_few_edges(measurement, settings))
    if brightness_problem(measurement, settings) is UnknownReason.DOUBTFUL:
        figures = measurement.figures
        said.append(
            f"very bright, but perhaps a bright scene: mean level {figures['luma_mean']:.0f}, limit "
            f"{settings.bright_mean_min:.0f}; darkest twentieth at {figures['luma_p5']:.0f}, limit "
            f"{settings.bright_shadow_min:.0f}"
        )
    return "; ".join([*said, *light_doubts(measurement, settings)])


def _few_edges(measurement: Measurement, settings: JudgeSettings) -> str:
    tiles = measurement.figures["edge_tiles"]
    if measurement.scores.sharpness is None and tiles >= settings.edge_tiles_sure_min:
        return "too few edges are clear enough to measure the sharpness by"
    return f"edges in {tiles:.0f} of {TILES} tiles: judged from {settings.edge_tiles_sure_min} on"
