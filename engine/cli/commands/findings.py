"""`patrol findings ...`: reads the ledger (台账) of a running engine, and acknowledges, claims and closes findings."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    client_of,
    settings_of,
    times_of,
)
from engine.errors import ConfigError
from engine.model.findings import WHY_CHARS_MAX, Finding, FindingOrder, FindingQuery, FindingState, Level
from engine.model.photograph import PHOTOGRAPH_BYTES_MAX, PHOTOGRAPHS_MAX
from engine.model.verdict import Severity
from engine.terminal.findings import columns, event_columns, event_row, finding_row
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.client import FindingClient

app = typer.Typer(no_args_is_help=True, help="Findings in the ledger of a running engine; see docs/ledger.md.")

FindingArgument = Annotated[
    int, typer.Argument(help="Number of the finding, as `patrol findings list` shows it.", metavar="FINDING", min=1)
]
WhyOption = Annotated[str, typer.Option("--why", help="Reason, written to the ledger.")]
ReasonOption = Annotated[str, typer.Option("--why", help="Reason, written to the ledger. Required.")]
NumberOption = Annotated[
    int,
    typer.Option(
        "--number",
        help="Number of the latest event you know; refused if there is a later one.",
        min=0,
    ),
]
_PAGE_ROWS_MAX = 1000


@app.command("list")
def list_findings(
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    site: Annotated[str, typer.Option(help="Only this canteen (its id).")] = "",
    camera: Annotated[str, typer.Option(help="Only this camera (its id).")] = "",
    state: Annotated[list[FindingState] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    level: Annotated[Level | None, typer.Option(help="Only findings that this level is responsible for.")] = None,
    ended: Annotated[bool, typer.Option("--all", help="Include findings that are closed or dismissed.")] = False,
    severity: Annotated[Severity | None, typer.Option(help="Only this severe or worse; blind is the worst.")] = None,
    cause: Annotated[
        list[str] | None,
        typer.Option(help="Only this kind (blurred, offline), or kind/cause (blurred/grease); may be repeated."),
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only findings whose deadline has passed.")] = False,
    supervised: Annotated[
        bool, typer.Option("--supervised", help="Only findings that a higher level watches.")
    ] = False,
    text: Annotated[str, typer.Option("--find", help="Only cameras and canteens with this text in their name.")] = "",
    order: Annotated[
        FindingOrder,
        typer.Option(help="Order: number (newest first), open_time, deadline_time, severity or level."),
    ] = FindingOrder.NUMBER,
    descending: Annotated[
        bool, typer.Option("--desc", help="The highest first, in an order other than number.")
    ] = False,
    rows: Annotated[int, typer.Option(help="Findings to show at most.", min=1, max=1_000_000)] = 100,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """List open findings, newest first unless --order says otherwise."""
    states = frozenset(state or ())
    query = FindingQuery(
        region,
        site,
        camera,
        states,
        level,
        open_only=not ended and not states,
        page_size=min(rows, _PAGE_ROWS_MAX),
        order=order,
        descending=descending or order is FindingOrder.NUMBER,
        severity_min=severity,
        cause_keys=frozenset(cause or ()),
        overdue=True if overdue else None,
        supervised=True if supervised else None,
        text=text,
    )
    settings = settings_of(config)
    times = times_of(settings, utc)
    with client_of(settings, server, token, ca) as client:
        findings = list(islice(client.findings.list(query), rows))
    if as_json:
        for finding in findings:
            _print_finding(finding)
        return
    rows_shown = [finding_row(finding, times) for finding in findings]
    show_table(OUT, columns(times), rows_shown, f"{len(findings)} findings")


@app.command("show")
def show(
    finding: FindingArgument,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Show one finding and its events."""
    settings = settings_of(config)
    times = times_of(settings, utc)
    with client_of(settings, server, token, ca) as client:
        current = client.findings.get(finding)
        events = list(client.findings.events(finding))
    if as_json:
        from engine.serve.messages.findings import event_message, finding_message
        from engine.serve.messages.proto_json import message_json

        print_json(
            {
                "finding": message_json(finding_message(current)),
                "events": [message_json(event_message(event)) for event in events],
            }
        )
        return
    show_table(OUT, columns(times), [finding_row(current, times)])
    show_table(OUT, event_columns(times), [event_row(event, times) for event in events])


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
    """Acknowledge a finding (签收): you have seen it and take it on."""
    _act(lambda ledger: ledger.acknowledge(finding, _short(why), number=number), as_json, config, server, token, ca)


@app.command("claim")
def claim(
    finding: FindingArgument,
    why: WhyOption = "",
    photograph: Annotated[
        list[Path] | None,
        typer.Option(
            help="JPEG or PNG file that shows what was put right; at most three.", exists=True, dir_okay=False
        ),
    ] = None,
    number: NumberOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Claim that the fault is put right (整改). The engine rechecks at once, then closes it or hands it back."""
    files = _photographs(photograph or [])
    _act(
        lambda ledger: ledger.claim(finding, _short(why), number=number, photographs=files),
        as_json,
        config,
        server,
        token,
        ca,
    )


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
    """Close a finding by decision, without a passed recheck."""
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
    """Dismiss a finding: it is no fault, or not our responsibility."""
    _act(lambda ledger: ledger.dismiss(finding, _short(why), number=number), as_json, config, server, token, ca)


@app.command("reopen")
def reopen(
    finding: FindingArgument,
    why: ReasonOption,
    number: NumberOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Undo a dismissal, within ledger.reopen_hours of it: the finding stands again as it stood before."""
    _act(lambda ledger: ledger.reopen(finding, _short(why), number=number), as_json, config, server, token, ca)


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
    """Put a finding under the supervision of a higher level (挂牌督办)."""
    _act(lambda ledger: ledger.supervise(finding, _short(why), number=number), as_json, config, server, token, ca)


def _act(
    command: "Callable[[FindingClient], Finding]",
    as_json: bool,
    config: Path | None,
    server: str,
    token: str,
    ca: Path | None,
) -> None:
    """Run a command on the ledger; when its event is stored, print the finding as it is now."""
    with client_of(settings_of(config), server, token, ca) as client:
        finding = command(client.findings)
    if as_json:
        _print_finding(finding)
    else:
        OUT.out(f"findings/{finding.finding_id}: {finding.state} (event {finding.number})", highlight=False)


def _short(why: str) -> str:
    if len(why) > WHY_CHARS_MAX:
        raise ConfigError(f"--why has {len(why)} characters; allowed: {WHY_CHARS_MAX}; shorten it")
    return why


def _photographs(paths: list[Path]) -> list[bytes]:
    """Read the files of --photograph. Raises ConfigError if there are too many, or one is too large or unreadable."""
    if len(paths) > PHOTOGRAPHS_MAX:
        raise ConfigError(f"--photograph is given {len(paths)} times; allowed: {PHOTOGRAPHS_MAX}; leave some out")
    files = []
    for path in paths:
        try:
            size = path.stat().st_size
            if size > PHOTOGRAPH_BYTES_MAX:
                raise ConfigError(
                    f"--photograph {str(path)!r}: {size:,} bytes; allowed: {PHOTOGRAPH_BYTES_MAX:,}; give a smaller one"
                )
            files.append(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"--photograph {str(path)!r}: {error.strerror}; give a file that can be read") from error
    return files


def _print_finding(finding: Finding) -> None:
    from engine.serve.messages.findings import finding_message

    print_message(finding_message(finding))
