"""Region codes and their names: Hebei's table is whole, and what it does not know stays a code."""

import pytest

from engine.errors import RegistryError
from engine.interchange.regions import Regions, hebei


def test_hebei_has_eleven_cities_and_167_counties() -> None:
    table = hebei()
    assert table.children() == ("13",)
    cities = table.children("13")
    assert cities == tuple(f"13{number:02}" for number in range(1, 12))
    names = [table.name(county) for city in cities for county in table.children(city)]
    assert len(names) == 167
    autonomous = [name for name in names if name.endswith("自治县")]
    kinds = {kind: sum(name.endswith(kind) for name in names) for kind in "区市县"}
    assert (kinds["区"], kinds["市"], kinds["县"] - len(autonomous), len(autonomous)) == (49, 21, 91, 6)


@pytest.mark.parametrize(
    ("city", "counties"),
    [
        ("石家庄市", 22), ("唐山市", 14), ("秦皇岛市", 7), ("邯郸市", 18), ("邢台市", 18), ("保定市", 24),
        ("张家口市", 16), ("承德市", 11), ("沧州市", 16), ("廊坊市", 10), ("衡水市", 11),
    ],
)  # fmt: skip
def test_every_city_has_its_number_of_counties(city: str, counties: int) -> None:
    table = hebei()
    (code,) = (child for child in table.children("13") if table.name(child) == city)
    assert len(table.children(code)) == counties


def test_names_that_changed_last_are_those_of_today() -> None:
    table = hebei()
    assert [table.name(code) for code in ("130502", "130503", "130505", "130506")] == [
        "襄都区", "信都区", "任泽区", "南和区",
    ]  # fmt: skip
    assert table.name("130284") == "滦州市"
    assert "130521" not in table


def test_a_code_is_shown_with_its_city() -> None:
    table = hebei()
    assert [table.label(code) for code in ("13", "1301", "130102", "130902")] == [
        "河北省", "石家庄市", "石家庄市长安区", "沧州市新华区",
    ]  # fmt: skip


def test_a_code_no_table_knows_is_shown_as_it_is() -> None:
    table = hebei()
    for code in ("130199", "3301", "", "1331", "abc"):
        assert code not in table
        assert table.name(code) == table.label(code) == code
    assert table.parents("133102") == ("13", "1331")


def test_zeros_that_fill_up_a_code_mean_nothing() -> None:
    table = hebei()
    assert table.label("130100") == "石家庄市"
    assert table.label("130000") == "河北省"
    assert table.children("130100") == table.children("1301")
    assert table.name("130200") == "唐山市"


def test_a_region_contains_itself_and_what_lies_below() -> None:
    table = hebei()
    assert table.contains("13", "130102")
    assert table.contains("130100", "130102")
    assert table.contains("", "3301")
    assert table.contains("1301", "1301")
    assert not table.contains("1302", "130102")
    assert not table.contains("130102", "1301")


@pytest.mark.parametrize("line", ["13a\tx", "130\tx", "13", "13\t", "1301\ta\n1301\tb"])
def test_a_table_that_cannot_be_read_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(RegistryError, match=r"line \d: .*wanted"):
        Regions.of_text(f"# head\n{line}\n")
