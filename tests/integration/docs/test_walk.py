"""Every command line that README and docs/ show runs as shown, in the order of its page, on a machine of its own.

tests/support/docs/lines.py says what is substituted, what is not run and why, and what may end with another code.
"""

from pathlib import Path

import pytest

from tests.support.docs.lines import needs_missing_program, not_run
from tests.support.docs.pages import PAGES, ROOT, Command, blocks, commands
from tests.support.docs.reader import reader
from tests.support.webhook_receivers import Receiver, receiving

pytestmark = pytest.mark.long

PYTHON_S = 12.0


def runnable(page: Path) -> list[Command]:
    return [
        command
        for command in commands(page.read_text(encoding="utf-8"))
        if not not_run(command.text) and not needs_missing_program(command.text)
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "page", [page for page in PAGES if runnable(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_lines_of_a_page_run(page: Path, tmp_path: Path) -> None:
    problems: list[tuple[int, str]] = []
    with receiving(Receiver()) as endpoint, reader(tmp_path, endpoint.port) as person:
        if page.name != "README.md":
            person.import_registry()
        problems += [(command.line, person.type(command)) for command in runnable(page)]
        python = [block for block in blocks(page.read_text(encoding="utf-8")) if block.language == "python"]
        problems += [(block.line, person.run_python(block.text, PYTHON_S)) for block in python]
    assert [(line, problem) for line, problem in problems if problem] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("patrol cameras list --region nonsense", "ended with 2"),
        ("patrol config check absent.toml", "ended with 2"),
        ("patrol check absent.mp4", "ended with 2"),
        ("python examples/absent.py", "ended with 2"),
        ("absent-program", "ended with 127"),
    ],
)
def test_a_line_that_fails_is_found(line: str, said: str, tmp_path: Path) -> None:
    with reader(tmp_path, 1) as person:
        assert said in person.type(Command(1, line))
