"""`patrol picture`: writes the picture of a camera or a finding to a JPEG file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.batch.picture_order import PictureOrder, Which
from engine.cli.json_output import print_json
from engine.cli.options import (
    ERR,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    camera_id_from,
    settings_of,
)
from engine.cli.output_files import check_output
from engine.errors import ConfigError
from engine.model.picture import PICTURE_SIDE_PX_MAX

if TYPE_CHECKING:
    from engine.model.picture import RenderedPicture

_FINDING_DIGITS_MAX = 18
_FINDING = "findings/"
_ENDINGS = (".jpg", ".jpeg")


def picture(
    what: Annotated[
        str,
        typer.Argument(
            help="Id of a camera, or number of a finding; cameras/17 is a camera whose id is such a number.",
            metavar="CAMERA|FINDING",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="JPEG file to write; `-` is standard output.")],
    which: Annotated[
        Which | None,
        typer.Option(
            help="latest, fault, baseline (the last that was ok while ok was announced), last-good. Default: fault of "
            "a finding, latest of a camera."
        ),
    ] = None,
    annotated: Annotated[bool, typer.Option("--annotated", help="Draw in tile map, scores and verdict.")] = False,
    side: Annotated[
        int, typer.Option(min=0, max=PICTURE_SIDE_PX_MAX, help="Longest side in pixels; 0: as it came.")
    ] = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Write the picture of a camera or a finding to a JPEG file.

    Asks the engine if it runs, else reads the files that it has kept. Baseline and last good picture of a finding are
    those from before its fault. Of a camera they are read from the files; with --server they are those of its newest
    finding.
    """
    from engine.batch.camera_access import open_cameras

    to_stdout = str(output) == "-"
    if not to_stdout:
        check_output(output, "--output", _ENDINGS)
    if to_stdout and as_json:
        raise ConfigError("--output - and --json: both print to standard output; give a file, or leave --json out")
    finding_id = _finding_id(what)
    order = PictureOrder(which or (Which.FAULT if finding_id else Which.LATEST), side, annotated)
    files = not finding_id and order.which in (Which.BASELINE, Which.LAST_GOOD)
    with open_cameras(settings_of(config), server, token, ca, files=files) as cameras:
        if finding_id:
            rendered = cameras.picture_of_finding(finding_id, order)
        else:
            rendered = cameras.picture_of_camera(camera_id_from(what), order)
    if to_stdout:
        sys.stdout.buffer.write(rendered.jpeg)
        return
    _write(output, rendered.jpeg)
    if as_json:
        print_json(_json(rendered, output, order))
    else:
        ERR.out(f"wrote {output}: {rendered.width}x{rendered.height}, {order.which}", highlight=False)


def _finding_id(what: str) -> int:
    """Return the number of a finding; 0 if `what` names a camera. Raises ConfigError."""
    number = what.removeprefix(_FINDING)
    if number.isascii() and number.isdigit() and len(number) <= _FINDING_DIGITS_MAX and int(number):
        return int(number)
    if what.startswith(_FINDING):
        raise ConfigError(f"{what!r}: allowed: findings/NUMBER, as `patrol findings list` shows it")
    return 0


def _write(path: Path, jpeg: bytes) -> None:
    try:
        path.write_bytes(jpeg)
    except OSError as error:
        raise ConfigError(f"--output {path}: {error.strerror}; name a file that can be written") from error


def _json(rendered: "RenderedPicture", path: Path, order: PictureOrder) -> dict[str, object]:
    from engine.serve.messages.proto_json import time_json

    return {
        "file": str(path),
        "which": order.which,
        "width": rendered.width,
        "height": rendered.height,
        "visit": str(rendered.visit_id),
        "arrivalTime": time_json(rendered.arrival_wall_ns),
    }
