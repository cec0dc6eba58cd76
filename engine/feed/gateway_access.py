"""Decides whether a gateway may push a keyframe: by its key, the camera, and the time that it gives. Pure."""

from collections.abc import Mapping

from engine.clock import ns, seconds
from engine.config.intake import IntakeSettings
from engine.errors import WireError
from engine.model.camera import Camera
from engine.model.keyframe import DropReason, Keyframe


class GatewayAccess:
    """The rules that are in force. Every refusal is a WireError with a DropReason, and says what to do."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._scopes = {gateway.name: (gateway.regions, frozenset(gateway.cameras)) for gateway in settings.gateways}
        self._ahead_max_ns, self._behind_max_ns = ns(settings.push_ahead_max_s), ns(settings.push_behind_max_s)

    def gateway_of(self, key: str, names: Mapping[str, str]) -> str:
        """Return the name of the gateway that holds this key. `names`: of the keys that are allowed now.

        Raises WireError (unknown_key) if the key is none of them: it was taken away while its connection was open.
        """
        if key not in names:
            raise WireError(DropReason.UNKNOWN_KEY, f"key {key} is not in intake.curve_clients_dir any longer")
        return names[key]

    def check(self, gateway: str, keyframe: Keyframe, camera: Camera | None, now_wall_ns: int) -> None:
        """Raise WireError unless this gateway may push this keyframe now.

        `gateway`: its name; empty without CURVE, when nobody knows who pushes. `camera`: None if the registry does not
        know it.
        """
        if camera is None:
            raise WireError(
                DropReason.UNKNOWN_CAMERA, f"camera {keyframe.camera_id!r} is not in the registry; import it first"
            )
        self._check_scope(gateway, camera)
        self.check_passed_on(keyframe, camera, now_wall_ns)

    def check_passed_on(self, keyframe: Keyframe, camera: Camera, now_wall_ns: int) -> None:
        """Raise WireError unless this keyframe may be taken now from the front that let its gateway push it."""
        if not camera.push:
            raise WireError(
                DropReason.NOT_PUSHED,
                f"camera {camera.camera_id!r} is visited by the engine, a push proves nothing of it; set `push` in the "
                "registry if a gateway is to send its keyframes",
            )
        self._check_time(keyframe, now_wall_ns)

    def _check_scope(self, gateway: str, camera: Camera) -> None:
        if self._scopes and not self._in_scope(gateway, camera):
            raise WireError(
                DropReason.OUT_OF_SCOPE,
                f"camera {camera.camera_id!r} of region {camera.region!r} is none that this gateway may push for; "
                "if it should, add the region or the camera to its table in intake.gateways",
            )

    def _check_time(self, keyframe: Keyframe, now_wall_ns: int) -> None:
        ahead_ns = keyframe.arrival_wall_ns - now_wall_ns
        if not -self._behind_max_ns <= ahead_ns <= self._ahead_max_ns:
            where = "ahead of" if ahead_ns > 0 else "behind"
            raise WireError(
                DropReason.BAD_TIME,
                f"its time is {abs(seconds(ahead_ns)):.0f} s {where} our clock; allowed: at most "
                f"{seconds(self._ahead_max_ns):g} s ahead (intake.push_ahead_max_s) and "
                f"{seconds(self._behind_max_ns):g} s behind (intake.push_behind_max_s); set the gateway's clock, or "
                "leave arrival_wall_ns out",
            )

    def _in_scope(self, gateway: str, camera: Camera) -> bool:
        regions, camera_ids = self._scopes.get(gateway, ((), frozenset[str]()))
        return camera.camera_id in camera_ids or camera.region.startswith(regions)
