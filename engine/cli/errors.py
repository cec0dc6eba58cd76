"""Says errors to the user of the command line: one style, in the command's words, without those of the API.

`error (CODE): what is wrong, its value, what is allowed, the remedy`
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from engine.cli.database import remedy
from engine.errors import NoDatabaseError, PatrolError
from engine.redact import KNOWN

if TYPE_CHECKING:
    from engine.client import CallError

UsageError: Any = typer.BadParameter.__mro__[1]
"""Click's base class of wrong arguments and options. Typer carries a Click of its own, or uses the one installed."""

COMMANDS: Mapping[str, str] = {
    "ListTokens": "`patrol token list`",
    "ListFindings": "`patrol findings list`",
    "ListFindingEvents": "`patrol findings show`",
    "ListVerdicts": "`patrol verdicts`",
    "ListSpotChecks": "`patrol spot-check --list`",
    "GetSchedulerStatus": "`patrol top`",
    "UpdateCamera": "`patrol cameras edit`",
    "CheckNow": "`patrol check-now`",
}
"""The command that does what the API's method of this name does, for the methods that messages of the engine name."""
_METHOD = re.compile(rf"\b(?:[A-Z][a-z]+Service/)?({'|'.join(COMMANDS)})\b")
_NEEDS_ROLE = re.compile(r"^\w+Service/\w+ needs the role")
_OPTIONS: Mapping[str, str] = {
    "region_prefix": "--region",
    "region": "--region",
    "site_id": "--site",
    "camera": "CAMERA",
    "cameras": "CAMERA",
    "camera_id": "camera",
    "from_day": "--from",
    "to_day": "--to",
    "why": "--why",
    "reason": "--reason",
    "expected_number": "--number",
    "toml": "file",
}
"""What the command line calls fields of requests; others are said as words."""
_INDEX = re.compile(r"\[(\d+)\]")
_PYDANTIC = (
    (re.compile(r"Value error, "), ""),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"allowed: at least \1"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"allowed: at most \1"),
    (re.compile(r"Input should be (?:a )?(?:valid )?"), "allowed: "),
    (re.compile(r", unable to parse.*$"), ""),
)
"""Newer Typers check values with Pydantic, and say what it says."""
_INVALID = re.compile(r"^Invalid value(?: for )?'?(?P<name>[^']*)'?: ", re.DOTALL)


def sentence(error: Exception) -> tuple[str, str]:
    """Return the code of an error and what is said of it, without secrets. For PatrolError, UsageError and OSError."""
    code, text = _sentence(error)
    return code, KNOWN.redact(text)


def _sentence(error: Exception) -> tuple[str, str]:
    if isinstance(error, NoDatabaseError):
        return error.code, remedy(error)
    if isinstance(error, PatrolError):
        return error.code, _call_text(error) if error.code == "call" else str(error)  # type: ignore[arg-type]
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return "file", f"{where}{error.strerror or error}; name one that can be used"
    return "usage", _usage_text(error)


def _call_text(error: "CallError") -> str:
    """Return what the engine said, in the words of the command line."""
    if error.violations:
        text = "\n".join(f"{_option(field)}: {what}" if field else what for field, what in error.violations)
    else:
        text = str(error)
    text = _NEEDS_ROLE.sub("this needs the role", text)
    return _METHOD.sub(lambda found: COMMANDS[found.group(1)], text)


def _option(field: str) -> str:
    """Return what the command line calls a field: `filter.region_prefix` is `--region`, `cameras[2]` is `CAMERA 3`."""
    name = _INDEX.sub("", field.rpartition(".")[2])
    index = _INDEX.search(field)
    words = _OPTIONS.get(name, name.replace("_", " "))
    return words if index is None else f"{words} {int(index.group(1)) + 1}"


def _usage_text(error: Any) -> str:
    text = str(error.format_message()).strip()
    for pattern, words in _PYDANTIC:
        text = pattern.sub(words, text)
    text = _INVALID.sub(lambda found: f"{found['name']}: " if found["name"] else "", text).rstrip(".")
    context = getattr(error, "ctx", None)
    help_of = "patrol" if context is None else context.command_path
    return f"{text}; `{help_of} --help` shows what is allowed"
