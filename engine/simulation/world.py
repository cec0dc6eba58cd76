"""Defines the world of a simulation: streams, keyframe intervals, connecting, kitchens' hours, the cost of a check.

A TOML file (`patrol simulate --world FILE`) can set every figure; the defaults come from these sources.

- cpu_ms: CPU of one check, all processes together; measured: `python -m bench.end_to_end` (2 cores /
  checks_per_s), plus 1.1 ms for the visit (bench.visits) and 0.6 ms for the hub. Decoding and
  scoring a sub-stream take 0.22 of those of 1080p (bench.sub_stream).
- intervals: keyframe intervals as found in the field, 1 to 10 s; "smart" codecs have the long ones.
- a visit that brings a keyframe lasts the time to connect plus a random part of one keyframe interval: servers of live
  streams begin at any point of the stream (bench.rehearsal measures it). Some media servers cache the current group of
  pictures and send it at once; `gop_cached_share` is the share of such cameras.
- time-outs last `feed.deadline_s` and `feed.connect_timeout_s`.
"""

import datetime
from pathlib import Path
from typing import Self

from pydantic import field_validator, model_validator

from engine.config.reading.toml_section import read_section
from engine.config.setting import Section, key
from engine.model.hours import parse_hours
from engine.model.keyframe import Codec
from engine.model.visit import FailureReason


class Stream(Section):
    """A kind of stream, with the relative share of cameras that have it."""

    name: str = key(..., "For people.")
    codec: Codec = key(..., "Its codec.")
    kbit_s: float = key(..., "Its bandwidth while a visit lasts.", unit="kbit/s", gt=0, le=100_000)
    cpu_ms: float = key(..., "CPU of one check, all processes together.", unit="ms", gt=0, le=10_000)
    share: float = key(..., "Relative share of the cameras that have it.", gt=0, le=1000)
    sub_kbit_s: float = key(256.0, "Bandwidth of its sub-stream while a visit lasts.", unit="kbit/s", gt=0, le=100_000)
    sub_cpu_ms: float = key(3.3, "CPU of one check of its sub-stream.", unit="ms", gt=0, le=10_000)


class Interval(Section):
    """A keyframe interval, with the relative share of cameras that have it."""

    seconds: float = key(..., "From keyframe to keyframe.", unit="s", gt=0, le=60)
    share: float = key(..., "Relative share of the cameras that have it.", gt=0, le=1000)


class Pattern(Section):
    """Hours, with the relative share of canteens that have them."""

    hours: str = key(..., "Hours in the registry's format; empty: always.")
    share: float = key(..., "Relative share of the canteens that have them.", gt=0, le=1000)

    @field_validator("hours")
    @classmethod
    def _parsable(cls, hours: str) -> str:
        parse_hours(hours)
        return hours


_FAILURE_S = {
    FailureReason.REFUSED: 0.1,
    FailureReason.DNS: 0.5,
    FailureReason.UNREACHABLE: 3.0,
    FailureReason.UNAUTHORIZED: 0.5,
    FailureReason.NOT_FOUND: 0.5,
    FailureReason.NO_VIDEO: 1.0,
    FailureReason.UNSUPPORTED_CODEC: 1.0,
    FailureReason.PROTOCOL_ERROR: 1.0,
    FailureReason.DAMAGED: 3.0,
    FailureReason.INTERNAL: 1.0,
    FailureReason.SOURCE_REFUSED: 0.1,
    FailureReason.FLOOD: 1.0,
    FailureReason.REDIRECT_REFUSED: 0.5,
    FailureReason.LOST: 1.0,
    FailureReason.EXHAUSTED: 0.1,
}


class World(Section):
    """The whole file. Shares are relative; they need not add up to 1."""

    start: datetime.datetime = key(
        datetime.datetime(2026, 11, 23),  # noqa: DTZ001 (local time of the calendar's zone)
        "When the simulation begins (a Monday); local time of the calendar's zone unless it names its own.",
        strict=True,
    )
    connect_s_min: float = key(0.2, "Connecting lasts at least this long ...", unit="s", ge=0, le=60)
    connect_s_max: float = key(0.8, "... and at most this long, drawn evenly.", unit="s", ge=0, le=60)
    streams: tuple[Stream, ...] = key(
        (
            Stream(name="1080p H.264", codec=Codec.H264, kbit_s=2000, cpu_ms=8.9, share=50),
            Stream(name="1080p H.265", codec=Codec.H265, kbit_s=2000, cpu_ms=12.7, share=25),
            Stream(name="720p H.264", codec=Codec.H264, kbit_s=1000, cpu_ms=6.8, share=15),
            Stream(name="D1 H.264", codec=Codec.H264, kbit_s=512, cpu_ms=4.9, share=10, sub_kbit_s=128),
        ),
        "Kinds of streams, 1 to 50.",
        min_length=1,
        max_length=50,
    )
    sub_share: float = key(
        0.9,
        "Share of the cameras of a generated province that have a sub-stream, which `scheduler.streams` visits; a "
        "registry knows its own.",
        ge=0,
        le=1,
    )
    intervals: tuple[Interval, ...] = key(
        (
            Interval(seconds=1, share=5),
            Interval(seconds=2, share=25),
            Interval(seconds=4, share=25),
            Interval(seconds=5, share=20),
            Interval(seconds=10, share=25),
        ),
        "Keyframe intervals, 1 to 50; after connecting a visit waits for a part of one, drawn evenly.",
        min_length=1,
        max_length=50,
    )
    hours: tuple[Pattern, ...] = key(
        (
            Pattern(hours="05:30-19:00", share=60),
            Pattern(hours="mon-fri 06:00-18:00", share=30),
            Pattern(hours="mon-fri 06:30-13:30", share=10),
        ),
        "Kitchens' hours of a generated province, 1 to 50; a registry has its own.",
        min_length=1,
        max_length=50,
    )
    gop_cached_share: float = key(
        0.0,
        "Share of the cameras whose media server sends the last keyframe at once, so that visits need not wait.",
        ge=0,
        le=1,
    )
    failure_s: dict[FailureReason, float] = key(
        _FAILURE_S,
        "How long a visit lasts that fails for this reason, more than 0, at most 300; reasons left out keep their "
        "default. Time-outs last `feed.connect_timeout_s` and `feed.deadline_s`.",
        unit="s",
        max_length=len(FailureReason),
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.connect_s_min > self.connect_s_max:
            raise ValueError(
                f"connect_s_min ({self.connect_s_min:g}) is more than connect_s_max ({self.connect_s_max:g}); "
                "exchange the two"
            )
        return self

    @field_validator("failure_s")
    @classmethod
    def _bounded(cls, given: dict[FailureReason, float]) -> dict[FailureReason, float]:
        for reason, duration_s in given.items():
            if reason not in _FAILURE_S:
                raise ValueError(f"{reason}: lasts what the configuration says; delete the line")
            if not 0 < duration_s <= 300:
                raise ValueError(f"{reason} = {duration_s:g}: allowed: more than 0, at most 300 (seconds)")
        return _FAILURE_S | given


def load_world(path: Path | None) -> World:
    """Return the world of a file; the defaults without one. Raises ConfigError with each wrong entry of the file."""
    return World() if path is None else read_section(path, World)
