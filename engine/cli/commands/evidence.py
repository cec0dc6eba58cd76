"""`patrol evidence`: lists and verifies the keyframes of announced faults that are kept on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import exit_codes
from engine.cli.json_output import print_json
from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, UtcOption, settings_of, times_of
from engine.config import Settings
from engine.errors import ConfigError
from engine.terminal.progress import progress
from engine.terminal.tables import show_table
from engine.terminal.times import Times

if TYPE_CHECKING:
    from engine.storage.evidence.exhibits import ExhibitProblem

app = typer.Typer(no_args_is_help=True, help="Keyframes of announced faults, kept bit for bit; docs/evidence.md.")


@app.command("list")
def list_(
    camera: Annotated[str, typer.Option(help="Only this camera (its id).")] = "",
    rows_max: Annotated[int, typer.Option("--rows", help="Most rows in the table; the newest are shown.", min=1)] = 100,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List exhibits with camera, time and verdict. --json prints everything known of each, one object a line."""
    from engine.storage.evidence.exhibits import Exhibits

    settings = settings_of(config)
    sightings = (
        sighting for sighting in Exhibits(_folder(settings)).sightings() if camera in ("", sighting["camera_id"])
    )
    if as_json:
        for sighting in sightings:
            print_json(_json(sighting))
        return
    newest = sorted(sightings, key=lambda sighting: sighting["arrival_wall_ns"], reverse=True)
    times = times_of(settings, utc)
    columns = ["sha256", "camera", *times.head("seen"), "state", "why", "announced", "codec", "size"]
    show_table(OUT, columns, [_row(sighting, times) for sighting in newest[:rows_max]])
    OUT.out(f"{len(newest)} exhibits", highlight=False)


@app.command()
def verify(
    archive: Annotated[
        bool, typer.Option("--archive", help="Those in record.archive_url, in place of this machine's.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Read every exhibit and photograph, and compare its content with its name. Exit 0: all are whole; 1: some are not.

    The engine may run meanwhile.
    """
    from engine.storage.evidence.exhibits import Exhibits
    from engine.storage.evidence.photographs import PHOTOGRAPHS_FOLDER, Photographs

    settings = settings_of(config)
    if archive:
        checks, taken = _archived(settings)
    else:
        folder = _folder(settings)
        exhibits, photographs = Exhibits(folder), Photographs(folder.with_name(PHOTOGRAPHS_FOLDER))
        checks = [(exhibits.verify, digest) for digest in exhibits.digests()]
        taken = photographs.digests()
        checks += [(photographs.verify, digest) for digest in taken]
    flaws = []
    with progress(ERR, "verifying", len(checks)) as done:
        for number, (check, digest) in enumerate(checks, 1):
            flaw = check(digest)
            if flaw is not None:
                flaws.append(flaw)
            done(number)
    for flaw in flaws:
        if as_json:
            print_json({"sha256": flaw.sha256, "message": flaw.message})
        else:
            OUT.out(f"{flaw.sha256}: {flaw.message}", highlight=False)
    if not as_json:
        read = f"{len(checks) - len(taken)} exhibits" + (f" and {len(taken)} photographs" if taken else "")
        OUT.out(f"{read} read, {len(flaws)} not whole", highlight=False)
    raise typer.Exit(exit_codes.NO if flaws else exit_codes.OK)


def _archived(settings: Settings) -> "tuple[list[tuple[Callable[[str], ExhibitProblem | None], str]], list[str]]":
    """Return the checks of the archive, and which of them are of photographs."""
    from engine.cli.database import open_to_read
    from engine.model.photograph import PHOTOGRAPH_SUFFIX
    from engine.storage.evidence.archive_files import open_archive_files

    files = open_archive_files(settings.record)
    if files is None:
        raise ConfigError("--archive: record.archive_url is empty, so there is no archive; leave --archive out")
    with open_to_read(settings) as store:
        names = store.archive_index.names()
    taken = [name.removesuffix(PHOTOGRAPH_SUFFIX) for name in names if name.endswith(PHOTOGRAPH_SUFFIX)]
    checks = [(files.verify_exhibit, name) for name in names if not name.endswith(PHOTOGRAPH_SUFFIX)]
    return [*checks, *((files.verify_photograph, digest) for digest in taken)], taken


def _folder(settings: Settings) -> Path:
    """Return the folder of the exhibits, which need not exist while there is no fault.

    Raises ConfigError if the engine has never kept evidence there.
    """
    from engine.storage.evidence.exhibits import EXHIBITS_FOLDER

    folder = Path(settings.record.evidence_dir)
    if not folder.is_dir():
        raise ConfigError(
            f"{folder.absolute()}: no such folder of evidence; `patrol run` creates it. If it is elsewhere: --config "
            "names the file whose record.evidence_dir says where"
        )
    return folder / EXHIBITS_FOLDER


def _row(sighting: dict[str, Any], times: Times) -> list[str]:
    verdict = sighting["verdict"]
    return [
        sighting["sha256"],
        sighting["camera_id"],
        times.day(sighting["arrival_wall_ns"]),
        verdict["state"],
        ", ".join(verdict["kinds"]) or verdict["reason"],
        ", ".join(verdict["announced_kinds"]) or verdict["announced"],
        sighting["codec"],
        f"{sighting['bytes']:,}",
    ]


def _json(sighting: dict[str, Any]) -> dict[str, object]:
    """Return a sighting in the API's words; `verdict` is a Verdict without its thresholds, which are not kept here."""
    from engine.serve.messages.convert import verdict_message
    from engine.serve.messages.proto_json import message_json, time_json
    from engine.serve.messages.resource_names import camera_name
    from engine.storage.evidence.keyframe_file import verdict_of

    camera_id, visit_id = sighting["camera_id"], sighting["visit_id"]
    stream_time_ns = sighting["stream_time_ns"]
    return {
        "sha256": sighting["sha256"],
        "bytes": str(sighting["bytes"]),
        "camera": camera_name(camera_id),
        "codec": sighting["codec"],
        "source": sighting["source"],
        "arrivalTime": time_json(sighting["arrival_wall_ns"]),
        "streamTimeNs": None if stream_time_ns is None else str(stream_time_ns),
        "verdict": message_json(verdict_message(verdict_of(sighting["verdict"], camera_id, visit_id))),
        "beside": sighting["beside"],
    }
