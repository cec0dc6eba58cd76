"""`patrol cameras show` and `patrol verdicts`: everything about one camera, and what its visits brought."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from engine.cli.json_output import print_json, print_message
from engine.cli.options import (
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    UtcOption,
    camera_id_from,
    settings_of,
    times_of,
)
from engine.clock import NS_PER_S
from engine.errors import ConfigError
from engine.interchange.regions import hebei
from engine.terminal.camera_facts import facts, headline, show_facts, verdict_columns, verdict_row
from engine.terminal.tables import show_table
from engine.terminal.times import Times, span_ns

if TYPE_CHECKING:
    from engine.model.findings import Finding
    from engine.model.registry import CameraStatus
    from engine.model.schedule import CameraPlanReport
    from engine.model.verdict import Verdict

_WHEN = "a span back from now like 90m, 24h or 7d, or a time like 2026-11-29T08:00 in the zone of the output"

CameraArgument = Annotated[
    str, typer.Argument(help="Id of the camera, or its name in the API (cameras/ID).", metavar="CAMERA")
]


def show_camera(
    camera_id: CameraArgument,
    visits: Annotated[int, typer.Option(help="Last visits to show.", min=0, max=1000)] = 5,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Show all that is known of one camera: registry row, verdict, open findings, plan, last visits.

    Asks the engine if it runs, else reads its database.
    """
    from engine.batch.camera_access import open_cameras

    settings = settings_of(config)
    times = times_of(settings, utc)
    camera_id = camera_id_from(camera_id)
    with open_cameras(settings, server, token, ca) as cameras:
        status = cameras.status(camera_id)
        findings = cameras.findings(camera_id, open_only=True)
        plan = cameras.plan(camera_id)
        last = list(islice(cameras.verdicts(camera_id), visits))
    if as_json:
        print_json(_camera_json(status, findings, plan, last))
        return
    show_facts(OUT, headline(status, times), facts(status, findings, plan, hebei().label(status.camera.region), times))
    if last:
        OUT.out("")
        show_table(OUT, verdict_columns(times), [verdict_row(verdict, times) for verdict in last])


def verdicts(
    camera_id: CameraArgument,
    since: Annotated[str, typer.Option(help=f"Only visits from then on: {_WHEN}.")] = "",
    until: Annotated[str, typer.Option(help="Only visits before then, given in the same way.")] = "",
    changes: Annotated[
        bool, typer.Option("--changes", help="Only visits after which another state or fault was announced.")
    ] = False,
    rows: Annotated[int, typer.Option(help="Visits to show at most.", min=1, max=1_000_000)] = 100,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """List the verdicts on a camera that are kept, newest first.

    Asks the engine if it runs, else reads its database. `announced` is what the engine stood by after the visit.
    """
    from engine.batch.camera_access import open_cameras

    settings = settings_of(config)
    times = times_of(settings, utc)
    first_ns, end_ns = (_moment(option, text, times) for option, text in (("--since", since), ("--until", until)))
    if first_ns and end_ns and end_ns <= first_ns:
        raise ConfigError(f"--until {until!r} is not after --since {since!r}; exchange the two")
    camera_id = camera_id_from(camera_id)
    with open_cameras(settings, server, token, ca) as cameras:
        cameras.status(camera_id)  # an unknown id is an error, not an empty list
        kept = cameras.verdicts(camera_id)
        chosen = _within(_changes(kept) if changes else kept, first_ns, end_ns)
        if as_json:
            from engine.serve.messages.convert import verdict_message

            for verdict in islice(chosen, rows):
                print_message(verdict_message(verdict))
            return
        table = [verdict_row(verdict, times) for verdict in islice(chosen, rows)]
        show_table(OUT, verdict_columns(times), table, f"{len(table)} verdicts in {cameras.name}")


def _within(verdicts: "Iterable[Verdict]", first_ns: int, end_ns: int) -> "Iterator[Verdict]":
    """Yield those of a time span; `verdicts` are newest first. 0: no bound."""
    for verdict in verdicts:
        if verdict.at_wall_ns < first_ns:
            return
        if not end_ns or verdict.at_wall_ns < end_ns:
            yield verdict


def _changes(verdicts: "Iterator[Verdict]") -> "Iterator[Verdict]":
    """Yield the verdicts that announced something else than the one before; of all that are kept the oldest too."""
    newer = next(verdicts, None)
    if newer is None:
        return
    for older in verdicts:
        if _announced(newer) != _announced(older):
            yield newer
        newer = older
    yield newer


def _announced(verdict: "Verdict") -> tuple[object, ...]:
    return verdict.announced, verdict.announced_kinds, verdict.announced_cause


def _moment(option: str, text: str, times: Times) -> int:
    """Return the moment that a text names, in nanoseconds; 0 for an empty text. Raises ConfigError."""
    if not text:
        return 0
    span = span_ns(text)
    if span is not None:
        return times.now_wall_ns - span
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: allowed: {_WHEN}") from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=ZoneInfo(times.zone))
    return round(time.timestamp()) * NS_PER_S


def _camera_json(
    status: "CameraStatus", findings: "list[Finding]", plan: "CameraPlanReport | None", last: "list[Verdict]"
) -> dict[str, object]:
    from engine.redact import redact
    from engine.serve.messages.convert import status_message, verdict_message
    from engine.serve.messages.findings import finding_message
    from engine.serve.messages.proto_json import message_json
    from engine.serve.messages.schedule import plan_message

    return {
        "camera": message_json(status_message(status, redact)),
        "findings": [message_json(finding_message(finding)) for finding in findings],
        "plan": None if plan is None else message_json(plan_message(plan)),
        "verdicts": [message_json(verdict_message(verdict)) for verdict in last],
    }
