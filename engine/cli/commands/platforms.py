"""`patrol cameras pull` and `disagree`: store what media platforms claim, and compare it with our verdicts."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import exit_codes
from engine.cli.database import say_created
from engine.cli.json_output import print_json, problem_json
from engine.cli.options import (
    ERR,
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    UtcOption,
    settings_of,
    times_of,
)
from engine.errors import ConfigError
from engine.interchange.regions import hebei
from engine.interchange.stream_url import StreamUrl
from engine.terminal.formatting import state_text
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.batch.platforms import PlatformListing, PullOptions, PullReport
    from engine.interchange.http_json import PlatformHttp
    from engine.interchange.platform_claims import Disagreement

pull_app = typer.Typer(no_args_is_help=True, help="Read the channel list of a media platform into the registry.")

_ZLM_VARIABLE = "ZLM_SECRET"
_WVP_VARIABLE = "WVP_TOKEN"

UrlOption = Annotated[
    str,
    typer.Option(
        help="URL of the platform's HTTP API, such as http://10.0.0.1:18080; certificates of https are verified."
    ),
]
SecretEnvOption = Annotated[str, typer.Option(help="Environment variable that holds the server's api.secret.")]
TokenEnvOption = Annotated[str, typer.Option(help="Environment variable that holds a token or an API key.")]
RegionOption = Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")]
HostsOption = Annotated[
    list[str] | None,
    typer.Option("--stream-host", help="Another host of the platform in camera URLs; may be repeated."),
]
AddOption = Annotated[bool, typer.Option("--add", help="Add channels that the registry does not have.")]
StreamUrlOption = Annotated[
    str, typer.Option(help="URL for --add: rtsp://media:554/{app}/{stream}, or /rtp/{parent_id}_{camera_id}.")
]
AbsentOption = Annotated[
    bool, typer.Option("--mark-absent", help="Write OFF for cameras of this platform that it does not list.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
PlatformCaOption = Annotated[Path | None, typer.Option(help="PEM file of the CA of the platform's certificate.")]
TimeoutOption = Annotated[float, typer.Option(min=1, max=600, help="Longest time for one request, in seconds.")]
BytesOption = Annotated[int, typer.Option(min=1024, max=1 << 30, help="Largest answer, in bytes.")]


@pull_app.command("zlmediakit")
def pull_zlmediakit(
    url: UrlOption,
    secret_env: SecretEnvOption = _ZLM_VARIABLE,
    schema: Annotated[str, typer.Option(help="Only streams in this protocol: rtsp, rtmp, ...")] = "",
    region: RegionOption = "",
    stream_host: HostsOption = None,
    add: AddOption = False,
    stream_url: StreamUrlOption = "",
    mark_absent: AbsentOption = False,
    dry_run: DryRunOption = False,
    platform_ca: PlatformCaOption = None,
    timeout_s: TimeoutOption = 60.0,
    bytes_max: BytesOption = 32 << 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Read getMediaList of a ZLMediaKit server, and write each camera's state there into platform_status.

    A stream belongs to a camera by its id (`camera` or `device_camera`), its origin, or the URL it is served at.
    Exit 1: some rows could not be written.
    """
    from engine.batch.platforms import list_zlmediakit
    from engine.interchange.http_json import PlatformHttp

    order = _order(region, add, stream_url, mark_absent, dry_run)
    query = {"secret": _secret(secret_env)}
    http = PlatformHttp(url, query=query, ca=platform_ca, timeout_s=timeout_s, bytes_max=bytes_max)
    _pull(http, list_zlmediakit(http, stream_host or (), schema), order, as_json, (config, server, token, ca))


