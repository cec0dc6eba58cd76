"""Runs one target over many inputs, each within bounds of time and memory, and collects what breaks."""

import random
import resource
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import TARGETS

SECONDS_MAX = 2.0
"""CPU time of one input; the largest has 256 KiB and takes a hundredth of it."""
GROWTH_KB_MAX = 64 * 1024
"""By how much the peak of the process's memory may grow over one input, once the first ones have warmed it up."""
_WARM_UP = 50
_PART_SHARE = 0.5
_SHOWN_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Finding:
    """What broke. `python -m tests.fuzz TARGET --seed SEED --first NUMBER --runs 1` repeats it."""

    target: str
    seed: int
    number: int
    what: str
    data: bytes

    def __str__(self) -> str:
        """Say how to repeat it, and show the bytes."""
        return (
            f"{self.target}: --seed {self.seed} --first {self.number} --runs 1: {self.what}\n"
            f"    {len(self.data)} bytes: {self.data[:_SHOWN_BYTES]!r}"
        )


class TooLongError(Exception):
    """An input took more CPU time than SECONDS_MAX."""


def fuzz(name: str, runs: int, seed: int, first: int = 0) -> Iterator[Finding]:
    """Feed `runs` inputs to a target, from number `first` on, and yield what breaks. For the main thread."""
    before = signal.signal(signal.SIGVTALRM, _too_long)
    try:
        for number in range(first, first + runs):
            finding = _try(name, seed, number, measured=number - first >= _WARM_UP)
            if finding is not None:
                yield finding
    finally:
        signal.signal(signal.SIGVTALRM, before)


def input_of(name: str, seed: int, number: int) -> tuple[bytes, random.Random]:
    """Return an input, and the generator that its reader draws from."""
    target = TARGETS[name]
    rng = random.Random(f"{name} {seed} {number}")
    seeds = target.seeds()
    parts = list(target.split(rng.choice(seeds))) if target.split is not None and rng.random() < _PART_SHARE else []
    if not parts:
        return mutate(seeds, target.words, rng), rng
    place = rng.randrange(len(parts))
    parts[place] = mutate([bytes(parts[place])], target.words, rng)
    return target.join(parts), rng


def _try(name: str, seed: int, number: int, *, measured: bool) -> Finding | None:
    target = TARGETS[name]
    data, rng = input_of(name, seed, number)
    peak_kb, began_s = _peak_kb(), time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * SECONDS_MAX)
    what = ""
    try:
        target.read(data, rng)
    except target.raises as error:
        what = "" if str(error) else f"{type(error).__name__} without a message"
    except TooLongError:
        what = f"takes more than {2 * SECONDS_MAX:g} s"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {str(error)[:200]} ({where.filename}:{where.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    seconds, grown_kb = time.process_time() - began_s, _peak_kb() - peak_kb
    if not what and seconds > SECONDS_MAX:
        what = f"takes {seconds:.1f} s of CPU time"
    if not what and measured and grown_kb > GROWTH_KB_MAX:
        what = f"takes {grown_kb >> 10} MiB"
    return Finding(name, seed, number, what, data) if what else None


def _too_long(_signal: int, _frame: object) -> None:
    raise TooLongError


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
