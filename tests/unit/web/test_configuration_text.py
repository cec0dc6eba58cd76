"""What a user types for some keys becomes a configuration; what is no value is named with its key."""

from typing import NamedTuple

import pytest

from engine.errors import InvalidArgumentError
from engine.web.console.configuration_text import compose, sections


class Setting(NamedTuple):
    key: str
    value: str
    default_value: str
    file_only: bool = False


SETTINGS = (
    Setting("scheduler.key_period_s", "600.0", "600.0"),
    Setting("scheduler.hours", '"mon-fri 05:30-11:00"', '""'),
    Setting("judge.confirm_n", "2", "2"),
    Setting("serve.grpc_listen", '"127.0.0.1:1"', '"127.0.0.1:7701"', file_only=True),
    Setting("notices.secret", "***", '""'),
)


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert compose(SETTINGS, {}) == '[scheduler]\nhours = "mon-fri 05:30-11:00"\n'


def test_what_was_typed_is_in_it_and_a_default_typed_anew_is_not() -> None:
    typed = {"scheduler.key_period_s": " 300 ", "scheduler.hours": '""', "judge.confirm_n": "2"}
    assert compose(SETTINGS, typed) == "[scheduler]\nkey_period_s = 300\n"
    typed = {"judge.confirm_n": "3"}
    assert compose(SETTINGS, typed) == '[scheduler]\nhours = "mon-fri 05:30-11:00"\n\n[judge]\nconfirm_n = 3\n'


def test_keys_of_the_file_and_secrets_are_left_out_whatever_is_typed() -> None:
    assert "listen" not in compose(SETTINGS, {"serve.grpc_listen": '"0.0.0.0:1"', "notices.secret": '"x"'})
    assert sections(SETTINGS) == ["scheduler", "judge"]


@pytest.mark.parametrize("text", ["", "a word", '"open', "1\n[serve]\ngrpc_listen = 1", "1\nother = 2", "[1"])
def test_a_text_that_is_no_single_value_is_refused_with_its_key(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        compose(SETTINGS, {"judge.confirm_n": text, "scheduler.key_period_s": "x"})
    assert [field for field, _ in refused.value.violations] == ["scheduler.key_period_s", "judge.confirm_n"]
