"""Simulates a camera in front of a scene: people pass, light drifts, the sensor adds noise, and the encoder keeps a bit
rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.accuracy.imaging import codec
from bench.accuracy.imaging.codec import Coding
from bench.accuracy.imaging.damage import Damage
from bench.accuracy.imaging.frames import Frame
from bench.accuracy.imaging.light import Linear, Rgb, Sensor, expose, levels
from bench.accuracy.imaging.overlay import burn_in, random_overlay
from bench.accuracy.imaging.people import drift, populated
from bench.accuracy.scenes import Scene

_QP_FIRST = 28
_PROBES_FIRST = 8
"""Encodings of the first picture with a damage, at most: the encoder settles. Later ones take its quantiser."""


@dataclass(frozen=True, slots=True)
class Rig:
    """Describes a camera in tables. `scene`: the name of its source; cameras of one room share it."""

    scene: str
    view: str
    size: str
    codec: str
    kbps: int
    light: str
    infrared: bool
    frame: str = ""
    """What surrounds or covers the picture, of imaging.frames.FRAMES; empty: nothing."""
    compared: bool = False
    """Whether it is there to compare framed cameras with the same without a frame, and counts nowhere else."""
    unseen: bool = False
    """Whether its scene is none of the pictures that rules were tuned on."""


class Camera:
    """A camera whose `visit` returns the keyframe that a visit would bring; the same calls in the same order return the
    same keyframes."""

    def __init__(
        self,
        scene: Scene,
        coding: Coding,
        sensor: Sensor,
        seed: int,
        *,
        infrared: bool = False,
        frame: Frame | None = None,
        dim_to: float = 0.0,
        compared: bool = False,
    ) -> None:
        """`frame`: what surrounds or covers its picture. `dim_to`: the mean level of a dim kitchen, 0: the scene's own
        light. `compared`: see Rig."""
        kind = "" if frame is None else frame.kind
        self.rig = Rig(
            scene.name,
            scene.view,
            scene.size,
            coding.codec.value,
            coding.kbps,
            sensor.name,
            infrared,
            kind,
            compared,
            scene.unseen,
        )
        self._frame = frame
        self._dimmed = _dimming(scene.light, sensor, dim_to, frame) if dim_to else 1.0
        self.coding = coding
        self._light = scene.light
        self._sensor = sensor
        self._seed = [seed, scene.seed]
        self._overlay = random_overlay(np.random.default_rng(self._seed))
        self._qp: dict[tuple[Damage, ...], int] = {}

    def visit(self, number: int, at_wall_ns: int, damages: Sequence[Damage] = ()) -> bytes:
        """Return the keyframe of visit `number` at that time, with `damages` applied in order."""
        key = tuple(damages)
        first_qp = self._qp.get(key, self._qp.get((), _QP_FIRST))
        probes = 1 if key in self._qp else _PROBES_FIRST
        picture = self.picture(number, at_wall_ns, damages)
        payload, self._qp[key] = codec.keyframe(self.coding, picture, first_qp, probes)
        return payload

    def picture(self, number: int, at_wall_ns: int, damages: Sequence[Damage] = ()) -> Rgb:
        """Return the picture that goes into the encoder at visit `number`."""
        still = any(damage.still for damage in damages)
        moment = 0 if still else number
        room_random = np.random.default_rng([*self._seed, moment])
        gain, tint = drift(room_random)
        gain *= self._dimmed
        scene: Linear = populated(self._light, room_random) * tint
        for damage in damages:
            gain *= damage.gain(scene)
            scene = damage.lens(scene, moment)
        noise_random = np.random.default_rng([*self._seed, moment, 1])
        picture = levels(expose(scene, self._sensor, noise_random, gain))
        for damage in damages:
            picture = damage.signal(picture, moment)
        if self._frame is not None:
            picture = self._frame.put(picture)
        return burn_in(picture, self._overlay, at_wall_ns)


def _dimming(light: Linear, sensor: Sensor, mean: float, frame: Frame | None) -> float:
    """Return the gain at which the mean level of what is shown of a scene is `mean`, or less if its own is."""
    low, high = 0.0, 1.0
    for _ in range(8):
        gain = (low + high) / 2
        picture = levels(expose(light, sensor, np.random.default_rng(0), gain))
        shown = picture if frame is None else picture[frame.shown(picture)]
        darker = shown.mean() < mean
        low, high = (gain, high) if darker else (low, gain)
    return high
