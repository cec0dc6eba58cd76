"""The cameras of a rehearsal: made up in a province's proportions, or those of a registry; each with its stream."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, cycle, islice

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.errors import ConfigError
from engine.hub.camera_plan import plan_of
from engine.model.camera import Camera, KeyPoint
from engine.scheduler.classes import CameraClass, base_class
from engine.scheduler.deterministic_random import seed_of, uniform
from engine.scheduler.events import CameraPlan
from engine.simulation.world import World

CAMERAS_MAX = 1_000_000
_CAMERAS_A_PROVINCE, _UPLINKS, _COUNTIES = 131_072, 40_000, 170
_CAMERAS_A_CANTEEN = 8
_COUNTIES_A_PLATFORM = 5
_POINTS = (
    KeyPoint.ROUGH_PROCESSING,
    KeyPoint.COOKING,
    KeyPoint.DISH_WASHING,
    KeyPoint.STORAGE,
    KeyPoint.CUTTING,
    KeyPoint.SERVING,
    KeyPoint.DINING_SCREEN,
    KeyPoint.SPECIAL_ROOM,
)
_STREAM_DRAW, _INTERVAL_DRAW, _HOURS_DRAW, _CACHED_DRAW = ((1 << 32) + n for n in range(4))


@dataclass(slots=True)
class Fleet:
    """Columns by camera, in the order of `ids`. `uplink` and `host`: -1 for none; names are in the lists beside.

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
        """Cameras."""
        return len(self.ids)


def made_up(count: int, world: World, settings: SchedulerSettings, seed: int) -> Fleet:
    """A province of so many cameras: 131,072 of them hang on 40,000 recorders and 34 platforms in 170 counties."""
    if not 1 <= count <= CAMERAS_MAX:
        raise ConfigError(f"--cameras {count}: allowed: 1 to {CAMERAS_MAX:,}")
    return _fleet(_province(count, world, seed), world, settings, seed)


def registered(cameras: Sequence[Camera], world: World, settings: SchedulerSettings, seed: int) -> Fleet:
    """Those of a registry that are visited; the registry does not know streams and intervals: they are drawn."""
    if not cameras:
        raise ConfigError("the registry has no cameras; import some, or rehearse with --cameras N")
    return _fleet(map(plan_of, cameras), world, settings, seed)


def _province(count: int, world: World, seed: int) -> Iterator[CameraPlan]:
    canteens = -(-count // _CAMERAS_A_CANTEEN)
    counties = max(1, min(_COUNTIES, round(_COUNTIES * count / _CAMERAS_A_PROVINCE)))
    hours = _Shares([one.share for one in world.hours])
    points = cycle(_POINTS)
    for number, point in enumerate(islice(points, count)):
        canteen = number // _CAMERAS_A_CANTEEN
        county = canteen * counties // canteens
        region = f"{130_100 + 100 * (county // 16) + county % 16 + 1}"
        pattern = hours.draw(uniform(seed_of(seed, f"canteen {canteen}"), _HOURS_DRAW))
        yield CameraPlan(
            camera_id=f"{region}0011132{number:07d}",
            uplink=f"recorder-{number * _UPLINKS // _CAMERAS_A_PROVINCE}",
            host=f"platform-{county // _COUNTIES_A_PLATFORM}",
            county=region,
            site_id=f"canteen-{canteen}",
            hours=world.hours[pattern].hours,
            key_point=point,
        )


def _fleet(plans: Iterator[CameraPlan], world: World, settings: SchedulerSettings, seed: int) -> Fleet:
    fleet = Fleet()
    names: tuple[dict[str, int], ...] = ({}, {}, {})
    streams = _Shares([one.share for one in world.streams])
    intervals = _Shares([one.share for one in world.intervals])
    intervals_ns = [ns(one.seconds) for one in world.intervals]
    for plan in plans:
        if plan.push or not plan.enabled:
            continue
        own = seed_of(seed, plan.camera_id)
        fleet.index[plan.camera_id] = len(fleet.ids)
        fleet.ids.append(plan.camera_id)
        fleet.uplink.append(_number(names[0], plan.uplink))
        fleet.host.append(_number(names[1], plan.host))
        fleet.county.append(_number(names[2], plan.county or "none"))
        fleet.stream.append(streams.draw(uniform(own, _STREAM_DRAW)))
        at_once = uniform(own, _CACHED_DRAW) < world.gop_cached_share
        fleet.wait_ns.append(0 if at_once else intervals_ns[intervals.draw(uniform(own, _INTERVAL_DRAW))])
        kind = base_class(plan.key_point, plan.required, settings)
        fleet.key_point.append(int(kind == CameraClass.KEY_POINT))
        fleet.demux.append(int(plan.demux))
        fleet.plans.append(plan)
    fleet.uplinks, fleet.hosts, fleet.counties = (list(one) for one in names)
    return fleet


def _number(known: dict[str, int], name: str) -> int:
    return known.setdefault(name, len(known)) if name else -1


class _Shares:
    """Which of several, by relative shares."""

    def __init__(self, shares: Sequence[float]) -> None:
        total = sum(shares)
        self._bounds = [bound / total for bound in accumulate(shares)]

    def draw(self, at: float) -> int:
        """`at`: in [0, 1)."""
        return min(bisect_right(self._bounds, at), len(self._bounds) - 1)
