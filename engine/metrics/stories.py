"""Metrics of the stories of cameras: their definitions, and what records them."""

from collections.abc import Mapping

from engine.metrics.metric import Label, Metric
from engine.metrics.prometheus import Series

STORY_BOUNDS = ("cameras", "bytes")

STORY_METRICS = (
    Metric(
        "patrol_stories_open",
        "gauge",
        (),
        "cameras",
        "Cameras that are not quietly ok, and whose events are kept in memory for `patrol story`.",
        "Many: patrol_cameras says in which states; `patrol cameras list --state` names them.",
    ),
    Metric(
        "patrol_stories_bytes",
        "gauge",
        (),
        "bytes",
        "Memory that the stories of cameras take, estimated.",
        "Nothing: for information; it is bounded.",
    ),
    Metric(
        "patrol_stories_evicted_total",
        "counter",
        (Label("bound", STORY_BOUNDS),),
        "stories",
        "Stories given up to make room for those of other cameras, by the bound reached: 10,000 cameras, 32 MiB.",
        "It grows: very many cameras are in trouble at once. `patrol story` tells of the others what the database has.",
    ),
)


class StoryRecorder:
    """Records these metrics. Methods may be called from any thread."""

    def __init__(self, series: Series) -> None:
        self._series = series

    def update(self, open_cameras: int, size: int, evicted: Mapping[str, int]) -> None:
        """Set the number of open stories and the bytes of all; count those that were given up, by STORY_BOUNDS."""
        self._series.set("patrol_stories_open", open_cameras)
        self._series.set("patrol_stories_bytes", size)
        for bound, number in evicted.items():
            self._series.increase("patrol_stories_evicted_total", bound, by=number)
