"""What an examination finds: a topic, how bad it is, what was found, and the remedy. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. `FAULT`: the engine cannot do its work, or soon cannot. `WARNING`: it works, but not well."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of the report. `found`: what was found, with its value. `remedy`: what to do; empty if all is well."""

    topic: str
    level: Level
    found: str
    remedy: str = ""


def ok(topic: str, found: str) -> Diagnosis:
    """Return that all is well."""
    return Diagnosis(topic, Level.OK, found)


def warning(topic: str, found: str, remedy: str) -> Diagnosis:
    """Return that something is not as it should be."""
    return Diagnosis(topic, Level.WARNING, found, remedy)


def fault(topic: str, found: str, remedy: str) -> Diagnosis:
    """Return that something keeps the engine from its work."""
    return Diagnosis(topic, Level.FAULT, found, remedy)


def worst(diagnoses: "list[Diagnosis]") -> Level:
    """Return the worst level; OK if there is nothing."""
    order = list(Level)
    return max((diagnosis.level for diagnosis in diagnoses), key=order.index, default=Level.OK)
