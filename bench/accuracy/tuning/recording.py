"""The visits of one camera as measurements, so that they can be judged again with other thresholds without pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.accuracy import words
from bench.accuracy.camera import Rig
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine
from bench.accuracy.visitor import NS_PER_H, VISIT_EVERY_H, Visit, at_time
from engine.config.judge import JudgeSettings
from engine.judge.state import JudgeState


@dataclass(frozen=True, slots=True)
class RecordedEpisode:
    """A damage that counts, and the visits that were made during it; at least two."""

    truth: str
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that the judge was given of one camera, in order: the visits it learned from, the good days, and the
    episodes, each of which begins from what the good days left."""

    rig: Rig
    learned: tuple[Visit, ...]
    days: tuple[tuple[Visit, ...], ...]
    episodes: tuple[RecordedEpisode, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of recordings under some thresholds. `hits`: by true kind, episodes found and all; `days`,
    `false_alarm_days`: good camera-days, and those with a fault announced; `visits`, `unknown_visits` on them."""

    hits: dict[str, tuple[int, int]]
    days: int
    false_alarm_days: int
    visits: int
    unknown_visits: int


def rejudge(recording: Recording, settings: JudgeSettings) -> Tally:
    """Judge a camera's visits from the beginning with `settings`."""
    engine = Engine(settings)
    judge_state = NEVER_SEEN
    for at_ns, measurement in recording.learned:
        _, judge_state = engine.judge(measurement, judge_state, at_ns)
    false = unknown = 0
    for day in recording.days:
        announced = False
        for at_ns, measurement in day:
            answer, judge_state = engine.judge(measurement, judge_state, at_ns)
            unknown += answer.state == "unknown"
            announced |= answer.announced == "fault"
        false += announced
    hits: dict[str, tuple[int, int]] = {}
    for episode in recording.episodes:
        found, count = hits.get(episode.truth, (0, 0))
        hits[episode.truth] = found + _is_found(episode, engine, judge_state, settings), count + 1
    return Tally(hits, len(recording.days), false, sum(map(len, recording.days)), unknown)


def is_hit(truth: str, answer: Answer) -> bool:
    """Return whether the right kind is announced. For the night mode, which is no fault: whether no fault is."""
    if truth == "ir_night":
        return answer.announced != "fault"
    return answer.announced == "fault" and words.is_hit(truth, answer.announced_kinds, answer.announced_cause)


def visits_to_confirm(settings: JudgeSettings) -> int:
    """Return the number of visits within which any fault is announced."""
    return max(settings.confirm_m, settings.frozen_visits)


def episode_visits(settings: JudgeSettings) -> int:
    """Return the most visits that an episode lasts: one more than confirm any fault."""
    return visits_to_confirm(settings) + 1


def added(tallies: Sequence[Tally]) -> Tally:
    """Return the sum of tallies."""
    hits: dict[str, tuple[int, int]] = {}
    for tally in tallies:
        for truth, (found, count) in tally.hits.items():
            before = hits.get(truth, (0, 0))
            hits[truth] = before[0] + found, before[1] + count
    return Tally(
        dict(sorted(hits.items())),
        sum(tally.days for tally in tallies),
        sum(tally.false_alarm_days for tally in tallies),
        sum(tally.visits for tally in tallies),
        sum(tally.unknown_visits for tally in tallies),
    )


def _is_found(episode: RecordedEpisode, engine: Engine, judge_state: JudgeState, settings: JudgeSettings) -> bool:
    """Return whether an episode ends as a hit, as in bench.accuracy.patrol.

    The recorded visits end early where the shipped thresholds found the fault. Where others have not found it by then,
    the pictures are repeated in turn, so that no two in a row are the same.
    """
    hit = False
    for at_ns, measurement in episode.visits:
        answer, judge_state = engine.judge(measurement, judge_state, at_ns)
        hit = is_hit(episode.truth, answer)
    for number in range(len(episode.visits), episode_visits(settings)):
        if hit:
            break
        at_ns += VISIT_EVERY_H * NS_PER_H
        repeated = at_time(episode.visits[number % len(episode.visits)][1], at_ns)
        answer, judge_state = engine.judge(repeated, judge_state, at_ns)
        hit = is_hit(episode.truth, answer)
    return hit
