"""A camera that looks at a scene: people pass, light drifts, the sensor has noise, the encoder its bit rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.accuracy import codec
from bench.accuracy.codec import Coding
from bench.accuracy.damage import Damage
from bench.accuracy.light import Linear, Rgb, Sensor, expose, levels
from bench.accuracy.overlay import burn_in, draw_look
from bench.accuracy.people import drift, populated
from bench.accuracy.scenes import Scene

_QP_FIRST = 28


@dataclass(frozen=True, slots=True)
class Rig:
    """Which camera it was, for tables. `scene` groups what shows one room."""

    scene: str
    view: str
    size: str
    codec: str
    kbps: int
    light: str
    infrared: bool


class Camera:
    """`visit` gives the keyframe that a visit would bring, the same for the same order of calls."""

    def __init__(self, scene: Scene, coding: Coding, sensor: Sensor, seed: int, *, infrared: bool = False) -> None:
        self.rig = Rig(scene.name, scene.view, scene.size, coding.codec.value, coding.kbps, sensor.name, infrared)
        self.coding = coding
        self._light = scene.light
        self._sensor = sensor
        self._seed = [seed, scene.seed]
        self._look = draw_look(np.random.default_rng(self._seed))
        self._qp: dict[tuple[Damage, ...], int] = {}

    def visit(self, number: int, at_wall_ns: int, damages: Sequence[Damage] = ()) -> bytes:
        """The keyframe of visit `number` at that time, through `damages` in order."""
        key = tuple(damages)
        begin = self._qp.get(key, self._qp.get((), _QP_FIRST))
        probes = 1 if key in self._qp else 2 if self._qp else 5
        payload, self._qp[key] = codec.keyframe(self.coding, self.picture(number, at_wall_ns, damages), begin, probes)
        return payload

    def picture(self, number: int, at_wall_ns: int, damages: Sequence[Damage] = ()) -> Rgb:
        """What goes into the encoder."""
        still = any(damage.still for damage in damages)
        moment = 0 if still else number
        room = np.random.default_rng([*self._seed, moment])
        gain, tint = drift(room)
        scene: Linear = populated(self._light, room) * tint
        for damage in damages:
            gain *= damage.gain(scene)
            scene = damage.lens(scene, moment)
        grain = np.random.default_rng([*self._seed, moment, 1])
        shown = levels(expose(scene, self._sensor, grain, gain))
        for damage in damages:
            shown = damage.signal(shown, moment)
        return burn_in(shown, self._look, at_wall_ns)
