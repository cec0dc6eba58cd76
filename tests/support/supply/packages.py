"""Prints what pip installs with the engine, at the versions of this environment, as lines of a requirements file.

    python -m tests.support.supply.packages

Without the tools of developers: what is audited and listed is what runs at a user's.
"""

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"
EXTRAS = ("demo",)
"""README installs these."""


def pinned() -> list[str]:
    """Return `name==version` of every package, in the order of their names. Raises ValueError if one is missing."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(each for extra in EXTRAS for each in project["optional-dependencies"][extra])]
    found: dict[str, str] = {}
    done: set[tuple[str, str]] = set()
    waiting = _needed(wanted, "")
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise ValueError(f"{name} is not installed here; run `make` with a fresh .venv") from None
        found[name] = package.version
        waiting += _needed(package.requires or (), extra)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _needed(requirements: Iterable[str], extra: str) -> list[tuple[str, str]]:
    """Return name and extra of each that this machine needs."""
    parsed = map(Requirement, requirements)
    here = (each for each in parsed if each.marker is None or each.marker.evaluate({"extra": extra}))
    return [(canonicalize_name(each.name), wanted) for each in here for wanted in ("", *each.extras)]


if __name__ == "__main__":
    print("\n".join(pinned()))
