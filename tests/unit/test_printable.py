"""Text from outside is one line of what can be seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("404 Not Found", "404 Not Found"),
        ("没有这个流 (404)", "没有这个流 (404)"),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("a\r\nb\tc\u3000d", "a  b c d"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_stands_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_any_text_becomes_one_printable_line_that_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
