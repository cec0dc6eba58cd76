"""Prints what share of the engine's statements a measured test run executed, and the ten least covered modules.

    python -m tests.support.coverage_report

Reads the data that `coverage combine` left. Modules of less than ten statements are left out of the list, and so are
modules that no test of the run imported (which happens if only some tests were run). There is no threshold: the list
shows where a test is missing.
"""

import json
import tempfile
from pathlib import Path

import coverage
from coverage.exceptions import CoverageException

SHOWN = 10
STATEMENTS_MIN = 10


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        measured = coverage.Coverage()
        try:
            measured.load()
            measured.json_report(outfile=str(report))
        except CoverageException as error:
            print(f"no coverage to report: {error}; run `make coverage`")
            return 1
        figures = json.loads(report.read_text())
    modules = {path: module["summary"] for path, module in figures["files"].items()}
    listed = [
        path
        for path, summary in modules.items()
        if summary["num_statements"] >= STATEMENTS_MIN and summary["covered_lines"]
    ]
    idle = sum(summary["num_statements"] > 0 == summary["covered_lines"] for summary in modules.values())
    listed.sort(key=lambda path: (modules[path]["percent_covered"], path))
    total = figures["totals"]
    print(f"{total['percent_covered']:.1f} % of {total['num_statements']} statements of engine/ were executed")
    if idle:
        print(f"{idle} modules were not imported by these tests")
    print(f"the {SHOWN} least covered modules:")
    for path in listed[:SHOWN]:
        summary = modules[path]
        print(
            f"{summary['percent_covered']:6.1f} %  {path}: {summary['missing_lines']} of {summary['num_statements']}"
            " statements were not executed"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
