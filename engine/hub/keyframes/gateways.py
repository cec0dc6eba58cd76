"""Receives what gateways push: accepts a keyframe, or refuses it with a reason that is counted and, sampled, logged."""

from collections.abc import Mapping, Sequence

from engine.clock import NS_PER_S, monotonic_ns, wall_ns
from engine.config.intake import IntakeSettings
from engine.errors import WireError
from engine.feed import wire
from engine.feed.gateway_access import GatewayAccess
from engine.feed.passed_on import PassedOn
from engine.hub.keyframes.latest_times import LatestTimes
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import DropReason, Keyframe, Push
from engine.model.visit import FeedKind
from engine.printable import printable
from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.curve_keys import CurveKeys
from engine.runtime.log import report
from engine.runtime.log_burst import BurstLimit
from engine.runtime.log_events import GATEWAYS_CLOSED, GATEWAYS_REFUSED, PUSH_REFUSED, PUSHES_REFUSED
from engine.serve.access.refusals import GATEWAY_CONNECT, HANDSHAKE, PUSH, Refusals

_LOG_WINDOW_NS = 60 * NS_PER_S
_STRANGERS, _CLOSED = "strangers", "closed"
"""Names of the lines about connections; the names of the others begin with a DropReason."""


class Gateways:
    """For one thread: the hub's, or that of a front's intake. `keys`: None without CURVE, where everybody on the
    machine may push. `connections`: those to the intake. `latest`: of what fronts pass on.

    The first refused push of a gateway for a reason is logged, the others of that minute are summed: a gateway whose
    clock is wrong makes two lines a minute, and not a thousand. `refusals`: all of them, for the audit log.
    """

    def __init__(
        self,
        settings: IntakeSettings,
        cameras: Mapping[str, Camera],
        keys: CurveKeys | None,
        metrics: Metrics,
        connections: ConnectionLimit,
        refusals: Refusals | None = None,
        latest: LatestTimes | None = None,
    ) -> None:
        self._latest = latest or LatestTimes()
        self._refusals = refusals or Refusals()
        self._cameras = cameras
        self._keys = keys
        self._metrics = metrics
        self._burst = BurstLimit(1, _LOG_WINDOW_NS)
        self._connections = connections
        self._last_push_id = self._strangers = self._closed = 0
        self.configure(settings)

    def configure(self, settings: IntakeSettings) -> None:
        """Apply new settings; they hold for the next message, on connections that are open as well."""
        self._payload_bytes_max = settings.payload_bytes_max
        self._access = GatewayAccess(settings)

    def receive(self, frames: Sequence[wire.Frame], key: str) -> Push | None:
        """Return the keyframe of a message, with a visit id of ours; None if it is refused. `key`: of who sent it."""
        gateway, camera_id = key, ""
        now_wall_ns = wall_ns()
        try:
            gateway = "" if self._keys is None else self._access.gateway_of(key, self._keys.names)
            keyframe = wire.unpack_keyframe(frames, self._payload_bytes_max, now_wall_ns)
            camera_id = keyframe.camera_id
            self._access.check(gateway, keyframe, self._cameras.get(camera_id), now_wall_ns)
        except WireError as error:
            self.refuse(gateway, camera_id, error)
            return None
        return Push(gateway, self._own(keyframe, now_wall_ns))

    def receive_passed_on(self, item: PassedOn) -> Keyframe | None:
        """Return a keyframe that a front let its gateway push, with a visit id of ours; None if it is refused here, or
        not newer than the camera's newest one.

        Raises KeyError if the registry does not have the camera: the front keeps the keyframe for a while.
        """
        camera_id, now_wall_ns = "", wall_ns()
        try:
            keyframe = wire.unpack_header(item.header, item.payload, self._payload_bytes_max, now_wall_ns)
            camera_id = keyframe.camera_id
            self._access.check_passed_on(keyframe, self._cameras[camera_id], now_wall_ns)
        except WireError as error:
            self.refuse(item.gateway, camera_id, error)
            return None
        if not self._latest.advance(camera_id, keyframe.arrival_wall_ns):
            self._metrics.dropped(DropReason.NOT_NEWER)
            return None
        return self._own(keyframe, now_wall_ns)

    def refuse(self, gateway: str, camera_id: str, error: WireError) -> None:
        """Count a keyframe that is not taken, and log it unless the gateway had one refused for this reason lately."""
        self._metrics.dropped(error.reason)
        is_known = error.reason != DropReason.UNKNOWN_KEY
        subject = (camera_id and f"cameras/{printable(camera_id)}") if is_known else f"key {gateway}"
        self._refusals.add(PUSH, error.reason, who=gateway if is_known else "", subject=subject)
        if self._burst.admit(f"{error.reason} {gateway}", gateway, monotonic_ns()):
            report(PUSH_REFUSED, gateway=gateway, reason=error.reason, camera_id=camera_id, detail=str(error))

    def each_second(self, failed_handshakes: int = 0) -> None:
        """Count connections, those refused and those closed, and log what was left out in minutes that are over.

        `failed_handshakes`: with the intake, since the last call.
        """
        self._count_connections()
        self._latest.prune(self._cameras)
        if failed_handshakes:
            self._metrics.handshakes_failed("intake", failed_handshakes)
            self._refusals.add(GATEWAY_CONNECT, HANDSHAKE, number=failed_handshakes)
        now_ns = monotonic_ns()
        for name, counts in self._burst.drain(now_ns).items():
            if name not in (_STRANGERS, _CLOSED):
                report(PUSHES_REFUSED, gateway=next(iter(counts)), reason=name.partition(" ")[0], number=counts.total())
        if self._strangers and self._burst.admit(_STRANGERS, "", now_ns):
            report(GATEWAYS_REFUSED, number=self._strangers)
            self._strangers = 0
        if self._closed and self._burst.admit(_CLOSED, "", now_ns):
            report(GATEWAYS_CLOSED, number=self._closed, open=len(self._connections))
            self._closed = 0

    def _count_connections(self) -> None:
        if self._keys is not None:
            for (key, address), number in self._keys.drain_refused().items():
                self._metrics.gateways_refused(number)
                self._strangers += number
                self._refusals.add(
                    GATEWAY_CONNECT, DropReason.UNKNOWN_KEY, host=address, subject=key and f"key {key}", number=number
                )
        closed = self._connections.drain_closed()
        self._metrics.gateway_connections(len(self._connections), closed)
        self._closed += closed

    def _own(self, keyframe: Keyframe, now_wall_ns: int) -> Keyframe:
        # The gateway's own visit id and timings are not trusted, and would not all fit into the database.
        self._last_push_id = max(self._last_push_id + 1, now_wall_ns)
        return Keyframe(
            keyframe.camera_id,
            self._last_push_id,
            keyframe.codec,
            keyframe.payload,
            keyframe.arrival_wall_ns,
            keyframe.stream_time_ns,
            FeedKind.GATEWAY,
        )
