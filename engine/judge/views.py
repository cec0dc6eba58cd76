"""Judges a picture of four cameras view by view: the parts of a measurement, and one assessment from those of its
views. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from engine.config.judge import JudgeSettings
from engine.judge.doubt import doubt_text
from engine.judge.picture_rules import PictureAssessment, active_lines, ordered
from engine.model.active_area import QUARTER_NAMES, QUARTERS, WHOLE
from engine.model.measurement import Measurement, Scores


def by_view(measurement: Measurement) -> list[Measurement]:
    """Return a measurement for each view, as if a camera of its own had sent it."""
    return [
        replace(
            measurement,
            figures=dict(view.figures),
            scores=view.scores,
            tiles=view.tiles,
            signature=view.signature,
            width=measurement.width // 2,
            height=active_lines(measurement) // 2,
            area=WHOLE,
            seen_area=None,
            views=(),
        )
        for view in measurement.views
    ]


def combined(
    assessments: Sequence[PictureAssessment], measurements: Sequence[Measurement], settings: JudgeSettings
) -> PictureAssessment:
    """Return what the views show together: every fault of any of them, and where; unknown if one view allows no verdict
    and none has a fault. The figures are those of the view that decided."""
    faulty = [index for index in range(QUARTERS) if assessments[index].kinds]
    unknown = [index for index in range(QUARTERS) if assessments[index].unknown is not None]
    decisive = faulty or unknown or range(QUARTERS)
    choose = max if faulty else min
    chosen = choose(decisive, key=lambda index: assessments[index].confidence)
    first = assessments[chosen]
    said = []
    for index in decisive if faulty or unknown else ():
        doubt = doubt_text(assessments[index].unknown, measurements[index], settings)
        what = ", ".join(assessments[index].kinds) or doubt or str(assessments[index].unknown)
        said.append(f"{QUARTER_NAMES[index]} view: {what}")
    return PictureAssessment(
        kinds=ordered({kind for assessment in assessments for kind in assessment.kinds}),
        cause=next((assessments[index].cause for index in faulty if assessments[index].cause is not None), None),
        unknown=None if faulty else first.unknown,
        confidence=first.confidence,
        figures={**measurements[chosen].figures, **first.figures},
        detail="; ".join(said),
    )


def worst_scores(measurement: Measurement) -> Scores:
    """Return the worst of the views' scores; those of the picture if it has no views."""
    if not measurement.views:
        return measurement.scores
    scores = [view.scores for view in measurement.views]
    sharpness = [score.sharpness for score in scores if score.sharpness is not None]
    exposure = [score.exposure for score in scores if score.exposure is not None]
    occlusion = [score.occlusion for score in scores if score.occlusion is not None]
    return Scores(min(sharpness, default=None), min(exposure, default=None), max(occlusion, default=None))
