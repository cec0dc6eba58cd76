"""Errors on the command line: one style, words of the command line, one exit code, and no traceback."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli import exit_codes
from engine.cli.errors import COMMANDS
from engine.model.access import Role, TokenOrder
from patrol.v1 import access_pb2, cameras_pb2, findings_pb2, patrol_pb2, scheduler_pb2
from tests.support.command_line import patrol
from tests.support.serve.served import RunningServer, serving

ROOT = Path(__file__).resolve().parents[3]
API_WORDS = re.compile(r"metadata|Value error|NOT_FOUND|INVALID_ARGUMENT|Service/|filter\.|[a-z]_[a-z]+\[|\bRPC\b")
STYLE = re.compile(r"error \([a-z_]+\): \S")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as server:
        yield server


def refused(*arguments: str) -> str:
    """Run a command that is refused; return what it says, in our style and without words of the API."""
    done = patrol(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    said = " ".join(done.stderr.split())
    assert STYLE.match(said), said
    assert not API_WORDS.search(said), said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("findings list --level x", "--level: 'x' is not one of 'school'"),
        ("findings list --rows 0", "--rows: "),
        ("findings show x", "FINDING: "),
        ("check", "Missing argument 'SOURCE...'"),
        ("pause", "Missing option '--reason'"),
        ("nonsense", "No such command 'nonsense'; `patrol --help` shows"),
        ("kpi --nope", "No such option: --nope"),
        ("cameras list --server nohost.invalid:1", "no machine of this name is known; give HOST:PORT"),
        ("top --server 127.0.0.1:1", "no engine answers at 127.0.0.1:1; start `patrol run`, or give its address"),
        ("top --ca /no/such/file", "--ca /no/such/file: No such file"),
        ("top --ca /etc/hostname", "holds no certificate in PEM"),
        ("kpi --config /no/such/file", "give the path of a readable TOML file"),
    ],
)
def test_a_wrong_call_is_refused_in_one_style(command: str, said: str) -> None:
    assert said in refused(*command.split())


def test_what_the_engine_refuses_is_said_in_the_words_of_the_command_line(served: RunningServer) -> None:
    server = ("--server", served.address)
    assert "there is no finding 99; `patrol findings list` lists those that exist" in refused(
        "findings", "show", "99", *server
    )
    assert "there is no token 7; `patrol token list`" in refused("token", "revoke", "7", *server)
    assert "--region: '1x'" in refused("cameras", "list", "--region", "1x", *server)


def test_an_engine_that_wants_a_token_says_how_to_pass_one(served: RunningServer) -> None:
    _, secret = served.client.access.create_token(TokenOrder("eye", Role.VIEWER))
    server = ("--server", served.address)
    assert "wants a token; pass one with --token or in PATROL_TOKEN" in refused("findings", "list", *server)
    assert "does not accept this token" in refused("findings", "list", *server, "--token", "wrong")
    said = refused("findings", "close", "1", "--why", "x", *server, "--token", secret)
    assert "this needs the role operator, token 'eye' has viewer; ask an admin for another token" in said


def test_every_method_that_a_message_of_the_engine_names_has_a_command() -> None:
    methods = {
        method.name
        for module in (access_pb2, cameras_pb2, findings_pb2, patrol_pb2, scheduler_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    named = re.compile(rf"\b({'|'.join(methods)})\b")
    said = {
        name
        for folder in ("serve", "hub")
        for path in (ROOT / "engine" / folder).rglob("*.py")
        for raised in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(raised, ast.Raise | ast.Return | ast.Assign)
        for part in ast.walk(raised)
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and "; " in part.value
        for name in named.findall(part.value)
    }
    assert {"ListFindings", "ListTokens"} <= said, "the messages were found"
    assert said <= set(COMMANDS)


def test_a_bug_shows_its_traceback_and_has_an_exit_code_of_its_own() -> None:
    program = (
        "import sys\nfrom engine.cli.main import app, main\n"
        "@app.command()\ndef bug() -> None:\n    raise LookupError('a bug')\n"
        "sys.argv = ['patrol', 'bug']\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "LookupError: a bug" in done.stderr


def test_help_and_pages_have_the_same_table_of_exit_codes() -> None:
    shown = patrol("--help").stdout
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert set(exit_codes.MEANINGS) == {0, 1, 2, 70, 130, 141}
    for code in exit_codes.MEANINGS:
        assert f" {code}: " in shown
        assert f"\n| {code} | " in page
