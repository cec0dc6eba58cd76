"""What is wrong with a value is said in our words: what, value, what is allowed, the remedy."""

import re

import pytest

from engine.config import loads
from engine.errors import ConfigError

PYDANTIC = re.compile(
    r"[Ii]nput should|[Vv]alue error|valid dictionary|instance of|unable to parse|should match|item after"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feed = 3", "feed = 3: allowed: a table of keys; correct the value"),
        ('[scheduler]\nkey_period_s = "soon"', "scheduler.key_period_s = 'soon': allowed: a number; correct the value"),
        ("[scheduler]\nstarts_per_s_max = 1e99", "scheduler.starts_per_s_max = 1e+99: allowed: at most 10000;"),
        ('[scheduler]\nhost_visits_max = {a = "x"}', "scheduler.host_visits_max.a = 'x': allowed: a whole number;"),
        ("[judge]\nconfirm_n = 2.5", "judge.confirm_n = 2.5: allowed: a whole number;"),
        ("[record]\nurl = 5", 'record.url = 5: allowed: text in quotes, like "x";'),
        ("[record]\nurl = true", 'record.url = true: allowed: text in quotes, like "x";'),
        ('[record]\nevidence = "sometimes"', "record.evidence = 'sometimes': allowed: all, faults, none;"),
        ("[record]\nevidence_bytes_max = -1", "record.evidence_bytes_max = -1: allowed: at least 0;"),
        ('[feed]\nschemes = "rtsp"', "feed.schemes = 'rtsp': allowed: a list, like [ ... ];"),
        (
            '[[notices.endpoints]]\nname = "a b"',
            "notices.endpoints.0.name = 'a b': allowed: text that matches ^",
        ),
        ("[[notices.endpoints]]", "notices.endpoints.0.name: is missing; add it"),
        ('[record]\nurl = ["postgresql://u:secret@h/p"]', "record.url: allowed: text in quotes"),
    ],
)
def test_a_wrong_value_is_said_in_our_words(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text)
    message = str(caught.value)
    assert f"config: {said}" in message
    assert not PYDANTIC.search(message)
    assert "secret@" not in message


def test_a_password_in_a_wrong_value_is_masked_and_a_long_value_is_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        loads('[record]\nevidence = "rtsp://u:secret@h/"')
    assert "= 'rtsp://u:***@h/'" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        loads(f'[record]\nevidence = "{"x" * 500}"')
    assert f"'{'x' * 119}...: allowed: all" in str(caught.value)
