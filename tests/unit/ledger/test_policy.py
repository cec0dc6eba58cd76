"""The ledger's settings: what is refused with which words, and what of them decides where."""

import re
from pathlib import Path

import pytest

from engine.config import Settings, loads
from engine.config.describe import toml
from engine.errors import ConfigError
from engine.ledger.policy import Policy, hours_ns, next_level
from engine.model.findings import Level
from engine.model.verdict import Severity

PAGE = Path(__file__).resolve().parents[3] / "docs" / "ledger.md"


def policy(text: str) -> Policy:
    return Policy(loads(text).ledger)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recheck_n = 4", r"recheck_n = 4: must not be more than ledger.recheck_m \(3\)"),
        ('first_level = { blind = "city" }', "first_level: has no entry for impaired, cosmetic; .* must name all of"),
        ("blind_hours = { school = 1, city = 1 }", "blind_hours: has no entry for county, province"),
        ("blind_hours = { school = 0 }", "blind_hours.school = 0: allowed: more than 0"),
        ("blind_hours = { school = 9000 }", "school = 9000: allowed: at most 8760"),
        ("blind_hours = { village = 1 }", "blind_hours.village = 'village': allowed: school, county, city, province"),
        ('supervised_level = "school"', "supervised_level = 'school': allowed: county, city, province, never"),
        ('[[ledger.regions]]\nregion = "130"', "regions.0.region = '130'"),
        ("[[ledger.regions]]\nblind_hours = { school = 1 }", "regions.0.region"),
        ('[[ledger.regions]]\nregion = "13"\n[[ledger.regions]]\nregion = "13"', "'13' has two tables"),
        ('[[ledger.regions]]\nregion = "13"\nblind_hour = 1', "unknown key; did you mean blind_hours"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_key_and_remedy(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loads(f"[ledger]\n{text}\n")


def test_a_policy_as_it_is_shown_loads_back_to_itself() -> None:
    settings = loads('[[ledger.regions]]\nregion = "1301"\nfirst_level = { blind = "city" }\n')
    assert loads(toml(settings)) == settings
    assert loads(toml()) == Settings()


def test_the_policy_of_the_page_does_what_the_page_says() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    read = policy(text)
    assert read.first_level("130102", Severity.BLIND) is Level.COUNTY
    assert read.first_level("130103", Severity.BLIND) is Level.SCHOOL
    assert read.time_ns("130103", Severity.BLIND, Level.SCHOOL) == hours_ns(8)
    assert read.time_ns("1302", Severity.BLIND, Level.SCHOOL) == hours_ns(24)
    assert read.time_ns("130102", Severity.BLIND, Level.COUNTY) == hours_ns(24)


def test_a_camera_without_a_region_has_what_holds_everywhere() -> None:
    read = policy('[[ledger.regions]]\nregion = "13"\nblind_hours = { school = 1 }\n')
    assert read.time_ns("", Severity.BLIND, Level.SCHOOL) == hours_ns(24)


def test_supervision_begins_at_its_level_or_never() -> None:
    assert [policy("").supervises(level) for level in Level] == [False, False, True, True]
    never = policy('[ledger]\nsupervised_level = "never"\n')
    assert not any(never.supervises(level) for level in Level)


def test_the_levels_rise_from_school_to_province() -> None:
    assert [next_level(level) for level in Level] == [Level.COUNTY, Level.CITY, Level.PROVINCE, None]