@pull_app.command("wvp")
def pull_wvp(
    url: UrlOption,
    token_env: TokenEnvOption = _WVP_VARIABLE,
    page_rows: Annotated[int, typer.Option(min=1, max=5000, help="Channels per page.")] = 500,
    pages_max: Annotated[int, typer.Option(min=1, max=100_000, help="Pages to read at most.")] = 4000,
    region: RegionOption = "",
    stream_host: HostsOption = None,
    add: AddOption = False,
    stream_url: StreamUrlOption = "",
    mark_absent: AbsentOption = False,
    dry_run: DryRunOption = False,
    platform_ca: PlatformCaOption = None,
    timeout_s: TimeoutOption = 60.0,
    bytes_max: BytesOption = 32 << 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Read the channel list of a WVP-PRO, and write each camera's state there into platform_status.

    A channel belongs to a camera by its 20-digit code.
    Exit 1: some rows could not be written.
    """
    from engine.batch.platforms import list_wvp
    from engine.interchange.http_json import PlatformHttp

    order = _order(region, add, stream_url, mark_absent, dry_run)
    headers = {"access-token": _secret(token_env)}
    http = PlatformHttp(url, headers=headers, ca=platform_ca, timeout_s=timeout_s, bytes_max=bytes_max)
    _pull(http, list_wvp(http, stream_host or (), page_rows, pages_max), order, as_json, (config, server, token, ca))


def disagree(
    region: RegionOption = "",
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """List cameras that the platform calls online and we call offline, or the reverse, and since when."""
    from engine.batch.platforms import compare_claims
    from engine.batch.registry import open_registry

    settings = settings_of(config)
    times = times_of(settings, utc)
    with open_registry(settings, server, token, ca) as registry:
        comparison = compare_claims(registry, region)
    if as_json:
        for item in comparison.disagree:
            print_json(_disagreement_json(item))
        return
    rows = [
        [
            item.camera.camera_id,
            item.camera.name,
            item.camera.site_name or item.camera.site_id,
            hebei().label(item.camera.region),
            "online" if item.platform_online else "offline",
            state_text(item.ours),
            item.why,
            times.day(item.since_wall_ns),
        ]
        for item in comparison.disagree
    ]
    show_table(OUT, ["camera", "name", "canteen", "region", "platform", "ours", "why", *times.head("since")], rows)
    ERR.out(
        f"{len(comparison.disagree)} disagree, {comparison.agree} agree, {comparison.unclear} where one says nothing, "
        f"in {registry.name}",
        highlight=False,
    )


def _secret(variable: str) -> str:
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise ConfigError(f"{variable}: not in the environment, or empty; set it to the platform's secret")
    return secret


def _order(region: str, add: bool, stream_url: str, mark_absent: bool, dry_run: bool) -> "PullOptions":
    from engine.batch.platforms import PullOptions

    if add != bool(stream_url):
        raise ConfigError("--add and --stream-url: a camera that is added needs a URL; give both or neither")
    return PullOptions(region, mark_absent, StreamUrl(stream_url) if add else None, dry_run)


def _pull(
    http: "PlatformHttp",
    pulled: "PlatformListing",
    order: "PullOptions",
    as_json: bool,
    connection: tuple[Path | None, str, str, Path | None],
) -> None:
    from engine.batch.platforms import pull
    from engine.batch.registry import open_registry

    config, server, token, ca = connection
    settings = settings_of(config)
    with open_registry(settings, server, token, ca, create=not order.dry_run) as registry:
        say_created(registry.created)
        report = pull(registry, pulled, order, settings)
    if as_json:
        print_json(_report_json(report, order.dry_run))
    else:
        for note in pulled.notes:
            ERR.out(f"note: {note}", highlight=False)
        if order.dry_run:
            _show(report)
        would = "would be " if order.dry_run else ""
        OUT.out(
            f"{report.channels} channels of {http.name}: {report.known} are cameras of {registry.name}, "
            f"{len(report.changes)} {would}changed, {len(report.unknown)} unknown, {report.added} {would}added, "
            f"{report.absent} cameras not listed",
            highlight=False,
        )
        for problem in report.problems:
            ERR.out(f"{problem.column} {problem.value!r}: {problem.message}", highlight=False)
    raise typer.Exit(exit_codes.NO if report.problems else exit_codes.OK)


def _show(report: "PullReport") -> None:
    changes = [[row.camera_id, row.name, hebei().label(row.region), row.was, row.now] for row in report.changes]
    show_table(OUT, ["camera", "name", "region", "was", "now"], changes)
    OUT.out()
    unknown = [[row.ids[0], row.name, hebei().label(row.region), row.status] for row in report.unknown]
    show_table(OUT, ["unknown channel", "name", "region", "status"], unknown)
    OUT.out()


def _disagreement_json(item: "Disagreement") -> dict[str, object]:
    from engine.serve.messages.convert import state_number
    from engine.serve.messages.proto_json import time_json
    from engine.serve.messages.resource_names import camera_name
    from patrol.v1 import verdicts_pb2

    return {
        "camera": camera_name(item.camera.camera_id),
        "displayName": item.camera.name,
        "siteName": item.camera.site_name,
        "region": item.camera.region,
        "regionName": hebei().label(item.camera.region),
        "platform": "online" if item.platform_online else "offline",
        "platformStatus": item.camera.platform_status,
        "announced": verdicts_pb2.VerdictState.Name(state_number(item.ours)),
        "why": item.why,
        "sinceTime": time_json(item.since_wall_ns),
    }


def _report_json(report: "PullReport", dry_run: bool) -> dict[str, object]:
    from engine.serve.messages.resource_names import camera_name

    return {
        "dryRun": dry_run,
        "channels": report.channels,
        "known": report.known,
        "absent": report.absent,
        "added": report.added,
        "changes": [
            {
                "camera": camera_name(change.camera_id),
                "displayName": change.name,
                "region": change.region,
                "was": change.was,
                "now": change.now,
            }
            for change in report.changes
        ],
        "unknown": [
            {"id": channel.ids[0], "displayName": channel.name, "region": channel.region, "status": channel.status}
            for channel in report.unknown
        ],
        "problems": [problem_json(problem) for problem in report.problems],
    }
