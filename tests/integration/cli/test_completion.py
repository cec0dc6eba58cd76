"""Shell completion, as a shell asks for it."""

import os
import subprocess
import sys

import pytest

_PROGRAM = "import sys; sys.argv = ['patrol']; from engine.cli import main; main()"


def asked(**variables: str) -> str:
    command = [sys.executable, "-c", _PROGRAM]
    environment = os.environ | variables
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    assert "_PATROL_COMPLETE" in asked(_PATROL_COMPLETE=f"source_{shell}")


@pytest.mark.parametrize(
    ("typed", "word", "offered"),
    [
        ("patrol che", 1, {"check", "check-now"}),
        ("patrol cameras e", 2, {"edit", "export"}),
        ("patrol picture --whi", 2, {"--which"}),
        ("patrol picture --which las", 3, {"last-good"}),
    ],
)
def test_commands_options_and_words_are_offered(typed: str, word: int, offered: set[str]) -> None:
    said = asked(_PATROL_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(word))
    assert set(said.split()) == offered
