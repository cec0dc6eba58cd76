"""`patrol findings ...`: the ledger of a running engine (台账), read and worked on."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import (
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    client_of,
    settings_of,
)
from engine.errors import ConfigError
from engine.model.findings import WHY_CHARS_MAX, Finding, FindingQuery, FindingState, Level
from engine.terminal.findings import COLUMNS, EVENT_COLUMNS, event_json, event_row, finding_json, finding_row
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.client import FindingClient

app = typer.Typer(no_args_is_help=True, help="Findings of a running engine, and what becomes of them; docs/ledger.md.")

FindingArgument = Annotated[
    int, typer.Argument(help="Its number, as `patrol findings list` shows it.", metavar="FINDING", min=1)
]
WhyOption = Annotated[str, typer.Option("--why", help="Why; it stands in the ledger.")]
ReasonOption = Annotated[str, typer.Option("--why", help="Why; it stands in the ledger. It must be given.")]
NumberOption = Annotated[
    int, typer.Option("--number", help="Its latest event as you know it: refused if more happened since.", min=0)
]
_PAGE_ROWS_MAX = 1000


@app.command("list")
def list_findings(
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    site: Annotated[str, typer.Option(help="Canteen id.")] = "",
    camera: Annotated[str, typer.Option(help="Camera id.")] = "",
    state: Annotated[list[FindingState] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    level: Annotated[Level | None, typer.Option(help="Only those that this level is responsible for.")] = None,
    ended: Annotated[bool, typer.Option("--all", help="Those that are closed or dismissed, too.")] = False,
    rows: Annotated[int, typer.Option(help="At most so many.", min=1, max=1_000_000)] = 100,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Findings that have not ended, newest first."""
    states = frozenset(state or ())
    query = FindingQuery(
        region, site, camera, states, level, open_only=not ended and not states, page_size=min(rows, _PAGE_ROWS_MAX)
    )
    with client_of(settings_of(config), server, token, ca) as client:
        found = list(islice(client.findings.list(query), rows))
    if as_json:
        for one in found:
            _print_json(finding_json(one))
        return
    show_table(OUT, COLUMNS, map(finding_row, found), f"{len(found)} findings")


@app.command("show")
def show(
    finding: FindingArgument,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """One finding, and everything that happened to it."""
    with client_of(settings_of(config), server, token, ca) as client:
        one = client.findings.get(finding)
        events = list(client.findings.events(finding))
    if as_json:
        _print_json({**finding_json(one), "events": [event_json(event) for event in events]})
        return
    show_table(OUT, COLUMNS, [finding_row(one)])
    show_table(OUT, EVENT_COLUMNS, map(event_row, events))


@app.command("ack")
def acknowledge(
    finding: FindingArgument,
    why: WhyOption = "",
    number: NumberOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Take it on."""
    _act(lambda ledger: ledger.acknowledge(finding, _short(why), number=number), as_json, config, server, token, ca)


@app.command("claim")
def claim(
    finding: FindingArgument,
    why: WhyOption = "",
    number: NumberOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Say that it is mended (整改): the engine looks again at once, and closes it or hands it back."""
    _act(lambda ledger: ledger.claim(finding, _short(why), number=number), as_json, config, server, token, ca)


@app.command("close")
def close(
    finding: FindingArgument,
    why: ReasonOption,
    number: NumberOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Strike it off by decision, without a passed re-check."""
    _act(lambda ledger: ledger.close(finding, _short(why), number=number), as_json, config, server, token, ca)


@app.command("dismiss")
def dismiss(
    finding: FindingArgument,
    why: ReasonOption,
    number: NumberOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """It was no fault, or is none of ours."""
    _act(lambda ledger: ledger.dismiss(finding, _short(why), number=number), as_json, config, server, token, ca)


@app.command("supervise")
def supervise(
    finding: FindingArgument,
    why: ReasonOption,
    number: NumberOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Have a higher level watch over it (挂牌督办)."""
    _act(lambda ledger: ledger.supervise(finding, _short(why), number=number), as_json, config, server, token, ca)


def _act(
    command: "Callable[[FindingClient], Finding]",
    as_json: bool,
    config: Path | None,
    server: str,
    token: str,
    ca: Path | None,
) -> None:
    """Once the event is stored, what the finding is now."""
    with client_of(settings_of(config), server, token, ca) as client:
        after = command(client.findings)
    if as_json:
        _print_json(finding_json(after))
    else:
        OUT.out(f"findings/{after.finding_id}: {after.state} (event {after.number})", highlight=False)


def _short(why: str) -> str:
    if len(why) > WHY_CHARS_MAX:
        raise ConfigError(f"--why has {len(why)} characters; allowed: {WHY_CHARS_MAX}; shorten it")
    return why


def _print_json(value: object) -> None:
    OUT.out(json.dumps(value, ensure_ascii=False), highlight=False)
