"""Measures the CPU time of rival pieces of code side by side: on a shared machine a figure alone means little."""

import statistics
import time
from collections.abc import Callable, Mapping


def interleaved_medians_ms(
    rivals: Mapping[str, Callable[[], object]], *, rounds: int, calls: int = 1, warm_rounds: int = 2
) -> dict[str, float]:
    """Return the median CPU milliseconds of one call of each rival, by name.

    Every round runs each rival `calls` times in turn, so that another load on the machine slows all of them.
    CPU time is this thread's: rivals must do their work in it. The first `warm_rounds` rounds are discarded.
    """
    samples: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(warm_rounds + rounds):
        for name, run in rivals.items():
            began_ns = time.thread_time_ns()
            for _ in range(calls):
                run()
            spent_ns = time.thread_time_ns() - began_ns
            if number >= warm_rounds:
                samples[name].append(spent_ns / calls / 1e6)
    return {name: statistics.median(values) for name, values in samples.items()}
