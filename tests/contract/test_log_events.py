"""Every line that docs/operating.md promises is logged with its fields, and no other goes by `report`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import engine
from engine.runtime import log_events
from engine.runtime.log_events import EVENTS, LINES_SUMMED, LogEvent

RESERVED = {"event", "level", "timestamp", "process", "exception", "logger"}
"""Fields of every line."""


def reports() -> Iterator[tuple[str, ast.Call]]:
    for path in Path(engine.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "report":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Name) and first.id.isupper():
                    yield str(path), node


def test_each_call_gives_the_fields_that_its_event_has() -> None:
    used: set[str] = set()
    for path, call in reports():
        name = call.args[0].id  # type: ignore[attr-defined]
        event = getattr(log_events, name)
        assert isinstance(event, LogEvent)
        assert tuple(keyword.arg for keyword in call.keywords) == event.fields, f"{path}:{call.lineno}"
        used.add(event.name)
    assert used == {event.name for event in EVENTS} - {LINES_SUMMED.name}


def test_events_are_all_listed_and_their_fields_do_not_hide_those_of_every_line() -> None:
    defined = [value for value in vars(log_events).values() if isinstance(value, LogEvent)]
    assert tuple(defined) == EVENTS
    assert len({event.name for event in EVENTS}) == len(EVENTS)
    for event in EVENTS:
        assert event.group in event.fields
        assert not RESERVED & set(event.fields)
