"""Builds the cameras of a simulation: generated in a province's proportions, or from a registry; each with a stream."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, cycle, islice

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.errors import ConfigError
from engine.hub.visiting.camera_plan import plan_of
from engine.model.camera import Camera, KeyPoint
from engine.scheduler.classes import CameraClass, base_class
from engine.scheduler.deterministic_random import seed_of, uniform
from engine.scheduler.events import CameraPlan
from engine.simulation.world import World

CAMERAS_MAX = 2_000_000
_CAMERAS_PER_PROVINCE, _UPLINKS_PER_PROVINCE, _COUNTIES_PER_PROVINCE = 131_072, 40_000, 170
_CAMERAS_PER_CANTEEN = 8
_COUNTIES_PER_PLATFORM = 5
_KEY_POINTS = (
    KeyPoint.ROUGH_PROCESSING,
    KeyPoint.COOKING,
    KeyPoint.DISH_WASHING,
    KeyPoint.STORAGE,
    KeyPoint.CUTTING,
    KeyPoint.SERVING,
    KeyPoint.DINING_SCREEN,
    KeyPoint.SPECIAL_ROOM,
)
_STREAM_DRAW, _INTERVAL_DRAW, _HOURS_DRAW, _CACHED_DRAW, _SUB_DRAW = ((1 << 32) + n for n in range(5))


@dataclass(slots=True)
class Fleet:
    """Columns by camera, in the order of `ids`. `uplink`, `host`, `county`: indices of the lists of names, -1 for none.

    `wait_ns`: the longest wait for a keyframe: the stream's keyframe interval, or 0 if its server sends one at once.
    """

    ids: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    uplink: "array[int]" = field(default_factory=lambda: array("i"))
    host: "array[int]" = field(default_factory=lambda: array("i"))
    county: "array[int]" = field(default_factory=lambda: array("i"))
    stream: "array[int]" = field(default_factory=lambda: array("i"))
    wait_ns: "array[int]" = field(default_factory=lambda: array("q"))
    key_point: "array[int]" = field(default_factory=lambda: array("b"))
    demux: "array[int]" = field(default_factory=lambda: array("b"))
    uplinks: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    counties: list[str] = field(default_factory=list)
    plans: "list[CameraPlan]" = field(default_factory=list)

    def __len__(self) -> int:
        """The number of cameras."""
        return len(self.ids)


def generate_fleet(count: int, world: World, settings: SchedulerSettings, seed: int) -> Fleet:
    """Generate `count` cameras in the proportions of a province, which has 40,000 recorders, 34 platforms and 170
    counties for 131,072 cameras; more are several provinces. Raises ConfigError if the count is out of range.
    """
    if not 1 <= count <= CAMERAS_MAX:
        raise ConfigError(f"--cameras {count}: allowed: 1 to {CAMERAS_MAX:,}")
    return fleet_from_plans(_province(count, world, seed), world, settings, seed)


def fleet_from_registry(cameras: Sequence[Camera], world: World, settings: SchedulerSettings, seed: int) -> Fleet:
    """Build the fleet of a registry's visited cameras; streams and intervals, which it does not know, are drawn.
    Raises ConfigError if there are no cameras.
    """
    if not cameras:
        raise ConfigError("the registry has no cameras; import some, or simulate with --cameras N")
    return fleet_from_plans(map(plan_of, cameras), world, settings, seed)


def _province(count: int, world: World, seed: int) -> Iterator[CameraPlan]:
    canteens = -(-count // _CAMERAS_PER_CANTEEN)
    counties = max(1, round(_COUNTIES_PER_PROVINCE * count / _CAMERAS_PER_PROVINCE))
    hours = _Shares([pattern.share for pattern in world.hours])
    for number, key_point in enumerate(islice(cycle(_KEY_POINTS), count)):
        canteen = number // _CAMERAS_PER_CANTEEN
        county = canteen * counties // canteens
        region = f"{130_100 + 100 * (county // 16) + county % 16 + 1}"
        pattern = hours.draw(uniform(seed_of(seed, f"canteen {canteen}"), _HOURS_DRAW))
        camera_id = f"{region}0011132{number:07d}"
        yield CameraPlan(
            camera_id=camera_id,
            uplink=f"recorder-{number * _UPLINKS_PER_PROVINCE // _CAMERAS_PER_PROVINCE}-{region}",
            host=f"platform-{county // _COUNTIES_PER_PLATFORM}",
            county=region,
            site_id=f"canteen-{canteen}",
            hours=world.hours[pattern].hours,
            key_point=key_point,
            sub=uniform(seed_of(seed, camera_id), _SUB_DRAW) < world.sub_share,
        )


def fleet_from_plans(plans: Iterable[CameraPlan], world: World, settings: SchedulerSettings, seed: int) -> Fleet:
    """Build the fleet of those of these cameras that are visited; streams and intervals are drawn."""
    fleet = Fleet()
    names: tuple[dict[str, int], ...] = ({}, {}, {})
    streams = _Shares([stream.share for stream in world.streams])
    intervals = _Shares([interval.share for interval in world.intervals])
    intervals_ns = [ns(interval.seconds) for interval in world.intervals]
    for plan in plans:
        if plan.push or not plan.enabled:
            continue
        camera_seed = seed_of(seed, plan.camera_id)
        fleet.index[plan.camera_id] = len(fleet.ids)
        fleet.ids.append(plan.camera_id)
        fleet.uplink.append(_index_of(names[0], plan.uplink))
        fleet.host.append(_index_of(names[1], plan.host))
        fleet.county.append(_index_of(names[2], plan.county or "none"))
        fleet.stream.append(streams.draw(uniform(camera_seed, _STREAM_DRAW)))
        is_cached = uniform(camera_seed, _CACHED_DRAW) < world.gop_cached_share
        interval_ns = intervals_ns[intervals.draw(uniform(camera_seed, _INTERVAL_DRAW))]
        fleet.wait_ns.append(0 if is_cached else interval_ns)
        is_key_point = base_class(plan.key_point, plan.required, settings) == CameraClass.KEY_POINT
        fleet.key_point.append(int(is_key_point))
        fleet.demux.append(int(plan.demux))
        fleet.plans.append(plan)
    fleet.uplinks, fleet.hosts, fleet.counties = (list(indices) for indices in names)
    return fleet


def _index_of(indices: dict[str, int], name: str) -> int:
    """Return the index of a name, a new one if it has none yet; -1 for no name."""
    return indices.setdefault(name, len(indices)) if name else -1


class _Shares:
    """Draws an index by relative shares."""

    def __init__(self, shares: Sequence[float]) -> None:
        total = sum(shares)
        self._bounds = [bound / total for bound in accumulate(shares)]

    def draw(self, at: float) -> int:
        """Return the index for a number in [0, 1)."""
        return min(bisect_right(self._bounds, at), len(self._bounds) - 1)
