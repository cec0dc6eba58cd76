"""The console in Chinese and English: which language a page has, and its texts.

English is written in templates and code; `texts/*.zh.po` has the Chinese for it. A text that has no Chinese stays
English; a test finds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

from babel import Locale
from babel.messages.pofile import read_po

DEFAULT = "zh"
CODES = ("zh", "en")
_ACCEPT_CHARS_MAX = 200


@dataclass(frozen=True)
class Language:
    """`code`: zh or en. `texts`: by the English text."""

    code: str
    locale: Locale
    texts: Mapping[str, str]

    def text(self, english: str) -> str:
        """Return a text in this language."""
        return self.texts.get(english, english)

    def count_text(self, singular: str, plural: str, number: int) -> str:
        """Return a text that depends on a number; Chinese has one form, listed under the plural."""
        if self.code == "en":
            return singular if number == 1 else plural
        return self.texts.get(plural, plural)


@cache
def language(code: str) -> Language:
    """Return a language. `code`: one of CODES."""
    return Language("en", Locale("en"), {}) if code == "en" else Language("zh", Locale("zh", "CN", "Hans"), _chinese())


def choose(cookie: str, accept: str) -> str:
    """Return the code of the language that the user chose, or that the browser asks for.

    `accept`: the header Accept-Language. The first of its languages that the console has decides.
    """
    if cookie in CODES:
        return cookie
    weighted: list[tuple[float, int, str]] = []
    for item in accept[:_ACCEPT_CHARS_MAX].split(","):
        name, _, weight = item.strip().partition(";q=")
        try:
            weighted.append((-float(weight or 1), len(weighted), name.lower().partition("-")[0]))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(weighted) if name in CODES), DEFAULT)


def _chinese() -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in sorted((files("engine.web.console") / "texts").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".zh.po"):
            for message in read_po(BytesIO(file.read_bytes())):
                english = message.id[1] if isinstance(message.id, tuple) else message.id
                chinese = message.string[0] if isinstance(message.string, tuple) else message.string
                if english and chinese:
                    texts[str(english)] = str(chinese)
    return texts
