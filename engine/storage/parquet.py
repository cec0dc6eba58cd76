"""Writes verdicts and their sums as Parquet files, chunk by chunk, so that memory holds one group of rows at a time."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import StoreError
from engine.model.verdict import LoggedVerdict

_GROUP_ROWS = 50_000
_ENUM = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("ns", tz="UTC")
VERDICTS = pa.schema(
    [
        ("seq", pa.int64()), ("camera_id", pa.string()), ("at", _TIME), ("visit_id", pa.uint64()),
        ("changed", pa.bool_()), ("state", _ENUM), ("kinds", pa.list_(pa.string())), ("reason", _ENUM),
        ("detail", pa.string()), ("announced", _ENUM), ("announced_kinds", pa.list_(pa.string())), ("since", _TIME),
        ("cause", _ENUM), ("announced_cause", _ENUM), ("severity", _ENUM), ("confidence", pa.float32()),
        ("sharpness", pa.float32()), ("exposure", pa.float32()), ("occlusion", pa.float32()),
        ("tiles", pa.list_(pa.uint16())), ("width", pa.uint16()), ("height", pa.uint16()), ("codec", _ENUM),
        ("figures", pa.map_(pa.string(), pa.float32())), ("rules_version", _ENUM),
        ("stream", _ENUM),
    ]
)  # fmt: skip
"""One row per verdict, in the order of commits. Without thresholds: the rules' version and the configuration have them.
"""


def write_verdicts(chunks: Iterable[Sequence[LoggedVerdict]], to: Path) -> int:
    """Write verdicts; return how many. Raises StoreError if the file cannot be written; no file is left then."""
    return _write(((_verdict_row(logged) for logged in chunk) for chunk in chunks), VERDICTS, to)


def write_sums(chunks: Iterable[Sequence[dict[str, Any]]], span: str, to: Path) -> int:
    """Write hourly or daily sums (`span`: hour or day), with the camera's id; return how many. Raises StoreError."""
    fields = [(span, _TIME if span == "hour" else pa.date32()), ("camera_id", pa.string())]
    fields += [(name, pa.int32()) for name in ("ok", "fault", "unknown", "offline")]
    for score in ("sharpness", "exposure", "occlusion"):
        fields += [(f"{score}_count", pa.int32())]
        fields += [(f"{score}_{statistic}", pa.float64()) for statistic in ("mean", "min", "max")]
    return _write(chunks, pa.schema(fields), to)


def _write(chunks: Iterable[Iterable[dict[str, Any]]], schema: Any, to: Path) -> int:
    part, written = to.with_name(to.name + ".part"), 0
    try:
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for rows in _row_groups(chunks):
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                written += len(rows)
        part.replace(to)
    except OSError as error:
        raise StoreError(f"{to}: {error.strerror or error}; give a path that can be written to") from error
    finally:
        part.unlink(missing_ok=True)
    return written


def _row_groups(chunks: Iterable[Iterable[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for chunk in chunks:
        group += chunk
        if len(group) >= _GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


def _verdict_row(logged: LoggedVerdict) -> dict[str, Any]:
    verdict = logged.verdict
    row = {name: getattr(verdict, name) for name in VERDICTS.names if hasattr(verdict, name)}
    return row | {
        "seq": logged.seq,
        "changed": logged.changed,
        "at": verdict.at_wall_ns,
        "since": verdict.since_wall_ns,
        "sharpness": verdict.scores.sharpness,
        "exposure": verdict.scores.exposure,
        "occlusion": verdict.scores.occlusion,
        "figures": list(verdict.figures.items()),
    }
