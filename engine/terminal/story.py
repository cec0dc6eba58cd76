"""Renders the story of a camera: why its last verdict is what it is, then what happened, event by event."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from engine.model.stories.story import CameraStory, StoryEvent, StoryStep
from engine.model.verdict import State, Verdict
from engine.printable import printable
from engine.terminal.formatting import duration_text, state_text
from engine.terminal.tables import Cell
from engine.terminal.times import Times
from engine.terminal.verdict_reasons import reasons

_STYLES = {StoryStep.FAILED: "magenta", StoryStep.DROPPED: "yellow", StoryStep.ANNOUNCED: "bold"}
_NS_PER_S, _NS_PER_MS = 1_000_000_000, 1_000_000


def because(latest: Verdict | None, times: Times) -> Iterator[tuple[str, str]]:
    """Yield the lines above the events: name and sentence."""
    if latest is None:
        yield "last visit", "none yet"
        return
    yield "last visit", times.sentence(latest.at_wall_ns)
    for number, sentence in enumerate(reasons(latest)):
        yield "" if number else "because", printable(sentence)


def kept(story: CameraStory, times: Times) -> str:
    """Say where the events come from, and since when they are kept."""
    if not story.kept_since_wall_ns:
        return "from the verdict log and the ledger; orders and connections are kept only of cameras that are not ok"
    since = f"kept since {times.sentence(story.kept_since_wall_ns)}"
    goes_on = since if story.open else f"{since}; the camera is ok again, so nothing is added"
    return f"{goes_on}; {story.left_out} older events are left out" if story.left_out else goes_on


def story_columns(times: Times) -> list[str]:
    """Return the heads over story_rows."""
    return [*times.head("time"), "after", "visit", "event", "why", "detail"]


def story_rows(events: Sequence[StoryEvent], times: Times) -> Iterator[list[Cell]]:
    """Yield the cells of each event. `after`: time since the event before it."""
    before_ns = 0
    for event in events:
        after = _after(event.at_wall_ns - before_ns) if before_ns else ""
        before_ns = event.at_wall_ns
        visit = f"finding {event.finding_id}" if event.finding_id else str(event.visit_id or "")
        yield [
            times.day(event.at_wall_ns),
            after,
            visit,
            Text(event.step, style=_STYLES.get(event.step, "")),
            state_text(event.reason) if event.reason in tuple(State) else event.reason,
            printable(event.detail),
        ]


def _after(after_ns: int) -> str:
    return f"{after_ns / _NS_PER_MS:.0f} ms" if after_ns < _NS_PER_S else duration_text(after_ns / _NS_PER_S)
