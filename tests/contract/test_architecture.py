"""docs/architecture.md names files and functions that exist; engine/README.md names every package."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STOPS_MAX = 12
STOP = re.compile(r"^\d+\. `(engine/[\w/]+\.py)` `([\w.]+)`: ", re.MULTILINE)


def section(title: str) -> str:
    """The text under `## title`."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


STOPS: list[tuple[str, str]] = STOP.findall(section("Follow one keyframe"))


def functions_of(file: Path) -> set[str]:
    """The functions and methods that a module defines, methods as `Class.method`."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = [member for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)]
            names |= {f"{node.name}.{method.name}" for method in methods}
    return names


def test_a_keyframe_is_followed_in_at_most_twelve_stops() -> None:
    items = re.findall(r"^\d+\. ", section("Follow one keyframe"), re.MULTILINE)
    assert items == [f"{number}. " for number in range(1, len(items) + 1)]
    assert 1 < len(items) <= STOPS_MAX
    assert len(STOPS) == len(items), "every stop begins with `engine/path/file.py` `Class.method`: "


@pytest.mark.parametrize(("file", "name"), STOPS)
def test_every_stop_exists(file: str, name: str) -> None:
    assert (ROOT / file).is_file(), f"docs/architecture.md: there is no {file}"
    assert name in functions_of(ROOT / file), f"docs/architecture.md: {file} defines no {name}"


def test_every_path_on_the_page_exists() -> None:
    paths = set(re.findall(r"`((?:engine|proto|tests)/[\w/.]+)`", PAGE))
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_every_package_has_its_line() -> None:
    packages = {init.parent.name for init in (ROOT / "engine").glob("*/__init__.py")}
    table = (ROOT / "engine" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)/?` \|", table, re.MULTILINE))
    assert packages - named == set()
