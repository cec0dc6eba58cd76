"""`patrol check-now`: has a running engine visit cameras at once, and shows each outcome as it comes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import exit_codes
from engine.cli.json_output import print_message
from engine.cli.options import (
    ERR,
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    camera_id_from,
    client_of,
    settings_of,
)
from engine.errors import ConfigError, NotFoundError
from engine.model.dialogue import TRACED_CAMERAS_MAX
from engine.model.registry import CameraQuery
from engine.model.verdict import State
from engine.terminal.formatting import score_text, state_text, why_text
from engine.terminal.tables import Cell, LineTable, text_width

if TYPE_CHECKING:
    from engine.client import CheckResult, PatrolClient

_CALL_CAMERAS_MAX = 10_000
"""CheckNow takes no more cameras in one call."""
_PAGE_ROWS = 1000
_NOT_TRACED = "nothing was recorded: it was being visited already, or was not visited; call again"
_COLUMNS = (("verdict", 11), ("why", 22), ("sharp", 5), ("expo", 5), ("hidden", 6), ("detail", 0))
"""Columns after the camera's, with their widths: lines are printed before the later ones are known."""
_OUTCOMES = {
    "not_found": "not in the registry",
    "not_visited": "disabled, or a gateway pushes its keyframes",
    "paused": "paused; `patrol resume` ends the pause",
    "removed": "removed from the registry meanwhile",
    "pending": "not visited within --timeout; the visit still takes place",
}


def check_now(
    camera_ids: Annotated[list[str] | None, typer.Argument(help="Ids of cameras.", metavar="CAMERA...")] = None,
    region: Annotated[
        str | None, typer.Option(help="All cameras of a region instead: GB/T 2260 prefix; '' is every camera.")
    ] = None,
    site: Annotated[str, typer.Option(help="All cameras of a canteen instead (its id).")] = "",
    timeout: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds to wait; at most 10,000 cameras share them.")
    ] = 600.0,
    as_json: JsonOption = False,
    trace: Annotated[
        bool,
        typer.Option(
            "--trace",
            help="Show what the engine and each camera say to each other, as `patrol check --trace` does; of four "
            "cameras at most, for operators.",
        ),
    ] = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Have the running engine visit cameras at once, within its caps, and show each outcome as it comes.

    Exit 0: all are ok; 1: one is a fault or unknown; 2: one gave no picture, or was not visited.
    """
    if bool(camera_ids) + (region is not None) + bool(site) != 1:
        raise ConfigError("check-now: give ids of cameras, or --region, or --site")
    with client_of(settings_of(config), server, token, ca) as client:
        ids = list(dict.fromkeys(map(camera_id_from, camera_ids or _chosen(client, region or "", site))))
        if not ids:
            raise NotFoundError("check-now: no camera that is visited is there; `patrol cameras list` shows what is")
        if trace and len(ids) > TRACED_CAMERAS_MAX:
            raise ConfigError(f"check-now: --trace shows {TRACED_CAMERAS_MAX} cameras at most, these are {len(ids)}")
        lines = None if as_json else LineTable(OUT, [("camera", max(map(text_width, ids))), *_COLUMNS])
        codes, counts = {exit_codes.OK}, dict.fromkeys(("verdict", "other"), 0)
        for result in _results(client, ids, timeout, trace):
            codes.add(_code(result))
            counts["other" if result.verdict is None else "verdict"] += 1
            if lines is None:
                _print_json(result)
            else:
                lines.add(_row(result))
                if trace:
                    _show_trace(result)
    if not as_json:
        ERR.out(f"{counts['verdict']} visited, {counts['other']} not", highlight=False)
    raise typer.Exit(max(codes))


def _chosen(client: "PatrolClient", region: str, site: str) -> Iterator[str]:
    """Yield the cameras of a region or canteen that can be visited."""
    for status in client.cameras(CameraQuery(region, site, page_size=_PAGE_ROWS, with_verdict=False)):
        if status.camera.enabled and not status.camera.push:
            yield status.camera.camera_id


def _show_trace(result: "CheckResult") -> None:
    ERR.out(result.camera_id, highlight=False)
    for line in result.trace or [_NOT_TRACED]:
        ERR.out(f"  {line}", highlight=False)


def _results(client: "PatrolClient", ids: Sequence[str], timeout_s: float, trace: bool) -> "Iterator[CheckResult]":
    for begin in range(0, len(ids), _CALL_CAMERAS_MAX):
        yield from client.check_now(ids[begin : begin + _CALL_CAMERAS_MAX], timeout_s, trace=trace)


def _code(result: "CheckResult") -> int:
    """Return the exit code that one outcome asks for; the greatest of all counts, as in `patrol check`."""
    verdict = result.verdict
    if verdict is None or not verdict.width:
        return exit_codes.REFUSED
    return exit_codes.OK if verdict.state is State.OK else exit_codes.NO


def _row(result: "CheckResult") -> list[Cell]:
    verdict = result.verdict
    if verdict is None:
        return [result.camera_id, result.outcome.replace("_", " "), "", "", "", "", _OUTCOMES.get(result.outcome, "")]
    scores = verdict.scores
    texts = [score_text(score) for score in (scores.sharpness, scores.exposure, scores.occlusion)]
    return [result.camera_id, state_text(verdict.state), why_text(verdict), *texts, verdict.detail]


def _print_json(result: "CheckResult") -> None:
    from engine.serve.messages.checks import check_message

    print_message(check_message(result.camera_id, result.outcome, result.verdict, result.trace))
