"""The exit codes of `patrol`, and what each means. docs/commands.md and `patrol --help` print this table."""

from collections.abc import Mapping

OK = 0
NO = 1
REFUSED = 2
BUG = 70
# The last two are what shells report for a program that a signal ended: 128 + the number of the signal.
INTERRUPTED = 130
PIPE_CLOSED = 141

MEANINGS: Mapping[int, str] = {
    OK: "done, and all is well",
    NO: "done, and the answer is not all well: a fault, a bad row, a difference, a warning, a broken promise",
    REFUSED: "not done: a wrong option, file or setting, no database, no engine, no picture; stderr says why",
    BUG: "a bug of `patrol`, with a traceback on stderr; please report it",
    INTERRUPTED: "ended by Ctrl-C",
    PIPE_CLOSED: "whoever reads the output is gone (`patrol ... | head`); nothing is wrong",
}


def table() -> str:
    """Return the table as Markdown."""
    rows = [f"| {code} | {_escaped(meaning)} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["| exit code | meaning |", "|---|---|", *rows])


def epilog() -> str:
    """Return the table as lines for the end of `patrol --help`."""
    return "Exit codes:\n\n" + "\n\n".join(f"{code}: {meaning}" for code, meaning in MEANINGS.items())


def _escaped(text: str) -> str:
    """Return the text for a cell of a Markdown table."""
    return text.replace("|", "\\|")
