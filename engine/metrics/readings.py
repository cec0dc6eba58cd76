"""The metric of readings of clock and name. Pure."""

from engine.metrics.metric import Label, Metric

READING_OUTCOMES = ("right", "wrong", "unsure", "no_keyframe", "failed", "too_costly", "lost")

READING_METRICS = (
    Metric(
        "patrol_readings_total",
        "counter",
        (Label("outcome", READING_OUTCOMES),),
        "readings",
        "Cameras whose clock was to be read, by what came of it: it was right or wrong; unsure: no clock was read for "
        "sure; no_keyframe: none is kept that was not read before; failed: it gave no picture; too_costly: it spent "
        "its CPU time; lost: the reader ended. None where no reader is installed.",
        "too_costly, failed, lost grow: the log; a slow core needs a higher reader.picture_cpu_s_max. wrong grows: the "
        "ledger has the cameras.",
    ),
)
