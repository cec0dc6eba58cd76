"""Visits to one simulated camera, in simulated time."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from bench.accuracy.camera import Camera
from bench.accuracy.damage import Damage
from bench.accuracy.electronics import Frozen, InfraredNight
from bench.accuracy.engine_path import NEVER_SEEN, Answer, Engine, Memory
from engine.model.measurement import Measurement

NS_PER_H: Final = 3_600_000_000_000
BEGIN_WALL_NS: Final = 1_772_436_000_000_000_000
"""A Monday, 07:20 UTC."""
VISITS_A_DAY: Final = 6
VISIT_EVERY_H: Final = 2
LEARN_ROUNDS: Final = 3
"""The visits to learn from come that often, on days that follow one another; encoding them is what costs."""

_INFRARED: Final = (InfraredNight(1.0),)


class Visitor:
    """Visits `camera`, remembers it, and keeps the time. `memory` may be set aside and put back."""

    def __init__(self, camera: Camera, engine: Engine) -> None:
        self.camera = camera
        self.engine = engine
        self.memory: Memory = NEVER_SEEN
        self.now_ns = BEGIN_WALL_NS
        self._number = 0

    def mode(self, turn: int) -> tuple[Damage, ...]:
        """An infrared camera is in its night mode on the first and the last visit of a day."""
        night = self.camera.rig.infrared and turn % VISITS_A_DAY in (0, VISITS_A_DAY - 1)
        return _INFRARED if night else ()

    def take(self, damages: Sequence[Damage] = ()) -> tuple[bytes, Measurement | str]:
        """The next visit's keyframe, and its measurement or why there is none."""
        self._number += 1
        self.now_ns += VISIT_EVERY_H * NS_PER_H
        stale = any(isinstance(damage, Frozen) and damage.stale for damage in damages)
        shown_ns = BEGIN_WALL_NS if stale else self.now_ns
        payload = self.camera.visit(self._number, shown_ns, damages)
        return payload, self.engine.look(self.camera.coding.codec, payload, self.now_ns, shown_ns - BEGIN_WALL_NS)

    def sleep(self, visits: int) -> None:
        """Until the next morning, after so many visits."""
        self.now_ns += (24 - visits * VISIT_EVERY_H) * NS_PER_H

    def judge(self, seen: Measurement | str) -> Answer:
        """The answer from the camera's memory, which goes on."""
        answer, self.memory = self.engine.judge(seen, self.memory, self.now_ns)
        return answer

    def alone(self, seen: Measurement | str) -> Answer:
        """The answer to a picture of a camera that was never seen."""
        return self.engine.judge(seen, NEVER_SEEN, self.now_ns)[0]

    def learn(self, visits: int) -> list[Answer]:
        """Make the camera known. Returns what each picture is answered alone."""
        taken: list[Measurement | str] = []
        for turn in range(visits):
            _, seen = self.take(self.mode(turn))
            self.judge(seen)
            taken.append(seen)
            if turn % VISITS_A_DAY == VISITS_A_DAY - 1:
                self.sleep(VISITS_A_DAY)
        for turn in range(visits * (LEARN_ROUNDS - 1)):
            self.now_ns += VISIT_EVERY_H * NS_PER_H
            self.judge(later(taken[turn % visits], self.now_ns))
            if turn % VISITS_A_DAY == VISITS_A_DAY - 1:
                self.sleep(VISITS_A_DAY)
        return [self.alone(seen) for seen in taken]


def later(seen: Measurement | str, at_wall_ns: int) -> Measurement | str:
    """The same picture at another time."""
    if isinstance(seen, str):
        return seen
    return dataclasses.replace(seen, arrival_wall_ns=at_wall_ns, stream_time_ns=at_wall_ns - BEGIN_WALL_NS)
