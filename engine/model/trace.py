"""A span: what took how long, for a trace; and what becomes of spans. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TRACEPARENT = "traceparent"
"""Header, and metadata, in which a caller names its place in a trace of its own (W3C Trace Context)."""
SPAN_OUTCOMES = ("exported", "dropped", "failed")


@dataclass(frozen=True, slots=True)
class Span:
    """`name`: what was done. `attributes`: facts, none of them secret. `error`: why it failed; empty if it did not.
    `children`: its parts."""

    name: str
    start_wall_ns: int
    end_wall_ns: int
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    error: str = ""
    children: tuple["Span", ...] = ()
