"""Measures the web console in front of an engine with a province of cameras that checks a hundred a second.

    python -m bench.web --json [--record] [--cameras 131072] [--rows 200000] [--checks 100] [--seconds 60]
                        [--sessions 50] [--pictures 10500] [--dir DIR]

Runs an engine with its web process on a generated SQLite file (bench.province; with `--dir` it is kept and reused).
Engine, web process, Chromium and all else share the same cores. First a gateway pushes a picture of each of
`--pictures` cameras of one city, those of the wall (`fill_s`); from then on it pushes `--checks` keyframes a second,
each of another camera of the province, which are decoded, judged and stored as usual.

`checks_per_s`: rows by which the log grew while no page was open. `sessions_`: half of `--sessions` have the wall open
and its live stream, half have Today open; all ask for what their pages refresh (`hx-trigger`), and whether the engine
is there. `sessions_web_cores`: what the web process used meanwhile beyond what it used before; `sessions_checks_kept`:
checks a second meanwhile / before.

`today_first_byte_ms_p95`: from the request to the first byte of the page, one request after the other. `wall_200_ms`:
from the click to the 200th picture, of pictures that nobody has asked for before; `wall_200_again_ms`: of the same once
more. `scroll_`: through `scroll_cameras` cameras at a constant speed, seen at each frame: `blank_ms_max` is the longest
time in which some place of the view had no tile, or in which no frame was drawn; `pictures_ms`: from the end of
scrolling to the last picture. `review_next_ms_p95`: from the key j to the next finding with its pictures, pressed
after a second on each; `review_next_at_once_ms_p95`: pressed as soon as the one before is there. `js_kb`: compressed
script by page. A screen that the console has not is in `absent`, and what it would give is null.
"""

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.history import append
from bench.web.run import measure


def main() -> None:
    """Measure and print."""
    options = _options()
    with ExitStack() as stack:
        folder = options.dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrol-web-")))
        folder.mkdir(parents=True, exist_ok=True)
        result = {"bench": "web", **measure(folder.absolute(), options)}
    if options.record:
        append(result)
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="keep the result in bench/history.jsonl")
    parser.add_argument("--cameras", type=int, default=131_072)
    parser.add_argument("--rows", type=int, default=200_000, help="verdicts in the log; at least one for each camera")
    parser.add_argument("--checks", type=float, default=100.0, help="keyframes pushed a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds with sessions, and without")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=10_500, help="cameras of the wall with a picture")
    parser.add_argument("--dir", type=Path, help="folder where the database is kept; default: a temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
