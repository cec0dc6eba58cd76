"""`patrol cameras add`, `edit` and `delete`: change single rows of the registry."""

import sys
from typing import Annotated, Any

import typer

from engine.cli import exit_codes
from engine.cli.database import say_created
from engine.cli.json_output import print_message
from engine.cli.options import (
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    camera_id_from,
    settings_of,
)
from engine.errors import ConfigError
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.registry import CameraStatus

_SHOWN_IDS = 5

NameOption = Annotated[str | None, typer.Option(help="Its name for people, such as 烹饪间.")]
SiteIdOption = Annotated[str | None, typer.Option(help="Id of the canteen.")]
SiteNameOption = Annotated[str | None, typer.Option(help="Name of the canteen.")]
SiteKindOption = Annotated[SiteKind | None, typer.Option(help="Kind of the canteen's school.")]
RegionOption = Annotated[str | None, typer.Option(help="Region code of GB/T 2260: 2, 4 or 6 digits.")]
KeyPointOption = Annotated[KeyPoint | None, typer.Option(help="Where in the canteen it looks.")]
RequiredOption = Annotated[
    bool | None, typer.Option("--required/--not-required", help="Whether it counts for key-point coverage.")
]
UplinkOption = Annotated[str | None, typer.Option(help="The recorder or platform it hangs on; empty: the URL's host.")]
HoursOption = Annotated[
    str | None, typer.Option(help="When the kitchen works, such as `mon-fri 05:30-11:00`; empty: scheduler.hours.")
]
PushOption = Annotated[
    bool | None,
    typer.Option("--push/--no-push", help="Whether a gateway pushes its keyframes: no visits then."),
]
SubUrlOption = Annotated[
    str | None, typer.Option(help="Its sub-stream, on the same host; `***` stands for the password in the registry.")
]
EnabledOption = Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is visited.")]


def add(
    camera_id: Annotated[str, typer.Option("--id", help="Id of the new camera: its GB/T 28181 code, or another.")],
    url: Annotated[str, typer.Option(help="Its stream, such as rtsp://user:password@10.0.0.1/1.")] = "",
    name: NameOption = None,
    site_id: SiteIdOption = None,
    site_name: SiteNameOption = None,
    site_kind: SiteKindOption = None,
    region: RegionOption = None,
    key_point: KeyPointOption = None,
    required: RequiredOption = None,
    uplink: UplinkOption = None,
    hours: HoursOption = None,
    push: PushOption = None,
    sub_url: SubUrlOption = None,
    enabled: EnabledOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Add one camera. A running engine visits it at once; without one it is written to the database.

    A password in --url is seen in the list of processes and in the shell's history; `patrol cameras import` reads it
    from a file.
    """
    from engine.batch.registry import open_registry

    values = _given(
        name=name, site_id=site_id, site_name=site_name, site_kind=site_kind, region=region, key_point=key_point,
        required=required, uplink=uplink, hours=hours, push=push, enabled=enabled, sub_url=sub_url,
    )  # fmt: skip
    with open_registry(settings_of(config), server, token, ca, create=True) as registry:
        say_created(registry.created)
        status = registry.add(Camera(camera_id, url, **values))
        _show(status, f"added {camera_id} to {registry.name}", as_json)


def edit(
    camera_id: Annotated[str, typer.Argument(help="Id of the camera.", metavar="CAMERA")],
    url: Annotated[
        str | None, typer.Option(help="Its stream; `***` stands for the password that the registry has.")
    ] = None,
    name: NameOption = None,
    site_id: SiteIdOption = None,
    site_name: SiteNameOption = None,
    site_kind: SiteKindOption = None,
    region: RegionOption = None,
    key_point: KeyPointOption = None,
    required: RequiredOption = None,
    uplink: UplinkOption = None,
    hours: HoursOption = None,
    push: PushOption = None,
    sub_url: SubUrlOption = None,
    enabled: EnabledOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Change one camera: the fields that are given, and no others. A field is emptied with ''."""
    from engine.batch.registry import open_registry

    values = _given(
        url=url, name=name, site_id=site_id, site_name=site_name, site_kind=site_kind, region=region,
        key_point=key_point, required=required, uplink=uplink, hours=hours, push=push, enabled=enabled, sub_url=sub_url,
    )  # fmt: skip
    if not values:
        raise ConfigError("edit: nothing to change; give a field, such as --name 烹饪间 or --disable")
    with open_registry(settings_of(config), server, token, ca) as registry:
        status = registry.change(camera_id_from(camera_id), values)
        _show(status, f"changed {', '.join(values)} of {camera_id} in {registry.name}", as_json)


def delete(
    camera_ids: Annotated[list[str], typer.Argument(help="Ids of cameras.", metavar="CAMERA...")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Delete cameras with their verdicts and pictures; findings and their evidence stay. Asks on a terminal.

    Exit 1: some ids are not in the registry; 2: nothing was deleted.
    """
    from engine.batch.registry import open_registry

    ids = list(dict.fromkeys(map(camera_id_from, camera_ids)))
    with open_registry(settings_of(config), server, token, ca) as registry:
        if not yes:
            _confirm(ids, registry.name)
        deleted, unknown = registry.remove(ids)
        if as_json:
            from engine.serve.messages.resource_names import camera_name
            from patrol.v1 import cameras_pb2

            print_message(cameras_pb2.BatchDeleteCamerasResponse(deleted=deleted, missing=map(camera_name, unknown)))
        else:
            missing = f"; not known: {', '.join(unknown)}" if unknown else ""
            OUT.out(f"{deleted} deleted from {registry.name}{missing}", highlight=False)
    raise typer.Exit(exit_codes.NO if unknown else exit_codes.OK)


def _given(**values: Any) -> dict[str, Any]:
    """Return the values of the options that were given."""
    return {name: value for name, value in values.items() if value is not None}


def _show(status: CameraStatus, sentence: str, as_json: bool) -> None:
    if not as_json:
        OUT.out(sentence, highlight=False)
        return
    from engine.redact import redact
    from engine.serve.messages.convert import status_message

    print_message(status_message(status, redact))


def _confirm(ids: list[str], where: str) -> None:
    """Ask whether to delete. Raises ConfigError if nobody can be asked, or the answer is no."""
    if not sys.stdin.isatty():
        raise ConfigError(f"delete: {len(ids)} cameras, and nobody to ask; give --yes")
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    question = f"Delete {', '.join(ids[:_SHOWN_IDS])}{more}, with verdicts and pictures, from {where}?"
    if not typer.confirm(question, err=True):
        raise ConfigError("nothing was deleted")
