"""Defines the made-up county of Qinghe Xian (青禾县): eight schools, 32 cameras, and their injected faults."""

import multiprocessing
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from engine.demo.clips import ClipPlan
from engine.demo.pictures import PHOTOS
from engine.demo.server import serve
from engine.errors import PatrolError
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.verdict import FaultKind, State, Verdict
from engine.model.visit import FailureReason

REGION = "139901"
_SCHOOLS = ("第一小学", "第二小学", "实验小学", "河湾小学", "第一中学", "第二中学", "职业中学", "中心幼儿园")
_KINDS = (*[SiteKind.PRIMARY] * 4, *[SiteKind.MIDDLE] * 2, SiteKind.VOCATIONAL, SiteKind.KINDERGARTEN)
_POINTS = (
    (KeyPoint.COOKING, "烹饪间"),
    (KeyPoint.CUTTING, "切配间"),
    (KeyPoint.DISH_WASHING, "洗消间"),
    (KeyPoint.SPECIAL_ROOM, "专间"),
)
FAULTS = (
    *["blurred"] * 3, *["dark"] * 2, *["covered"] * 2, "over-exposed", *["frozen"] * 2,
    "refuses", "hangs", "garbage", "locked",
)  # fmt: skip
_EXPECTED: dict[str, tuple[State, tuple[FaultKind, ...], str]] = {
    "": (State.OK, (), ""),
    "blurred": (State.FAULT, (FaultKind.BLURRED,), ""),
    "dark": (State.FAULT, (FaultKind.TOO_DARK,), ""),
    "covered": (State.FAULT, (FaultKind.COVERED,), ""),
    "over-exposed": (State.FAULT, (FaultKind.TOO_BRIGHT,), ""),
    "frozen": (State.FAULT, (FaultKind.FROZEN,), ""),
    "refuses": (State.OFFLINE, (), FailureReason.REFUSED),
    "hangs": (State.OFFLINE, (), FailureReason.TIMEOUT_CONNECT),
    "garbage": (State.OFFLINE, (), FailureReason.PROTOCOL_ERROR),
    "locked": (State.OFFLINE, (), FailureReason.UNAUTHORIZED),
}
_START_S = 120.0


@dataclass(frozen=True, slots=True)
class DemoCamera:
    """A camera with its injected `fault` (empty: none), and the state, kinds and reason the engine should announce."""

    camera: Camera
    fault: str
    state: State
    kinds: tuple[FaultKind, ...]
    reason: str

    def is_named(self, verdict: Verdict | None) -> bool:
        """Return whether the engine announces the injected fault."""
        if verdict is None or verdict.announced != self.state:
            return False
        return set(self.kinds) <= set(verdict.announced_kinds) and (not self.reason or verdict.reason == self.reason)


class County:
    """The county, whose cameras stream while the context is open.

    `on_progress(done, total)` is called as clips are made. `only`: numbers of the cameras to stream; None: all.
    `healthy`: every camera streams what it would show without its fault.
    """

    def __init__(
        self,
        seed: int = 0,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        only: Collection[int] | None = None,
        healthy: bool = False,
    ) -> None:
        self._plans, self._faults = _plan(seed)
        if healthy:
            self._plans = [replace(plan, fault="") for plan in self._plans]
            self._faults = dict.fromkeys(self._faults, "")
        if only is not None:
            self._plans = [plan for plan in self._plans if plan.number in only]
        self._on_progress = on_progress
        self.cameras: tuple[DemoCamera, ...] = ()

    def __enter__(self) -> Self:
        """Make the clips, which are cached, start the server, and wait until it listens.

        Raises PatrolError if the server cannot start.
        """
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(self._plans, theirs), name="demo-cameras", daemon=True)
        self._process.start()
        theirs.close()
        ports = self._wait_for_ports()
        self.cameras = tuple(_demo_camera(plan, self._faults[plan.number], ports) for plan in self._plans)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server by closing its pipe."""
        self._pipe.close()
        self._process.join(2.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _wait_for_ports(self) -> tuple[int, int, int]:
        while True:
            try:
                if not self._pipe.poll(_START_S):
                    raise PatrolError(f"the demo's cameras are not ready after {_START_S:.0f} s")
                message, value = self._pipe.recv()
            except EOFError as error:
                raise PatrolError("the demo's cameras could not be started; is scikit-image installed?") from error
            if message == "ports":
                ports: tuple[int, int, int] = value
                return ports
            self._on_progress(value, len(self._plans))


def tally(cameras: Collection[DemoCamera], latest: Mapping[str, Verdict | None]) -> tuple[int, int, int]:
    """Return the number of faults named, of faults in all, and of healthy cameras called faulty."""
    faulty = [camera for camera in cameras if camera.fault]
    named = sum(camera.is_named(latest.get(camera.camera.camera_id)) for camera in faulty)
    accused = sum(
        1
        for camera in cameras
        if not camera.fault
        and (verdict := latest.get(camera.camera.camera_id)) is not None
        and verdict.announced != State.OK
    )
    return named, len(faulty), accused


def _plan(seed: int) -> tuple[list[ClipPlan], dict[int, str]]:
    generator = random.Random(seed)  # noqa: S311 (which camera is faulty is no secret)
    numbers = list(range(len(_SCHOOLS) * len(_POINTS)))
    faulty = dict(zip(generator.sample(numbers, len(FAULTS)), FAULTS, strict=True))
    plans = []
    for number in numbers:
        name = list(PHOTOS)[number % len(PHOTOS)]
        width, height = PHOTOS[name]
        h265 = number not in faulty and number % 7 == 3
        plans.append(
            ClipPlan(
                number=number,
                photo=name,
                shift=round(generator.uniform(0.2, 0.8), 3),
                width=width,
                height=height,
                codec="libx265" if h265 else "libx264",
                fault=faulty.get(number, ""),
            )
        )
    return plans, {number: faulty.get(number, "") for number in numbers}


def _demo_camera(plan: ClipPlan, fault: str, ports: tuple[int, int, int]) -> DemoCamera:
    serving, silent, refusing = ports
    port = {"refuses": refusing, "hangs": silent}.get(fault, serving)
    login = "inspector:wrong-password@" if fault == "locked" else ""
    school, point = divmod(plan.number, len(_POINTS))
    key_point, room = _POINTS[point]
    camera = Camera(
        camera_id=f"{REGION}01001320{plan.number:06}",
        url=f"rtsp://{login}127.0.0.1:{port}/cam{plan.number}",
        name=f"{room}{plan.number:02}",
        site_id=f"{REGION}{school:03}",
        site_name=f"青禾县{_SCHOOLS[school]}食堂",
        region=REGION,
        key_point=key_point,
        required=True,
        uplink=f"nvr-{plan.number}",
        site_kind=_KINDS[school],
    )
    state, kinds, reason = _EXPECTED[fault]
    return DemoCamera(camera, fault, state, kinds, reason)
