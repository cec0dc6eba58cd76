"""Measures the accuracy of the judge on real pictures that are damaged on purpose, and on real labelled files.

    python -m bench.accuracy --data DIR [--scenes DIR] [--cross-validate] [--seeds 1,2,3] [--report out/] [--page FILE]
                             [--json] [--record] [--quick] [--jobs J]

The data directory has a labels.csv (path,first_frame,last_frame,truth,reference). Its sharp pictures are damaged in
linear light, coded with real H.264 and H.265, and passed through the engine's own decoder, kernels and judge. Its
labelled files are passed through unchanged. The photographs of --scenes (bench.accuracy.packages gets some) are damaged
in the same way, and have figures of their own.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.accuracy.labels import read_labels
from bench.accuracy.reporting.page import replace_tables
from bench.accuracy.reporting.report import write_report
from bench.accuracy.run import RunOptions, run
from bench.history import append

SEEDS_MAX = 10
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def main() -> None:
    """Run the benchmark and print its result."""
    options = _options()
    try:
        labels = read_labels(options.data)
    except ValueError as error:
        sys.exit(str(error))
    try:
        result, findings = run(
            RunOptions(
                options.data, labels, options.scenes, options.seeds, options.jobs, options.quick, options.cross_validate
            )
        )
    except ValueError as error:
        sys.exit(str(error))
    if options.report:
        print(write_report(options.report, result, findings), file=sys.stderr)
    if options.page:
        options.page.write_text(replace_tables(options.page.read_text(encoding="utf-8"), result), encoding="utf-8")
    result = _finite(result)
    if options.record:
        append(_history_record(result))
    print(json.dumps(result, ensure_ascii=False, indent=None if options.json else 2))


def _history_record(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a result that bench/history.jsonl keeps."""
    auc = result["auc"]
    kept = ("hit_rate", "false_alarm_rate", "unknown_rate", "labels_right", "cameras", "seed", "quick", "seconds")
    return {
        "bench": "accuracy",
        "auc": {name: auc[name] for name in ("sharpness", "sharpness_baseline", "peers")},
        "told_apart": result["told_apart"]["value"],
        **{name: result[name] for name in kept},
    }


def _finite(value: Any) -> Any:
    """Return `value` with every nan and infinity replaced by None: JSON has neither."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of a list such as 1,2,3. Raises ArgumentTypeError for anything else."""
    seeds = text.split(",")
    if not all(seed.isdecimal() for seed in seeds) or len(set(seeds)) < len(seeds) or len(seeds) > SEEDS_MAX:
        raise argparse.ArgumentTypeError(
            f"{text!r}: allowed are up to {SEEDS_MAX} different numbers from 0 on with commas between: 1,2,3"
        )
    return tuple(map(int, seeds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="directory with labels.csv")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    parser.add_argument("--report", type=Path, help="directory for plots and report.html")
    parser.add_argument("--page", type=Path, help="Markdown page whose accuracy tables are replaced: docs/measuring.md")
    parser.add_argument("--record", action="store_true", help="append the main figures to bench/history.jsonl")
    parser.add_argument("--quick", action="store_true", help="few cameras: under a minute on one core")
    parser.add_argument("--scenes", type=Path, help="directory of photographs that no rule was tuned on")
    parser.add_argument(
        "--cross-validate", action="store_true", help="tune on half of the scenes, measure on the other"
    )
    parser.add_argument(
        "--seeds", type=_seeds, default=(1,), help="seeds of every random choice, 1,2,3; the first makes the tables"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of processes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
