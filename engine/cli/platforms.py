"""`patrol cameras pull`, `patrol cameras disagree`: what media platforms claim, beside what we see."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import (
    ERR,
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    settings_of,
)
from engine.errors import ConfigError
from engine.interchange.regions import hebei
from engine.interchange.stream_url import StreamUrl
from engine.terminal.formatting import day_text, state_text, utc_text
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.batch.platforms import PlatformListing, PullOptions, PullReport
    from engine.interchange.http_json import PlatformHttp

pull_app = typer.Typer(no_args_is_help=True, help="Ask a media platform what it claims of its channels.")

_ZLM_VARIABLE = "ZLM_SECRET"
_WVP_VARIABLE = "WVP_TOKEN"

UrlOption = Annotated[str, typer.Option(help="Of the platform's HTTP API: http://10.0.0.1:18080; https is verified.")]
SecretEnvOption = Annotated[str, typer.Option(help="Variable of the environment with api.secret of the server.")]
TokenEnvOption = Annotated[str, typer.Option(help="Variable of the environment with a token, or an API key.")]
RegionOption = Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")]
HostsOption = Annotated[
    list[str] | None, typer.Option("--stream-host", help="Another name of the platform in the URLs of cameras.")
]
AddOption = Annotated[bool, typer.Option("--add", help="Add channels that the registry does not have.")]
StreamUrlOption = Annotated[
    str, typer.Option(help="For --add: rtsp://media:554/{app}/{stream}, or /rtp/{parent_id}_{camera_id}")
]
AbsentOption = Annotated[
    bool, typer.Option("--mark-absent", help="OFF for cameras of this platform that it does not list.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
PlatformCaOption = Annotated[Path | None, typer.Option(help="PEM of who signed the platform's certificate.")]
TimeoutOption = Annotated[float, typer.Option(min=1, max=600, help="Seconds for one request.")]
BytesOption = Annotated[int, typer.Option(min=1024, max=1 << 30, help="Bytes of one answer.")]


@pull_app.command("zlmediakit")
def pull_zlmediakit(
    url: UrlOption,
    secret_env: SecretEnvOption = _ZLM_VARIABLE,
    schema: Annotated[str, typer.Option(help="Only streams served in this protocol: rtsp, rtmp, ...")] = "",
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
    """Write into platform_status what a ZLMediaKit's getMediaList says of each camera's stream.

    A stream is a camera's by its id (`camera` or `device_camera`), its origin, or the URL it is served at.
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
    page_rows: Annotated[int, typer.Option(min=1, max=5000, help="Channels a page.")] = 500,
    pages_max: Annotated[int, typer.Option(min=1, max=100_000, help="Pages in all.")] = 4000,
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
    """Write into platform_status what a WVP-PRO's channel list says of each camera, by its 20-digit code.

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
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Cameras that the platform calls online while we call them offline, or the reverse, and since when we do."""
    from engine.batch.platforms import compare_claims
    from engine.batch.registry import open_registry

    with open_registry(settings_of(config), server, token, ca) as desk:
        found = compare_claims(desk, region)
    if as_json:
        for one in found.disagree:
            line = {
                "camera_id": one.camera.camera_id,
                "name": one.camera.name,
                "site_name": one.camera.site_name,
                "region": one.camera.region,
                "region_name": hebei().label(one.camera.region),
                "platform": "online" if one.platform_online else "offline",
                "platform_status": one.camera.platform_status,
                "ours": one.ours.value,
                "why": one.why,
                "since": utc_text(one.since_wall_ns),
            }
            OUT.out(json.dumps(line, ensure_ascii=False), highlight=False)
        return
    rows = [
        [
            one.camera.camera_id,
            one.camera.name,
            one.camera.site_name or one.camera.site_id,
            hebei().label(one.camera.region),
            "online" if one.platform_online else "offline",
            state_text(one.ours),
            one.why,
            day_text(one.since_wall_ns) if one.since_wall_ns else "",
        ]
        for one in found.disagree
    ]
    show_table(OUT, ["camera", "name", "canteen", "region", "platform", "ours", "why", "since"], rows)
    ERR.out(
        f"{len(found.disagree)} disagree, {found.agree} agree, {found.unclear} where one is silent, in {desk.name}",
        highlight=False,
    )


def _secret(variable: str) -> str:
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise ConfigError(f"{variable}: not in the environment, or empty; put the platform's secret there")
    return secret


def _order(region: str, add: bool, stream_url: str, mark_absent: bool, dry_run: bool) -> "PullOptions":
    from engine.batch.platforms import PullOptions

    if add != bool(stream_url):
        raise ConfigError("--add and --stream-url: a camera that is added needs its URL; give both, or neither")
    return PullOptions(region, mark_absent, StreamUrl(stream_url) if add else None, dry_run)


def _pull(
    http: "PlatformHttp",
    pulled: "PlatformListing",
    order: "PullOptions",
    as_json: bool,
    where: tuple[Path | None, str, str, Path | None],
) -> None:
    from engine.batch.platforms import pull
    from engine.batch.registry import open_registry

    config, server, token, ca = where
    settings = settings_of(config)
    with open_registry(settings, server, token, ca) as desk:
        report = pull(desk, pulled, order, settings)
    if as_json:
        OUT.out(json.dumps(_report_json(report, order.dry_run), ensure_ascii=False), highlight=False)
    else:
        for note in pulled.notes:
            ERR.out(f"note: {note}", highlight=False)
        if order.dry_run:
            _show(report)
        would = "would be " if order.dry_run else ""
        OUT.out(
            f"{report.channels} channels of {http.name}: {report.known} are cameras of {desk.name}, "
            f"{len(report.changes)} {would}changed, {len(report.unknown)} unknown, {report.added} {would}added, "
            f"{report.absent} cameras not listed",
            highlight=False,
        )
        for one in report.problems:
            ERR.out(f"{one.column} {one.value!r}: {one.message}", highlight=False)
    raise typer.Exit(1 if report.problems else 0)


def _show(report: "PullReport") -> None:
    changes = [[one.camera_id, one.name, hebei().label(one.region), one.was, one.now] for one in report.changes]
    show_table(OUT, ["camera", "name", "region", "was", "now"], changes)
    OUT.out()
    unknown = [[one.ids[0], one.name, hebei().label(one.region), one.status] for one in report.unknown]
    show_table(OUT, ["unknown channel", "name", "region", "status"], unknown)
    OUT.out()


def _report_json(report: "PullReport", dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "channels": report.channels,
        "known": report.known,
        "absent": report.absent,
        "added": report.added,
        "changes": [asdict(one) for one in report.changes],
        "unknown": [
            {"camera_id": one.ids[0], "name": one.name, "region": one.region, "status": one.status}
            for one in report.unknown
        ],
        "problems": [asdict(one) for one in report.problems],
    }
