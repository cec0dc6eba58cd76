"""The command `patrol`. Thin: each command parses, calls, and shows."""

import json
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from engine import __version__
from engine.config import Settings, load
from engine.config.describe import rows, toml
from engine.config.diff import diff
from engine.console.progress import progress
from engine.console.tables import Cell, show_table
from engine.console.words import clock_text, score_text, state_of, state_text, why
from engine.errors import ConfigError, PatrolError

if TYPE_CHECKING:
    from engine.check import Checked  # its imports compile kernels; only `check` shall wait for that

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Looks at every kitchen camera of a province.")
config_app = typer.Typer(no_args_is_help=True, help="Look at configuration files.")
cameras_app = typer.Typer(no_args_is_help=True, help="The registry of cameras of a running engine, or of its database.")
app.add_typer(config_app, name="config")
app.add_typer(cameras_app, name="cameras")

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file; without it, the defaults.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table.")]
ServerOption = Annotated[str, typer.Option("--server", help="gRPC address of the engine; default: that of the config.")]
TokenOption = Annotated[str, typer.Option("--token", envvar="PATROL_TOKEN", help="Bearer token of the engine.")]
CaOption = Annotated[Path | None, typer.Option("--ca", help="PEM of who signed the engine's certificate; means TLS.")]

_out = Console(soft_wrap=False)
_err = Console(stderr=True)


def main() -> None:
    """Entry of the command. Errors of ours are one sentence on stderr and exit code 2; Ctrl-C is 130."""
    try:
        app()
    except PatrolError as error:
        _err.print(f"[red]error[/red] ({error.code}):", end=" ")
        _err.out(str(error), highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Looks at every kitchen camera of a province: one fresh keyframe a visit, scored, judged, served."""
    if show:
        _out.out(__version__)
        raise typer.Exit


@app.command()
def run(config: ConfigOption = None) -> None:
    """Patrol the cameras of the registry until SIGINT or SIGTERM. SIGHUP reads the configuration anew."""
    from engine.app import Engine
    from engine.log import configure_logging, logger
    from engine.reload import FileWatch, Hangups

    settings = _settings(config)
    configure_logging(settings.log.level, settings.log.format, process="patrol")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stopper(stop))
    with Engine(settings, stop) as engine:
        logger().info("ready", **engine.addresses, processes=len(engine.pids()))
        hangups, watched = Hangups(), FileWatch(config)
        while not stop.wait(0.5):
            if not engine.running:
                raise engine.failure or PatrolError("the engine ended; its log says why")
            if hangups.take() or watched.changed(engine.settings.reload.watch_s):
                if config is None:
                    logger().warning("nothing to reload: patrol run was started without --config")
                else:
                    engine.reload(config)
        logger().info("stopping")
    logger().info("stopped")


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="End after so long with a summary; 0: until Ctrl-C.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Another seed, another county.")] = 0,
) -> None:
    """Patrol a made-up county of 32 cameras that stream over real RTSP on this machine; some are faulty."""
    from engine.demo.play import play

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stopper(stop))
    raise typer.Exit(play(_out, seconds, seed, stop))


@app.command()
def check(
    sources: Annotated[list[str], typer.Argument(help="Files or URLs.", metavar="SOURCE...")],
    as_json: JsonOption = False,
    picture: Annotated[
        Path | None, typer.Option(help="PNG with the tile map and scores drawn in; of the only source.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Look at sources once, without an engine. Exit 0: all ok; 1: a fault or unknown; 2: one without a picture."""
    if picture is not None and len(sources) != 1:
        raise ConfigError(f"--picture draws one source, {len(sources)} were given; check them one by one")
    from engine.check import Checked, check_sources, exit_code

    settings = _settings(config)
    feed = settings.feed.model_copy(update={"schemes": tuple({*settings.feed.schemes, "file"})})
    settings = settings.model_copy(update={"feed": feed})
    answers: list[Checked] = []
    with progress(_err, "checking", len(sources)) as done:
        for answer in check_sources(sources, settings, done):
            answers.append(answer)
            if as_json:
                _out.out(json.dumps(answer.json(), ensure_ascii=False), highlight=False)
    if not as_json:
        _show_checks(answers)
    if picture is not None:
        _draw(answers[0], picture)
    raise typer.Exit(exit_code(answers))


@cameras_app.command("import")
def import_cameras(
    file: Annotated[Path, typer.Argument(help="CSV with a header; see docs/registry.md.")],
    keep_good: Annotated[bool, typer.Option(help="Take the good rows although some are bad.")] = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Add and change cameras. Every bad row is named; then nothing is taken, unless --keep-good."""
    from engine.desk import open_desk, read_registry

    settings = _settings(config)
    found = read_registry(file, settings)
    if found.problems:
        columns = ["line", "column", "value", "what"]
        show_table(_err, columns, [[str(p.line), p.column, p.value, p.message] for p in found.problems])
        if not keep_good:
            _err.out(f"{len(found.problems)} problems; nothing was taken (--keep-good takes the good rows)")
            raise typer.Exit(1)
    with open_desk(settings, server, token, ca) as desk:
        report = desk.put(found.cameras)
        _out.out(f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, in {desk.name}")
    raise typer.Exit(1 if found.problems else 0)


@cameras_app.command("list")
def list_cameras(
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    site: Annotated[str, typer.Option(help="Canteen id.")] = "",
    state: Annotated[str, typer.Option(help="ok, fault, unknown or offline.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Cameras with what the engine says of them."""
    from engine.desk import camera_json, open_desk
    from engine.replies import CameraQuery
    from engine.types import State

    if state and state not in set(State):
        raise ConfigError(f"--state {state!r}: allowed: {', '.join(State)}")
    query = CameraQuery(region, site, State(state) if state else None)
    with open_desk(_settings(config), server, token, ca) as desk:
        if as_json:
            for status in desk.list(query):
                _out.out(json.dumps(camera_json(status), ensure_ascii=False), highlight=False)
            return
        table: list[list[Cell]] = []
        for one in desk.list(query):
            latest = one.latest
            table.append(
                [
                    one.camera.camera_id,
                    one.camera.name,
                    one.camera.site_name or one.camera.site_id,
                    one.camera.region,
                    state_text(state_of(latest)),
                    "" if latest is None else ", ".join(latest.announced_kinds) or why(latest),
                    "" if latest is None else score_text(latest.scores.sharpness),
                    "" if latest is None else score_text(latest.scores.exposure),
                    "" if latest is None else clock_text(latest.at_wall_ns),
                ]
            )
        columns = ["camera", "name", "canteen", "region", "state", "why", "sharp", "expo", "seen"]
        show_table(_out, columns, table, f"{len(table)} cameras in {desk.name}")


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="TOML file.")]) -> None:
    """Say whether a file can be used; every wrong key is named."""
    load(file)
    _out.out(f"{file}: good")


