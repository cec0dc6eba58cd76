"""Parses TOML that may come from anybody: what is nested too deep is refused before it is parsed. Pure.

Python's parser calls itself for each bracket, and its time grows with the square of a dotted key's length: a key of
100 KB costs a minute.
"""

import re
import tomllib
from typing import Any

from engine.errors import ConfigError

DEPTH_MAX = 32
"""Most tables, lists and parts of a dotted key around a value; a configuration has six."""
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*) | (?P<open>[\[{]) | (?P<close>[\]}]) | (?P<dot>\.)
      | (?P<quotes>\"{3}|'{3}|\"|') | (?P<word>[A-Za-z0-9_-]+|[ \t]+) | (?P<other>.|\n)""",
    re.VERBOSE,
)
_REST_OF_TEXT = {
    '"': re.compile(r'(?:\\.|[^"\\\n])*"'),
    "'": re.compile(r"[^'\n]*'"),
    '"""': re.compile(r'(?:\\.|[^\\])*?"""', re.DOTALL),
    "'''": re.compile(r".*?'''", re.DOTALL),
}
"""What follows the opening quotes of a text, up to its closing quotes."""


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return the tree of a TOML text. `name`: stands for the text in messages. Raises ConfigError."""
    _check_depth(text, name)
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name}: is not TOML: {error}") from error
    if _depth(tree) > DEPTH_MAX:
        raise _too_deep(name)
    return tree


def _check_depth(text: str, name: str) -> None:
    """Raise ConfigError if brackets, or the dots of a key, are nested too deep. Text that is no TOML may pass."""
    depth = dots = place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            return  # not reached: a token matches any character
        place = token.end()
        kind = token.lastgroup
        if kind == "quotes":
            end = _REST_OF_TEXT[token[0]].match(text, place)
            if end is None:
                return  # the parser stops here too
            place = end.end()
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        if kind == "dot":
            dots += 1
        elif kind not in ("word", "quotes"):
            dots = 0
        if depth > DEPTH_MAX or dots > DEPTH_MAX:
            raise _too_deep(name)


def _depth(tree: dict[str, Any]) -> int:
    """Return how many tables and lists are nested. Without recursion: dotted keys and brackets multiply."""
    depth = 0
    level: list[dict[str, Any] | list[Any]] = [tree]
    while level:
        depth += 1
        inner = [value for item in level for value in (item.values() if isinstance(item, dict) else item)]
        level = [value for value in inner if isinstance(value, dict | list)]
    return depth


def _too_deep(name: str) -> ConfigError:
    return ConfigError(f"{name}: is nested more than {DEPTH_MAX} deep; write it with fewer brackets and dots")
