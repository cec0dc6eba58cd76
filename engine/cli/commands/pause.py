"""`patrol pause` and `patrol resume`: stop visits to some cameras for a while, and start them again."""

from typing import Annotated

import typer

from engine.cli.json_output import print_message
from engine.cli.options import (
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    UtcOption,
    client_of,
    settings_of,
    times_of,
)
from engine.clock import ns, wall_ns
from engine.errors import ConfigError
from engine.model.schedule import PauseKind, PauseScope, PauseStatus
from engine.terminal.times import Times

RegionOption = Annotated[str | None, typer.Option(help="GB/T 2260 prefix; empty: all cameras.")]
UplinkOption = Annotated[str, typer.Option(help="A recorder: its name in the registry, or its host:port.")]
HostOption = Annotated[str, typer.Option(help="A platform: the host in its cameras' URLs.")]
CameraOption = Annotated[str, typer.Option(help="One camera (its id).")]


def pause(
    reason: Annotated[str, typer.Option(help="Reason, shown in the status and in the plan of each camera.")],
    region: RegionOption = None,
    uplink: UplinkOption = "",
    host: HostOption = "",
    camera: CameraOption = "",
    minutes: Annotated[float, typer.Option(help="Minutes until it ends; 0: until it is resumed.", min=0)] = 0.0,
    as_json: JsonOption = False,
    utc: UtcOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Stop visits to a region, recorder, platform or camera for a while. Its periods count as missed (paused)."""
    scope = _scope(region, uplink, host, camera)
    until_ns = wall_ns() + ns(60 * minutes) if minutes else 0
    settings = settings_of(config)
    with client_of(settings, server, token, ca) as client:
        _show(client.pause(scope, reason, until_ns), "paused", times_of(settings, utc), as_json)


def resume(
    region: RegionOption = None,
    uplink: UplinkOption = "",
    host: HostOption = "",
    camera: CameraOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Resume visits. Name exactly the region, recorder, platform or camera that was paused; `patrol top` lists them."""
    settings = settings_of(config)
    with client_of(settings, server, token, ca) as client:
        _show(client.resume(_scope(region, uplink, host, camera)), "resumed", times_of(settings, False), as_json)


def _scope(region: str | None, uplink: str, host: str, camera: str) -> PauseScope:
    given = [
        PauseScope(kind, value)
        for kind, value in (
            (PauseKind.REGION, region),
            (PauseKind.UPLINK, uplink or None),
            (PauseKind.HOST, host or None),
            (PauseKind.CAMERA, camera or None),
        )
        if value is not None
    ]
    if len(given) != 1:
        raise ConfigError("give one of --region, --uplink, --host and --camera (--region '' is all cameras)")
    return given[0]


def _show(status: PauseStatus, action: str, times: Times, as_json: bool) -> None:
    if as_json:
        from engine.serve.messages.schedule import pause_message

        print_message(pause_message(status))
        return
    scope, until_ns = status.pause.scope, status.pause.until_wall_ns
    end = f", until {times.sentence(until_ns)}" if until_ns and action == "paused" else ""
    OUT.out(f"{action}: {scope.kind} {scope.value or 'all'}, {status.cameras:,} cameras{end}", highlight=False)
