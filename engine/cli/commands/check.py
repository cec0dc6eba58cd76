"""`patrol check`: judges files and URLs once, without an engine."""

import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import exit_codes
from engine.cli.json_output import print_json
from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, settings_of
from engine.cli.output_files import check_output
from engine.errors import ConfigError, PatrolError
from engine.model.verdict import State
from engine.redact import redact_url
from engine.terminal.formatting import score_text, state_text
from engine.terminal.progress import progress
from engine.terminal.tables import Cell, show_table

if TYPE_CHECKING:
    from engine.batch.check import (
        CheckResult,  # imported late: it compiles kernels, and only `check` should wait for that
    )

_PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def check(
    sources: Annotated[list[str], typer.Argument(help="Files or URLs.", metavar="SOURCE...")],
    as_json: JsonOption = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="File to write (.png, .jpg, .webp): the only source's picture, with what the verdict rests on and a "
            "legend."
        ),
    ] = None,
    trace: Annotated[
        bool,
        typer.Option(
            "--trace",
            help="Show what the engine and each source say to each other: lines with their times, sizes of what is no "
            "text, without passwords, tokens and digests; on stderr, with --json in the object.",
        ),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Judge files or URLs once, without an engine.

    Exit 0: all are ok; 1: one is a fault or unknown; 2: one has no picture.
    """
    check_output(picture, "--picture", _PICTURE_ENDINGS)
    if picture is not None and len(sources) != 1:
        raise ConfigError(f"--picture draws one source, but {len(sources)} were given; check them one by one")
    from engine.runtime.compile_stage import COMPILES, SILENT_S
    from engine.runtime.log import configure_logging

    slow = threading.Timer(SILENT_S, _tell, (COMPILES,))
    slow.daemon = True
    slow.start()
    from engine.batch.check import CheckResult, check_sources

    slow.cancel()

    configure_logging("warning", "auto", process="check")  # to stderr: where our own code breaks, the log has the stack
    settings = settings_of(config)
    feed = settings.feed.model_copy(update={"schemes": tuple({*settings.feed.schemes, "file"})})
    settings = settings.model_copy(update={"feed": feed})
    answers: list[CheckResult] = []
    try:
        with progress(ERR, "checking", len(sources)) as done:
            for answer in check_sources(sources, settings, done, traced=trace, tell=_tell):
                answers.append(answer)
                if as_json:
                    print_json(answer.json())
                elif trace:
                    _show_trace(answer)
    except PatrolError:
        if answers and not as_json:
            _show_checks(answers)  # what is known of the sources before the fault
        raise
    if not as_json:
        _show_checks(answers)
    if picture is not None:
        _draw(answers[0], picture)
    raise typer.Exit(_exit_code(answers))


@cache
def _tell(sentence: str) -> None:
    """Say this on stderr, once."""
    ERR.out(sentence, highlight=False)


def _show_trace(answer: "CheckResult") -> None:
    ERR.out(redact_url(answer.source), highlight=False)
    for line in answer.trace:
        ERR.out(f"  {line}", highlight=False)


def _exit_code(answers: "Sequence[CheckResult]") -> int:
    if any(answer.measurement is None for answer in answers):
        return exit_codes.REFUSED
    return exit_codes.OK if all(answer.verdict.state is State.OK for answer in answers) else exit_codes.NO


def _show_checks(answers: "list[CheckResult]") -> None:
    table: list[list[Cell]] = [
        [
            redact_url(answer.source),
            state_text(answer.verdict.state),
            ", ".join(answer.verdict.kinds) or answer.verdict.reason,
            score_text(answer.verdict.scores.sharpness),
            score_text(answer.verdict.scores.exposure),
            score_text(answer.verdict.scores.occlusion),
            answer.verdict.detail,
        ]
        for answer in answers
    ]
    show_table(OUT, ["source", "verdict", "why", "sharp", "expo", "hidden", "detail"], table)


def _draw(answer: "CheckResult", path: Path) -> None:
    from engine.decode.render import decode_rgb
    from engine.kernels.summary import STRUCTURE_MIN
    from engine.worker.annotate import draw_check

    if answer.keyframe is None or answer.measurement is None:
        raise PatrolError(f"{redact_url(answer.source)}: no picture to draw")
    rgb = decode_rgb(answer.keyframe.codec, bytes(answer.keyframe.payload))
    title = redact_url(answer.source).rpartition("/")[2]
    draw_check(rgb, answer.measurement.tiles, answer.verdict, title, STRUCTURE_MIN).save(path)
    ERR.out(f"drew {path}")
