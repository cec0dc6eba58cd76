"""`patrol story`: what happened to one camera lately, and why the engine says of it what it says."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.camera_commands.show import CameraArgument
from engine.cli.json_output import print_json
from engine.cli.options import (
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    UtcOption,
    camera_id_from,
    settings_of,
    times_of,
)
from engine.terminal.camera_facts import headline, show_facts
from engine.terminal.story import because, kept, story_columns, story_rows
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.model.registry import CameraStatus
    from engine.model.stories.story import CameraStory


def story(
    camera_id: CameraArgument,
    visits: Annotated[int, typer.Option(help="Last visits to tell of.", min=1, max=1000)] = 5,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Say why the engine says of a camera what it says: figures and limits of the last verdict, then what happened.

    Asks the engine if it runs, which keeps a story of each camera that is not quietly ok; else, and for the others, the
    verdict log and the ledger tell.
    """
    from engine.batch.camera_access import open_cameras
    from engine.batch.camera_story import story_of

    settings = settings_of(config)
    times = times_of(settings, utc)
    camera_id = camera_id_from(camera_id)
    with open_cameras(settings, server, token, ca) as cameras:
        status = cameras.status(camera_id)
        told = story_of(cameras, camera_id, visits)
    if as_json:
        print_json(_json(status, told))
        return
    show_facts(OUT, headline(status, times), iter([*because(status.latest, times), ("events", kept(told, times))]))
    OUT.out("")
    show_table(OUT, story_columns(times), story_rows(told.events, times))


def _json(status: "CameraStatus", told: "CameraStory") -> dict[str, object]:
    from engine.serve.messages.convert import verdict_message
    from engine.serve.messages.proto_json import message_json
    from engine.serve.messages.stories import story_message
    from engine.terminal.verdict_reasons import reasons

    latest = status.latest
    return {
        "story": message_json(story_message(told)),
        "because": [] if latest is None else list(reasons(latest)),
        "latest_verdict": None if latest is None else message_json(verdict_message(latest)),
    }
