"""Measures the network that visits take, by recorder and by county: means of a minute, and their 95th percentile. Pure.

The 95th percentile is what lines are sized and billed by: all minutes but the busiest twentieth. Each minute's mean is
counted in a bin of an eighth of an octave, so that a percentile is exact to 5 %, and a province takes a few megabytes
however long it is simulated.
"""

import math
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.simulation.fleet import Fleet

PERCENTILE = 0.95
_BINS_PER_OCTAVE = 8
_BINS = 24 * _BINS_PER_OCTAVE
"""Of 1 kbit/s to 16 Gbit/s; bin 0 is for minutes without a visit."""
_SHOWN = 10


class _Groups:
    """The traffic of recorders, or of counties. `place`: the index of each camera's group, -1 for none."""

    def __init__(self, names: Sequence[str], place: "array[int]") -> None:
        self._names = names
        self._place = np.frombuffer(place, dtype=np.int32)
        self._counts = np.zeros((len(names), _BINS), dtype=np.uint16)

    def add_minute(self, cameras: npt.NDArray[np.int32], kbit: npt.NDArray[np.float64], seconds: float) -> None:
        """Count the visits of a minute that has ended, by camera."""
        place = self._place[cameras]
        sums = np.bincount(place[place >= 0], weights=kbit[place >= 0], minlength=len(self._names)) / seconds
        row = self._counts
        at = np.arange(len(self._names)), _bin_of(sums)
        row[at] = np.minimum(row[at], np.iinfo(np.uint16).max - 1) + 1

    def reset(self) -> None:
        """Forget all minutes."""
        self._counts[:] = 0

    def json(self) -> dict[str, Any]:
        """Return the 95th percentiles in Mbit/s: of the busiest group, of the median one, and of the busiest by
        name."""
        if not self._names:
            return {"max": 0.0, "median": 0.0, "busiest": {}}
        share = np.cumsum(self._counts, axis=1) / np.maximum(1, self._counts.sum(axis=1, dtype=np.int64))[:, None]
        values = _mbit_s_of(np.argmax(share >= PERCENTILE, axis=1))
        busiest = sorted(range(len(values)), key=lambda index: (-values[index], self._names[index]))[:_SHOWN]
        return {
            "max": _rounded(float(values.max())),
            "median": _rounded(float(np.median(values))),
            "busiest": {self._names[index]: _rounded(float(values[index])) for index in busiest},
        }


class Network:
    """The traffic of a simulation. A visit counts in the minute in which it begins."""

    def __init__(self, fleet: Fleet) -> None:
        self._cameras = array("i")
        self._kbit = array("d")
        self._all = _Groups(["all"], array("i", bytes(4 * len(fleet))))
        self._uplinks = _Groups(fleet.uplinks, fleet.uplink)
        self._counties = _Groups(fleet.counties, fleet.county)
        self._total_kbit = 0.0

    def visited(self, camera: int, kbit: float) -> None:
        """Count a visit that brings so many kbit."""
        self._cameras.append(camera)
        self._kbit.append(kbit)

    def end_minute(self, seconds: float) -> None:
        """End a step of so many seconds."""
        cameras = np.frombuffer(self._cameras, dtype=np.int32)
        kbit = np.frombuffer(self._kbit, dtype=np.float64)
        self._total_kbit += float(kbit.sum())
        for groups in (self._all, self._uplinks, self._counties):
            groups.add_minute(cameras, kbit, seconds)
        self._cameras, self._kbit = array("i"), array("d")

    def reset(self) -> None:
        """Forget what was: the first round is over."""
        self._total_kbit = 0.0
        for groups in (self._all, self._uplinks, self._counties):
            groups.reset()

    def json(self) -> dict[str, Any]:
        """Return `gbyte`: what was received; `mbit_s_p95`: of all visits together; `uplinks`, `counties`: by these."""
        return {
            "gbyte": round(self._total_kbit / 8e6, 3),
            "mbit_s_p95": self._all.json()["max"],
            "uplinks": self._uplinks.json(),
            "counties": self._counties.json(),
        }


def _bin_of(kbit_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    bins = 1 + np.floor(_BINS_PER_OCTAVE * np.log2(np.maximum(1.0, kbit_s))).astype(np.int64)
    return np.where(kbit_s > 0, np.minimum(bins, _BINS - 1), 0)


def _mbit_s_of(bins: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the middle of each bin in Mbit/s; 0 for bin 0."""
    return np.where(bins > 0, 2.0 ** ((bins - 0.5) / _BINS_PER_OCTAVE) / 1000, 0.0)


def _rounded(value: float) -> float:
    """Round to three digits: a percentile is no more exact."""
    return round(value, 2 - math.floor(math.log10(value))) if value > 0 else 0.0
