"""TOML from anybody: what is nested too deep is refused at once, and what is not is read as before."""

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import loads
from engine.config.describe import toml
from engine.config.reading.toml_text import DEPTH_MAX, parse_toml
from engine.errors import ConfigError

DEEP = {
    "lists": "a = " + "[" * 5000 + "]" * 5000,
    "a megabyte of brackets": "a = " + "[" * 499_000 + "]" * 499_000,
    "inline tables": "a = " + "{a=" * 5000 + "1" + "}" * 5000,
    "a dotted key": ".".join("a" * 500_000) + " = 1",
    "a dotted key in quotes": ".".join(['"a"'] * 250_000) + " = 1",
    "a dotted header": "[" + ".".join("a" * 500_000) + "]",
    "dotted keys within tables": ".".join("a" * 30) + " = " + ("{" + ".".join("b" * 30) + " = ") * 30 + "1" + "}" * 30,
    "behind a text with quotes": 'x = "\\"["\ny = \'"\'\nz = """\n"["""\na = ' + "[" * 5000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_what_is_nested_too_deep_is_refused_within_a_moment(text: str) -> None:
    began_s = time.process_time()
    with pytest.raises(ConfigError, match="config: is nested more than 32 deep"):
        loads(text)
    assert time.process_time() - began_s < 2


LONG = {
    "an open text": 'a = "' + '\\"' * 490_000,
    "an open text of several lines": 'a = """' + '\\"""' * 240_000,
    "quotes": '"' * 1_000_000,
    "one word": "a" * 1_000_000,
    "60,000 unknown keys": "\n".join(f"k{number} = 1" for number in range(60_000)),
    "a name of a megabyte": "[feed]\n" + "a" * 900_000 + " = 1",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_what_is_long_is_refused_in_few_words_within_seconds(text: str) -> None:
    began_s = time.process_time()
    with pytest.raises(ConfigError) as caught:
        loads(text)
    assert time.process_time() - began_s < 15
    assert len(str(caught.value)) < 20_000


def test_brackets_and_dots_in_texts_and_comments_do_not_count() -> None:
    many = "[." * 100
    tree = parse_toml(f"a = \"{many}\"\nb = '{many}'\nc = '''{many}'''\nd = \"\"\"{many}\"\"\" # {many}\n", "x")
    assert tree == {"a": many, "b": many, "c": many, "d": many}
    deep = "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)
    assert parse_toml(f"a = {deep}", "x")
    assert parse_toml(toml(), "x")


@given(st.text(st.sampled_from("ab.=[]{}\"'\\#\n ,1"), max_size=60))
def test_any_text_is_read_as_the_parser_reads_it_or_refused(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(ConfigError):
            parse_toml(text, "x")
    else:
        assert parse_toml(text, "x") == expected
