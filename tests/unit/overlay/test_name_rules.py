"""A burnt-in name is compared as a person would: tolerant of spaces, widths and misread characters."""

import pytest

from engine.overlay.name_rules import NameSign, check_name, is_same_text


@pytest.mark.parametrize(
    ("lines", "sign"),
    [
        (["切配间1"], NameSign.RIGHT),
        (["第一小学 切配间1"], NameSign.RIGHT),
        (["第一小学", "切配间1"], NameSign.RIGHT),
        (["切配闻01"], NameSign.RIGHT),
        (["切 配 间 １"], NameSign.RIGHT),
        (["第一小学"], NameSign.RIGHT),
        (["切配间2"], NameSign.WRONG),
        (["第一小学切配间2"], NameSign.WRONG),
        (["仓库"], NameSign.WRONG),
        (["东门出口"], NameSign.WRONG),
        (["东门出口", "切配间1"], NameSign.RIGHT),
        (["Camera 01"], NameSign.UNSURE),
        (["通道3"], NameSign.UNSURE),
        (["配餐间"], NameSign.UNSURE),
        (["1"], NameSign.UNSURE),
        ([], NameSign.UNSURE),
    ],
)
def test_the_registry_says_what_the_name_is(lines: list[str], sign: NameSign) -> None:
    assert check_name(lines, "切配间1", "第一小学") is sign


def test_letters_that_a_reader_takes_for_digits_are_alike() -> None:
    assert check_name(["Ki7chen Iobby"], "Kitchen lobby", "") is NameSign.RIGHT
    assert is_same_text("CAM officel80", "CAM office180")
    assert not is_same_text("切配间1", "切配间2")


def test_a_camera_without_a_name_has_no_wrong_one() -> None:
    assert check_name(["东门出口"], "", "第一小学") is NameSign.UNSURE