@config_app.command("show")
def config_show(
    config: ConfigOption = None,
    as_toml: Annotated[bool, typer.Option("--toml", help="As a file to begin with.")] = False,
) -> None:
    """Every key with value, default, bounds, unit and meaning."""
    settings = _settings(config)
    if as_toml:
        _out.out(toml(settings), end="", highlight=False)
        return
    columns = ["key", "value", "default", "unit", "allowed", "reload", "meaning"]
    table = [
        [f"{r.section}.{r.key}", r.value, r.default, r.unit, r.allowed, "hot" if r.hot else "restart", r.meaning]
        for r in rows(settings)
    ]
    show_table(_out, columns, table)


@config_app.command("diff")
def config_diff(
    old: Annotated[Path, typer.Argument(help="TOML file.")], new: Annotated[Path, typer.Argument(help="TOML file.")]
) -> None:
    """What differs between two files, and whether a restart is needed."""
    changes = diff(load(old), load(new))
    table = [[one.key, one.old, one.new, "hot" if one.hot else "restart"] for one in changes]
    show_table(_out, ["key", "old", "new", "reload"], table)


def _settings(config: Path | None) -> Settings:
    return load(config) if config is not None else Settings()


def _stopper(stop: threading.Event) -> "signal._HANDLER":
    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    return handle


def _show_checks(answers: "list[Checked]") -> None:
    table = [
        [
            answer.json()["source"],
            state_text(answer.verdict.state),
            ", ".join(answer.verdict.kinds) or answer.verdict.reason,
            score_text(answer.verdict.scores.sharpness),
            score_text(answer.verdict.scores.exposure),
            score_text(answer.verdict.scores.occlusion),
            "" if answer.error is None else answer.error[1],
        ]
        for answer in answers
    ]
    show_table(_out, ["source", "verdict", "why", "sharp", "expo", "hidden", "detail"], table)


def _draw(answer: "Checked", path: Path) -> None:
    from engine.console.picture import draw_check
    from engine.decode.render import decode_rgb
    from engine.kernels.occlusion import STRUCTURE_MIN

    if answer.keyframe is None or answer.measurement is None:
        raise PatrolError(f"{answer.json()['source']}: no picture to draw")
    rgb = decode_rgb(answer.keyframe.codec, bytes(answer.keyframe.payload))
    title = answer.json()["source"].rpartition("/")[2]
    draw_check(rgb, answer.measurement.tiles, answer.verdict, title, STRUCTURE_MIN).save(path)
    _err.out(f"drew {path}")


if __name__ == "__main__":
    main()
