"""An engine with the console whose cameras a gateway pushes pictures for: some healthy, some dark, some never seen."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from engine.client import PatrolClient
from engine.clock import wall_ns
from engine.config.web import WebSettings
from engine.feed import wire
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera, KeyPoint
from engine.model.keyframe import Codec, Keyframe
from engine.model.registry import CameraQuery
from engine.model.verdict import State
from engine.model.visit import FeedKind
from engine.runtime.transport import Transport
from engine.supervisor.app import Supervisor
from tests.support.feed.clips import encode, scene
from tests.support.live_engine import fast_scheduler, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until

HERE, ELSEWHERE = "130102", "130203"
DARK = ("p-001", "p-002")
SEEN = tuple(f"p-{number:03}" for number in range(24))
OFFLINE = ("gone-0", "gone-1")
CAMERAS = 150
_POINTS = (KeyPoint.COOKING, KeyPoint.CUTTING, KeyPoint.SPECIAL_ROOM)


class WallEngine:
    """`address`: of the console. `tokens`: secrets by name: admin, and viewer of ELSEWHERE."""

    def __init__(self, engine: Supervisor, client: PatrolClient) -> None:
        self.engine = engine
        self.client = client
        self.address = engine.addresses["web"]
        self.tokens: dict[str, str] = {}
        self._transport = Transport()
        self._intake = self._transport.connect_push(engine.addresses["intake"])

    def push(self, camera_id: str, picture: bytes) -> None:
        """Push a picture of a camera."""
        self._intake.send(
            wire.pack_keyframe(Keyframe(camera_id, 0, Codec.MJPEG, picture, wall_ns(), None, FeedKind.GATEWAY))
        )

    def announce(self, pictures: Mapping[str, bytes], state: State) -> None:
        """Push these pictures by camera again and again until the state is announced of all of them."""

        def announced() -> bool:
            there = {status.camera.camera_id for status in self.client.cameras(CameraQuery(state=state))}
            for camera_id, picture in pictures.items():
                if camera_id not in there:
                    self.push(camera_id, picture)
            return set(pictures) <= there

        wait_until(announced, 120, poll_s=1.0)

    def close(self) -> None:
        """Close the gateway's socket."""
        self._transport.close()


@cache
def picture(seed: int = 1, dim: float = 1.0) -> bytes:
    """Return a JPEG with edges; `dim`: its light."""
    return encode(Codec.MJPEG, [(scene(352, 288, seed) * dim).astype("uint8")])[0]


def cameras() -> list[Camera]:
    """Return the cameras: SEEN and as many more are pushed, OFFLINE are visited at a port where nobody listens."""
    pushed = [
        Camera(
            f"p-{number:03}",
            "",
            f"Room <b>{number}</b>",
            region=HERE if number < 100 else ELSEWHERE,
            site_id=f"s{number // 3}",
            site_name=f"School & {number // 3}",
            key_point=_POINTS[number % 3],
            push=True,
        )
        for number in range(CAMERAS - len(OFFLINE))
    ]
    port = free_port()
    return pushed + [
        Camera(name, f"rtsp://127.0.0.1:{port}/{name}", name, region=ELSEWHERE, uplink=name) for name in OFFLINE
    ]


@contextmanager
def wall_engine(folder: Path, rows: Sequence[Camera], **web: Any) -> Iterator[WallEngine]:
    """Run it with these cameras. `web`: settings of the section."""
    scheduler = fast_scheduler(key_period_s=600)
    chosen = settings(folder, scheduler=scheduler, web=WebSettings(listen="127.0.0.1:0", **web))
    with Supervisor(chosen) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        client.import_cameras(rows)
        made = WallEngine(engine, client)
        _, made.tokens["admin"] = client.access.create_token(TokenOrder("admin", Role.ADMIN))
        client.close()
        with PatrolClient(engine.addresses["grpc"], token=made.tokens["admin"]) as admin:
            made.client = admin
            _, made.tokens["elsewhere"] = admin.access.create_token(
                TokenOrder("elsewhere", Role.VIEWER, region=ELSEWHERE)
            )
            try:
                yield made
            finally:
                made.close()
