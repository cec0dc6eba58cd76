"""`python -m engine.docgen` rewrites the generated pages of docs/; `--check` only names the stale ones, and exits 1."""

import argparse
import sys
from collections.abc import Sequence

from engine.docgen.pages import stale_pages


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite stale pages, or with `--check` only name them; return the exit code. `arguments`: default: sys.argv."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.docgen", description="Rewrites the generated pages of docs/ and dashboards of deploy/."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a page is stale")
    check: bool = parser.parse_args(arguments).check
    stale = False
    for path, text in stale_pages():
        stale = True
        if not check:
            path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{'stale' if check else 'rewritten'}: {path.name}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
