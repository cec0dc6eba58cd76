"""Visits one simulated camera in simulated time, and keeps its judge state."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from bench.accuracy.camera import Camera
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine
from bench.accuracy.imaging.damage import Damage
from bench.accuracy.imaging.electronics import Frozen, InfraredNight
from engine.model.measurement import Measurement

NS_PER_H: Final = 3_600_000_000_000
BEGIN_WALL_NS: Final = 1_772_436_000_000_000_000
"""A Monday, 07:20 UTC."""
VISITS_PER_DAY: Final = 6
VISIT_EVERY_H: Final = 2
LEARN_ROUNDS: Final = 3
"""How often the pictures to learn from are judged, on consecutive days; repeating them saves the costly encoding."""

_INFRARED: Final = (InfraredNight(1.0),)

Visit = tuple[int, Measurement | str]
"""Wall time in ns, and the measurement or the reason why there is none."""


class Visitor:
    """Visits `camera`. `judge_state` and `now_ns` are those after the latest visit; callers may save and restore the
    former."""

    def __init__(self, camera: Camera, engine: Engine) -> None:
        self.camera = camera
        self.engine = engine
        self.judge_state = NEVER_SEEN
        self.now_ns = BEGIN_WALL_NS
        self._number = 0
        self._judged: list[Visit] = []

    def mode(self, turn: int) -> tuple[Damage, ...]:
        """Return the damages of visit `turn` of a day: an infrared camera is in night mode on the first and the
        last."""
        night = self.camera.rig.infrared and turn % VISITS_PER_DAY in (0, VISITS_PER_DAY - 1)
        return _INFRARED if night else ()

    def visit(self, damages: Sequence[Damage] = ()) -> tuple[bytes, Measurement | str]:
        """Return the next visit's keyframe, and its measurement or the reason why there is none."""
        self._number += 1
        self.now_ns += VISIT_EVERY_H * NS_PER_H
        stale = any(isinstance(damage, Frozen) and damage.stale for damage in damages)
        clock_ns = BEGIN_WALL_NS if stale else self.now_ns
        payload = self.camera.visit(self._number, clock_ns, damages)
        codec, area = self.camera.coding.codec, self.judge_state.area
        return payload, self.engine.measure(codec, payload, self.now_ns, clock_ns - BEGIN_WALL_NS, area)

    def skip_to_morning(self, visits: int) -> None:
        """Move the time to the next morning, after `visits` visits on this day."""
        self.now_ns += (24 - visits * VISIT_EVERY_H) * NS_PER_H

    def judge(self, measurement: Measurement | str) -> Answer:
        """Judge a picture with the camera's judge state, and update it."""
        answer, self.judge_state = self.engine.judge(measurement, self.judge_state, self.now_ns)
        self._judged.append((self.now_ns, measurement))
        return answer

    def take_judged(self) -> tuple[Visit, ...]:
        """Return what `judge` was given since the last call, and forget it."""
        judged, self._judged = tuple(self._judged), []
        return judged

    def judge_alone(self, measurement: Measurement | str) -> Answer:
        """Judge a picture as that of a camera never seen."""
        return self.engine.judge(measurement, NEVER_SEEN, self.now_ns)[0]

    def learn(self, visits: int) -> list[Answer]:
        """Learn the camera's baseline from good visits. Returns the answer to each picture by itself."""
        measurements: list[Measurement | str] = []
        for turn in range(visits):
            _, measurement = self.visit(self.mode(turn))
            self.judge(measurement)
            measurements.append(measurement)
            if turn % VISITS_PER_DAY == VISITS_PER_DAY - 1:
                self.skip_to_morning(VISITS_PER_DAY)
        for turn in range(visits * (LEARN_ROUNDS - 1)):
            self.now_ns += VISIT_EVERY_H * NS_PER_H
            self.judge(at_time(measurements[turn % visits], self.now_ns))
            if turn % VISITS_PER_DAY == VISITS_PER_DAY - 1:
                self.skip_to_morning(VISITS_PER_DAY)
        return [self.judge_alone(measurement) for measurement in measurements]


def at_time(measurement: Measurement | str, wall_ns: int) -> Measurement | str:
    """Return the measurement of the same picture at another time."""
    if isinstance(measurement, str):
        return measurement
    return dataclasses.replace(measurement, arrival_wall_ns=wall_ns, stream_time_ns=wall_ns - BEGIN_WALL_NS)
