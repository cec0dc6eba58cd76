"""Parses the pages: blocks of code, the command lines in them, and what stands in inline code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "engine/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))

PROGRAMS = frozenset(
    (
        *("patrol", "make", ".ci/run", "pytest", "python", "python3", "pip", "pipx", "uv", "uvx"),
        *("sh", "bash", "export", "sed", "cp", "kill", "install", "jq", "curl", "openssl", "sha256sum"),
        *("apt-get", "useradd", "systemctl", "journalctl", "createuser", "psql", "pg_dump", "pg_restore", "docker"),
        *("grpcurl", "node", "npm", "npx", "go", "java", "dotnet", "ffmpeg", "prometheus", "promtool"),
    )
)
"""A line of a block without prompts is a command if it begins with one of these, or with a path to one."""
SHELL_LANGUAGES = frozenset({"sh", "bash", "shell", "console"})
_FENCE = re.compile(r"^( *)```(\w*)\s*$")
_INLINE = re.compile(r"`([^`\n]+)`")
_SEPARATORS = frozenset({"|", "||", "&&", ";", "&"})
_REDIRECTS = frozenset({">", ">>", "<", "2>"})


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code. `language`: as the fence says; empty without. `line`: of the page, where the code begins."""

    language: str
    line: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that a page shows, with continuations joined, or a script. `line`: of the page."""

    line: int
    text: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced and the indented blocks of a page, in order."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        if fence := _FENCE.match(lines[at]):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == "```"), len(lines))
            yield Block(fence[2], at + 2, tuple(line.removeprefix(fence[1]) for line in lines[at + 1 : end]))
            at = end + 1
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = next((n for n in range(at, len(lines)) if not lines[n].startswith("    ")), len(lines))
            yield Block("", at + 1, tuple(line[4:] for line in lines[at:end]))
            at = end
        else:
            at += 1


def commands(page: str) -> Iterator[Command]:
    """Yield the command lines of a page: after `$ ` where a block has prompts, else by their first word.

    A block that names a language of the shell and has no prompts is a script: one command.
    """
    for block in blocks(page):
        if block.language and block.language not in SHELL_LANGUAGES:
            continue
        prompts = any(line.startswith("$ ") for line in block.lines)
        if block.language and not prompts:
            yield Command(block.line, block.text)
            continue
        at = 0
        while at < len(block.lines):
            begin, line = at, block.lines[at]
            at += 1
            if not _is_command(line, prompts):
                continue
            while line.rstrip().endswith("\\") and at < len(block.lines):
                line = line.rstrip()[:-1] + " " + block.lines[at].strip()
                at += 1
            yield Command(block.line + begin, line.removeprefix("$ "))


def inline(page: str) -> Iterator[str]:
    """Yield what stands in inline code, outside of blocks."""
    yield from _INLINE.findall(prose(page))


def prose(page: str) -> str:
    """Return the page with its blocks left out."""
    inside: set[int] = set()
    for block in blocks(page):
        inside.update(range(block.line - 1, block.line - 1 + len(block.lines)))
    lines = page.splitlines()
    return "\n".join(line for n, line in enumerate(lines) if n not in inside and not _FENCE.match(line))


def simple_commands(text: str) -> list[list[str]]:
    """Split a command line into its simple commands, each as words; comments, redirections and variables are left out.

    `a | b && c` gives three. Raises ValueError if quotes do not close.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if word in _SEPARATORS:
            found.append([])
        elif word in _REDIRECTS:
            next(words, None)
        elif found[-1] or not re.fullmatch(r"\w+=.*", word):
            found[-1].append(word)
    return [words for words in found if words]


def _is_command(line: str, prompts: bool) -> bool:
    if prompts:
        return line.startswith("$ ")
    first = line.split(" ")[0]
    if not first or line.startswith("#"):
        return False
    return first in PROGRAMS or ("/bin/" in first and first.rpartition("/")[2] in PROGRAMS)
