"""docs/security.md: each threat has an answer and tests that exist."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.docs.pages import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield threat, answer and tests of every row of a table of threats."""
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE):
        if "| threat | answer | shown by |" in section:
            table = section.partition("| threat | answer | shown by |\n|---|---|---|\n")[2]
            for line in table.partition("\n\n")[0].strip().splitlines():
                threat, answer, shown = (cell.strip() for cell in line.strip("|").split(" | "))
                yield threat, answer, shown


def test_every_kind_of_attacker_has_threats() -> None:
    heads = re.findall(r"^## (.+)\n\nReaches: ", PAGE, re.MULTILINE)
    assert len(heads) == 8
    assert len(list(rows())) > 40


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row[0][:60])
def test_a_threat_has_an_answer_and_a_test(row: tuple[str, str, str]) -> None:
    _, answer, shown = row
    assert answer
    assert TEST.search(shown)


@pytest.mark.parametrize(("file", "name"), sorted(set(TEST.findall(PAGE))))
def test_each_named_test_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in names, f"{file} has no {name}"
