"""Opens the intake that gateways push to, as the configuration says: for the hub, and for a front."""

import contextlib
from pathlib import Path

from engine.config.intake import IntakeSettings
from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.curve_keys import CurveKeys
from engine.runtime.transport import Channel, Curve, Transport


def open_intake(
    settings: IntakeSettings, transport: Transport, connections: ConnectionLimit, stack: contextlib.ExitStack
) -> tuple[Channel, CurveKeys | None, str]:
    """Return the socket that gateways push to, their keys (None without CURVE), and the address that was bound.

    `connections`: bounds those of gateways. Raises ListenError, or ConfigError if the CURVE keys cannot be used.
    """
    keys = curve = None
    if settings.curve_secret_file:
        keys = CurveKeys(Path(settings.curve_clients_dir))
        curve = Curve(Path(settings.curve_secret_file), keys.admits)
    pushes, address = transport.bind_pull(settings.listen, settings.payload_bytes_max, curve, connections)
    if keys is not None:
        keys.start()
        stack.callback(keys.close)
    return pushes, keys, address
