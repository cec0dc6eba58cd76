"""What callers are told of the configuration in force, and that its text changes nothing when it comes back."""

import pytest

from engine.config import Settings, loads
from engine.config.describe import rows
from engine.config.diff import revision
from engine.config.file_only import over_api
from engine.config.in_force import engine_config

CHANGED = """
[feed]
rtsp_transport = "udp"
schemes = ["rtsp", "file"]
[scheduler]
key_period_s = 600.0
key_points = ["cooking", "cutting"]
hours = "mon-fri 05:30-19:00"
host_visits_max = { "平台 1.example.cn" = 3 }
[ledger.first_level]
blind = "county"
impaired = "school"
cosmetic = "school"
[record]
url = "postgresql://patrol:geheim@db/patrol"
[log]
level = "warning"
"""


@pytest.mark.parametrize("text", ["", CHANGED])
def test_the_text_of_the_configuration_in_force_changes_nothing_when_it_is_applied(text: str) -> None:
    settings = loads(text)
    told = engine_config(settings)
    again = over_api(settings, loads(told.toml), "request")
    assert again == settings
    assert told.revision == revision(again)


def test_the_text_has_what_differs_and_what_the_api_may_change_and_no_more() -> None:
    assert engine_config(Settings()).toml == ""
    told = engine_config(loads(CHANGED)).toml
    assert [line for line in told.splitlines() if line.startswith("[")] == [
        "[feed]",
        "[scheduler]",
        "[ledger]",
        "[log]",
    ]
    assert 'rtsp_transport = "udp"' in told
    assert "schemes" not in told
    assert "ordinary_period_s" not in told


def test_every_key_is_told_with_value_default_meaning_unit_and_bounds_and_no_secret() -> None:
    told = engine_config(loads(CHANGED))
    by_key = {setting.key: setting for setting in told.settings}
    assert list(by_key) == [f"{row.section}.{row.key}" for row in rows()]
    period = by_key["scheduler.key_period_s"]
    assert (period.value, period.default, period.unit, period.hot, period.file_only) == (
        "600.0", "900.0", "s", True, False,
    )  # fmt: skip
    assert period.allowed == "at least 1, at most 86 400"
    assert "key point" in period.meaning
    url = by_key["record.url"]
    assert (url.value, url.file_only) == ('"postgresql://patrol:***@db/patrol"', True)
    assert "geheim" not in str(told)


def test_no_key_that_the_api_may_change_has_a_secret_which_its_text_would_tell() -> None:
    """A secret in one would have to be left out of the text, and applying the text would then delete it."""
    words = ("password", "secret", "token", "key_file", "url")
    named = [row.key for row in rows() if not row.file_only and any(word in row.key for word in words)]
    assert named == []
