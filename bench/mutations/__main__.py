"""Mutates real keyframes and has real workers decode and measure them, and the judge judge them.

    python -m bench.mutations [--inputs N] [--seed S] [--first N] [--jobs J] [--data DIR | --demo] [--keep DIR] [--json]

Each input is an original keyframe (H.264, H.265, JPEG; whole, and no fault) that is damaged by its number and the seed
(bench/mutations/mutate.py has the kinds). It is judged twice: as the first picture of a camera, and against what a
camera that sends such keyframes usually shows. A picture fault (blurred, covered, too_bright, ...) is a failure, for
it shows the damage and not the camera; so is a worker that dies or is stuck. Each failure is named with its number:
`--first N --inputs 1` repeats it, `--keep DIR` writes its payload. Exit 1 if there was one.

`outcomes`: inputs by kind of damage, codec and outcome: `flagged` (measured, and named as damaged), `refused` (gave no
picture), `unknown`, `withheld`, `ok`, `fault`, `crashed`, `stuck`. A fault in either of the two judgements counts. What
is `withheld` would be a fault, but for the rule that such a picture is believed at its second visit only: its damage
was not found. These are named too, and are no failures.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.history import append
from bench.mutations.originals import originals
from bench.mutations.run import Inputs, Outcome, judge_answer
from bench.mutations.workers import Workers

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FAILURES = ("fault", "crashed", "stuck")
WITHHELD = "withheld"


def main() -> int:
    """Run the mutator; return the exit code."""
    options = _options()
    data = None if options.demo or not (options.data / "camera").is_dir() else options.data
    inputs = Inputs(originals(data), options.seed)
    print(f"{len(inputs.originals)} originals of {data or 'the demo'}", file=sys.stderr)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Workers(options.jobs, Path(folder)) as workers:
        result = _run(inputs, workers, options)
    seconds = time.monotonic() - began
    result |= {"seconds": round(seconds, 1), "inputs_per_s": round(options.inputs / seconds, 1)}
    if options.record:
        append(
            {
                "bench": "mutations",
                **{name: value for name, value in result.items() if name not in ("failures", WITHHELD)},
            }
        )
    print(json.dumps(result) if options.json else _text(result))
    return 1 if result["failures"] else 0


def _run(inputs: Inputs, workers: Workers, options: argparse.Namespace) -> dict[str, Any]:
    counts: Counter[tuple[str, str, str]] = Counter()
    named: list[dict[str, Any]] = []
    numbers = range(options.first, options.first + options.inputs)
    for answer in workers.measure((number, *inputs.job(number)) for number in numbers):
        original, mutant = inputs[answer.number]
        outcome = judge_answer(answer, original)
        counts[mutant.kind, str(original.codec), outcome.word] += 1
        if outcome.word in (*FAILURES, WITHHELD):
            named.append(_named(answer.number, original.name, mutant.kind, outcome))
            print(json.dumps(named[-1], ensure_ascii=False), file=sys.stderr, flush=True)
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{options.seed}-{answer.number}.{original.codec}").write_bytes(mutant.payload)
    return {
        "inputs": options.inputs,
        "seed": options.seed,
        "originals": len(inputs.originals),
        "outcomes": [[*key, count] for key, count in sorted(counts.items())],
        "failures": [entry for entry in named if entry["outcome"] in FAILURES],
        WITHHELD: [entry for entry in named if entry["outcome"] == WITHHELD],
        "worker_rss_mb_max": round(workers.rss_mb_max, 1),
    }


def _named(number: int, name: str, kind: str, outcome: Outcome) -> dict[str, Any]:
    return {"number": number, "original": name, "damage": kind, "outcome": outcome.word, "detail": outcome.detail}


def _text(result: dict[str, Any]) -> str:
    words = sorted({word for _, _, word, _ in result["outcomes"]})
    counts = {(kind, codec, word): count for kind, codec, word, count in result["outcomes"]}
    lines = ["{:8} {:6}".format("damage", "codec") + "".join(f"{word:>9}" for word in words)]
    for kind, codec in sorted({key[:2] for key in counts}):
        lines.append(f"{kind:8} {codec:6}" + "".join(f"{counts.get((kind, codec, word), 0):9}" for word in words))
    rest = {name: value for name, value in result.items() if name not in ("outcomes", "failures", WITHHELD)}
    return "\n".join(
        [*lines, f"{len(result['failures'])} failures, {len(result[WITHHELD])} withheld", json.dumps(rest)]
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=5_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="seed of every random choice")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of workers")
    parser.add_argument("--data", type=Path, default=DATA, help="directory with camera/*.mp4")
    parser.add_argument("--demo", action="store_true", help="mutate the demo's pictures, whatever is in DIR")
    parser.add_argument("--keep", type=Path, help="directory for the payloads of failures")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
