"""`patrol top` and `patrol plan`: show how periods are kept, and why a camera is due when it is."""

import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.text import Text

from engine.cli.errors import sentence
from engine.cli.json_output import print_json, print_message
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
    stop_on_signals,
    times_of,
)
from engine.clock import wall_ns
from engine.errors import PatrolError
from engine.terminal.camera_plan import show_plan
from engine.terminal.scheduler_view import render_schedule, show_schedule
from engine.terminal.times import Times

if TYPE_CHECKING:
    from engine.client import PatrolClient

_LIVE_INTERVAL_S = 2.0


def top(
    once: Annotated[bool, typer.Option("--once", help="Print the state once as plain lines, then end.")] = False,
    as_json: JsonOption = False,
    interval: Annotated[
        float | None,
        typer.Option(
            min=0.2, max=3600, help="Seconds between two refreshes. Default: 2 on a terminal; elsewhere it prints once."
        ),
    ] = None,
    utc: UtcOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Show live how the patrol keeps its periods: classes, lag, caps in use, counties, failures, outages.

    Runs until Ctrl-C. On a pipe, with --json or with --once it prints the state once, as plain lines or one JSON
    object; with --interval it repeats.
    """
    settings = settings_of(config)
    with client_of(settings, server, token, ca) as client:
        stop = stop_on_signals()
        if OUT.is_terminal and not as_json and not once:
            _watch(
                client,
                server or settings.serve.grpc_listen,
                interval or _LIVE_INTERVAL_S,
                stop,
                times_of(settings, utc),
            )
            return
        while True:
            _print(client, as_json)
            if once or interval is None or stop.wait(interval):
                return
            if not as_json:
                OUT.out("")


def plan(
    camera_id: Annotated[str, typer.Argument(help="Id of the camera.", metavar="CAMERA")],
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Show why a camera is due when it is: class, last outcome, back-off, caps it waits for, its kitchen's hours."""
    settings = settings_of(config)
    with client_of(settings, server, token, ca) as client:
        report = client.plan(camera_id)
    if as_json:
        from engine.serve.messages.schedule import plan_message

        print_message(plan_message(report))
    else:
        show_plan(OUT, report, times_of(settings, utc))


def _print(client: "PatrolClient", as_json: bool) -> None:
    engine, schedule = client.status(), client.schedule()
    if as_json:
        from engine.serve.messages.convert import engine_message
        from engine.serve.messages.proto_json import message_json
        from engine.serve.messages.schedule import schedule_message

        tree = {"engine": engine_message(engine), "schedule": schedule_message(schedule)}
        print_json({name: message_json(message) for name, message in tree.items()})
    else:
        show_schedule(OUT, engine, schedule)


def _watch(client: "PatrolClient", address: str, interval_s: float, stop: threading.Event, times: Times) -> None:
    """Show the live view until `stop`. Once it was shown, waits for an engine that is restarted."""
    engine, schedule = client.status(), client.schedule()
    read_wall_ns = wall_ns()
    with Live(console=OUT, auto_refresh=False, screen=True) as live:
        footer = _footer(address, interval_s)
        while True:
            live.update(render_schedule(engine, schedule, footer, OUT.width, OUT.height), refresh=True)
            if stop.wait(interval_s):
                return
            try:
                engine, schedule = client.status(), client.schedule()
                read_wall_ns = wall_ns()
                footer = _footer(address, interval_s)
            except PatrolError as error:
                footer = Text(f"as of {times.sentence(read_wall_ns)}: {sentence(error)[1]}", style="bold red")


def _footer(address: str, interval_s: float) -> Text:
    return Text(f"{address}   every {interval_s:g} s   Ctrl-C ends", style="bright_black")
