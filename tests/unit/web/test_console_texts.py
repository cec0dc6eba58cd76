"""Every text of the console has its Chinese, and no Chinese is left over."""

from importlib.resources import files

import pytest
from babel.messages.extract import extract_from_dir

from engine.model.verdict import UnknownReason
from engine.model.visit import FailureReason
from engine.web.console import error_pages
from engine.web.console.languages import choose, language
from engine.web.console.screens import SCREENS
from engine.web.console.words import Words
from patrol.v1.access_pb2 import Role
from patrol.v1.cameras_pb2 import KeyPoint, SiteKind
from patrol.v1.findings_pb2 import FindingLevel, FindingState, FindingStep
from patrol.v1.patrol_pb2 import Kpi
from patrol.v1.verdicts_pb2 import FaultCause, FaultKind, FaultSeverity, VerdictState

FOLDER = files("engine.web.console")


def texts_of_templates() -> set[str]:
    """Return the English of every template."""
    methods = [("templates/**.jinja", "jinja2")]
    options = {"templates/**.jinja": {"trimmed": "true"}}
    found = extract_from_dir(str(FOLDER), methods, options)
    texts = set()
    for _, _, message, _, _ in found:
        texts.add(message[1] if isinstance(message, tuple) else message)
    return texts


def test_every_text_of_a_template_has_its_chinese() -> None:
    texts = texts_of_templates()
    assert len(texts) > 20
    assert sorted(texts - set(language("zh").texts)) == []


@pytest.mark.parametrize(
    ("cookie", "accept", "code"),
    [
        ("", "", "zh"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "fr, en;q=0.5, zh;q=0.4", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh", "en", "zh"),
        ("xx", "en", "en"),
        ("", "en;q=x", "zh"),
        ("", "de", "zh"),
    ],
)
def test_the_language_is_what_the_user_chose_or_the_browser_asks_for(cookie: str, accept: str, code: str) -> None:
    assert choose(cookie, accept) == code


def test_every_text_in_code_has_its_chinese() -> None:
    texts = {
        *error_pages.TITLES.values(),
        *error_pages.REMEDIES.values(),
        error_pages.OTHER_TITLE,
        error_pages.OTHER_REMEDY,
    }
    texts |= {screen.title for screen in SCREENS if screen.path}
    assert sorted(texts - set(language("zh").texts)) == []


def test_every_word_of_the_api_has_its_chinese() -> None:
    words = Words(language("zh"))
    enums = [
        (VerdictState, words.state),
        (FaultKind, words.kind),
        (FaultCause, words.cause),
        (FaultSeverity, words.severity),
        (KeyPoint, words.key_point),
        (SiteKind, words.site_kind),
        (FindingState, words.finding_state),
        (FindingStep, words.step),
        (FindingLevel, words.level),
        (Kpi, words.kpi),
        (Role, words.role),
    ]
    without = [
        f"{enum.DESCRIPTOR.name} {value}"
        for enum, word in enums
        for value in enum.values()
        if value and word(value).isascii()
    ]
    reasons = [*FailureReason, *UnknownReason]
    assert [*without, *(reason for reason in reasons if words.reason(reason).isascii())] == []
