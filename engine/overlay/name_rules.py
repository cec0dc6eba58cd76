"""Compares a name that is burnt into a picture with the name that the registry has. Pure.

A reader mistakes characters, and operators write names with other spaces, widths and zeros. So a name is right if it is
much like the registry's, and wrong only if it is quite another, or if nothing but its number differs. What lies between
is unsure.
"""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from enum import Enum

_ALIKE = 0.7
"""Share of the shorter name's characters that the other has in the same order, from which two names are the same."""
_UNLIKE = 0.34
"""The same, up to which they are different names."""
_CHARS_MIN = 2
"""A shorter text is no name."""
_CHARS_MAX = 100
_DEFAULT_NAME = re.compile(r"(?:ip|net)?(?:camera|cam|ipc|ipcamera|channel|chan|ch|video|d|a|摄像机|通道|监控点)*\d*")
"""What cameras and recorders show until somebody gives them a name: it says nothing."""
_LIKE_DIGITS = str.maketrans({"o": "0", "q": "0", "d": "0", "i": "1", "l": "1", "z": "2", "s": "5", "b": "8", "g": "9"})
"""Letters that a reader takes for digits, and the other way round."""


class NameSign(Enum):
    """What the names in one picture say."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSURE = "unsure"


def check_name(lines: Sequence[str], camera_name: str, site_name: str) -> NameSign:
    """Return whether one of the lines is the registry's name of the camera, beside which the canteen's may stand.

    `lines`: the lines of a picture that may be its name.
    """
    registered = [_plain(site_name + camera_name), _plain(camera_name)]
    if len(registered[1]) < _CHARS_MIN:
        return NameSign.UNSURE
    shown = [line for line in map(_plain, lines) if len(line) >= _CHARS_MIN and not _DEFAULT_NAME.fullmatch(line)]
    if len(shown) > 1:
        shown.append("".join(shown))
    signs = [_sign_of(line, registered) for line in shown]
    if NameSign.RIGHT in signs or not signs:
        return NameSign.RIGHT if signs else NameSign.UNSURE
    is_renumbered = any(_differ_in_number(line, name) for line in shown for name in registered)
    return NameSign.WRONG if is_renumbered or all(sign is NameSign.WRONG for sign in signs) else NameSign.UNSURE


def is_same_text(one: str, other: str) -> bool:
    """Return whether two readings are of the same text, but for mistakes of the reader."""
    shown, again = _plain(one), _plain(other)
    return _compare(shown, again) is NameSign.RIGHT and not _differ_in_number(shown, again)


def _sign_of(shown: str, registered: Sequence[str]) -> NameSign:
    """Return what one line says; one that has another number than the registry's name is not that name."""
    if shown not in registered and any(_differ_in_number(shown, name) for name in registered):
        return NameSign.WRONG
    signs = {_compare(shown, name) for name in registered}
    return next(sign for sign in (NameSign.RIGHT, NameSign.UNSURE, NameSign.WRONG) if sign in signs)


def _compare(shown: str, registered: str) -> NameSign:
    one, other = shown.translate(_LIKE_DIGITS), registered.translate(_LIKE_DIGITS)
    matched = sum(block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())
    share = matched / max(1, min(len(one), len(other)))
    if share >= _ALIKE:
        return NameSign.RIGHT
    return NameSign.WRONG if share <= _UNLIKE else NameSign.UNSURE


def _differ_in_number(shown: str, registered: str) -> bool:
    """Return whether two names are the same but for a number in both: another camera of the same kitchen."""
    words = re.split(r"\d+", shown), re.split(r"\d+", registered)
    numbers = re.findall(r"\d+", shown), re.findall(r"\d+", registered)
    same_words = [word.translate(_LIKE_DIGITS) for word in words[0]] == [
        word.translate(_LIKE_DIGITS) for word in words[1]
    ]
    return same_words and bool("".join(words[0])) and numbers[0] != numbers[1]


def _plain(text: str) -> str:
    """Return letters and digits alone, of narrow width, in lower case, without leading zeros of numbers."""
    narrow = unicodedata.normalize("NFKC", text[:_CHARS_MAX]).casefold()
    kept = "".join(character for character in narrow if character.isalnum())
    return re.sub(r"0+(?=\d)", "", kept) if not kept.isdigit() else kept
