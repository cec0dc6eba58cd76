"""bench.accuracy's damages: physics that must hold, growth with strength, the same seed the same picture."""

import cv2
import numpy as np
import pytest

from bench.accuracy import words
from bench.accuracy.imaging.covers import MATERIALS, Cover, HeldCover
from bench.accuracy.imaging.damage import Damage, disc, path
from bench.accuracy.imaging.electronics import (
    SCREENS,
    ColourCast,
    DeadRows,
    Frozen,
    InfraredNight,
    Noisy,
    NoSignal,
    Snow,
    Stripes,
)
from bench.accuracy.imaging.exposure import Backlit, ExposureShift
from bench.accuracy.imaging.light import DAY, SENSORS, Linear, Sensor, expose, levels, linear
from bench.accuracy.imaging.optics import Defocus, Drops, Grease, Motion, Overexposed, Steam, Turned, Underexposed
from bench.accuracy.imaging.overlay import Overlay, burn_in, random_overlay

ROWS, COLUMNS = 270, 480


def scene(seed: int = 1) -> Linear:
    """Blocks with edges everywhere, linear light."""
    random = np.random.default_rng(seed)
    blocks = np.kron(random.uniform(0.02, 0.8, (ROWS // 10, COLUMNS // 10, 3)), np.ones((10, 10, 1)))
    return blocks.astype(np.float32)


def slope(picture: np.ndarray) -> float:
    luma = picture.astype(np.float32).mean(axis=2)
    return float(np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)).mean())


EVERY: list[Damage] = [
    Defocus(6, 1), Motion(18, 1), Grease(0.6, 1), Steam(0.6, 1), Drops(0.2, 1), Turned(0.2, 1), Underexposed(3, 1),
    Overexposed(2, 1), ExposureShift(1.5, 1), ExposureShift(1.5, 1, over=True), Backlit(2, 1), HeldCover(0.3, 1),
    *(Cover(0.4, 1, material) for material in MATERIALS), ColourCast(2, 1), InfraredNight(1, 1),
    Noisy(20, 1), Snow(0.1, 1), Stripes(15, 1), DeadRows(0.05, 1), *(NoSignal(1, 1, screen) for screen in SCREENS),
]  # fmt: skip


def through(damage: Damage, picture: Linear, visit: int = 3) -> np.ndarray:
    return damage.signal(levels(np.clip(damage.lens(picture, visit) * damage.gain(picture), 0, 1)), visit)


def name(damage: Damage) -> str:
    return f"{damage.kind} {getattr(damage, 'material', getattr(damage, 'screen', ''))}".strip()


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5, 8.0])
def test_a_lens_out_of_focus_loses_no_light(radius: float) -> None:
    assert disc(radius).sum() == pytest.approx(1.0, abs=1e-6)
    flat = np.full((40, 60, 3), 0.3, np.float32)
    assert Defocus(radius * 27, 1).lens(flat, 0) == pytest.approx(flat, abs=1e-4)


@pytest.mark.parametrize("length", [0.5, 3.0, 12.0, 40.0])
def test_a_shaken_camera_loses_no_light_and_smears_as_far_as_it_was_shaken(length: float) -> None:
    kernel = path(length, np.random.default_rng(1))
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    y, x = np.nonzero(kernel > 1e-9)
    assert np.hypot(np.ptp(x), np.ptp(y)) == pytest.approx(length, abs=2.5)


def test_the_disc_has_the_second_moment_of_a_disc() -> None:
    kernel = disc(9.0)
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2
    assert ((x**2 + y**2) * kernel).sum() == pytest.approx(9.0**2 / 2, rel=0.02)


@pytest.mark.parametrize("damage", EVERY, ids=name)
def test_the_same_seed_gives_the_same_picture_and_it_is_damaged(damage: Damage) -> None:
    picture = scene()
    once, again = through(damage, picture), through(damage, picture)
    assert np.array_equal(once, again)
    assert once.shape == picture.shape
    assert np.abs(once.astype(int) - levels(picture)).mean() > 0.5


@pytest.mark.parametrize("damage", EVERY, ids=name)
def test_a_damage_leaves_the_scene_itself_alone(damage: Damage) -> None:
    picture = scene()
    through(damage, picture)
    assert np.array_equal(picture, scene())


@pytest.mark.parametrize(
    "strengths",
    [
        [Defocus(radius, 1) for radius in (1, 2, 4, 9, 22)],
        [Motion(length, 1) for length in (4, 12, 28)],
        [Grease(strength, 1) for strength in (0.1, 0.3, 0.6, 1.0)],
        [Steam(density, 1) for density in (0.2, 0.5, 0.8)],
        [Underexposed(stops, 1) for stops in (1, 3, 5)],
        [Cover(area, 1) for area in (0.05, 0.25, 0.5, 0.75, 1.0)],
    ],
    ids=lambda case: case[0].kind,
)
def test_the_stronger_the_less_is_to_be_seen(strengths: list[Damage]) -> None:
    seen = [slope(levels(scene())), *(slope(through(damage, scene())) for damage in strengths)]
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("material", MATERIALS)
@pytest.mark.parametrize("area", [0.05, 0.25, 0.5, 0.75])
def test_a_cover_hides_the_share_that_it_says(material: str, area: float) -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    chequered = np.repeat(((x + y) % 2)[..., None], 3, axis=2).astype(np.float32)
    cover = Cover(area, 7, material)
    left = np.abs(cover.lens(chequered, 0) - cover.lens(1 - chequered, 0)).mean(axis=2)
    assert (left < 0.5).mean() == pytest.approx(area, abs=0.03)
    assert cover.truth == "partly_covered"


def test_a_held_cloth_is_as_large_and_elsewhere_at_each_visit() -> None:
    white = np.ones((ROWS, COLUMNS, 3), np.float32)
    first, second = (HeldCover(0.3, 5).lens(white, visit)[..., 0] < 0.9 for visit in (1, 2))
    assert first.mean() == pytest.approx(second.mean(), abs=0.05)
    assert (first & second).mean() < 0.9 * first.mean()


def test_a_shifted_exposure_counts_from_the_cameras_own() -> None:
    assert ExposureShift(1.5, 1, over=True).gain(scene()) == pytest.approx(2**1.5)
    assert ExposureShift(1.5, 1).gain(0.1 * scene()) == pytest.approx(2**-1.5)
    assert (ExposureShift(1.5, 1).truth, ExposureShift(1.5, 1, over=True).truth) == ("under_exposed", "over_exposed")


def test_against_the_light_the_window_burns_out_and_the_room_is_darker() -> None:
    picture = scene()
    lit = np.clip(Backlit(2, 1).lens(picture, 0) * Backlit(2, 1).gain(picture), 0, 1)
    burnt = lit.min(axis=2) >= 1.0
    assert 0.05 < burnt.mean() < 0.25
    assert np.median(lit[~burnt]) == pytest.approx(np.median(picture) / 4, rel=0.1)


def test_grease_stays_and_steam_drifts() -> None:
    assert np.array_equal(Grease(0.6, 1).lens(scene(), 1), Grease(0.6, 1).lens(scene(), 2))
    assert not np.array_equal(Steam(0.6, 1).lens(scene(), 1), Steam(0.6, 1).lens(scene(), 2))


def test_grease_blurs_one_place_more_than_another_and_defocus_does_not() -> None:
    def spread(damage: Damage) -> float:
        before, after = scene(), damage.lens(scene(), 1)
        kept = [
            slope(after[y : y + 90, x : x + 120]) / slope(before[y : y + 90, x : x + 120])
            for y in range(0, ROWS, 90)
            for x in range(0, COLUMNS, 120)
        ]
        return float(np.std(kept) / np.mean(kept))

    assert spread(Grease(0.8, 3)) > 2 * spread(Defocus(6, 3))


def test_steam_lifts_black_and_lowers_white() -> None:
    steamed = Steam(0.6, 1).lens(scene(), 1)
    assert np.quantile(steamed, 0.01) > 3 * np.quantile(scene(), 0.01)
    assert np.quantile(steamed, 0.99) < np.quantile(scene(), 0.99)


def test_a_turned_camera_shows_the_scene_elsewhere_and_as_sharp() -> None:
    turned = levels(Turned(0.1, 1).lens(scene(), 1))
    assert slope(turned) > 0.8 * slope(levels(scene()))
    assert np.abs(turned.astype(int) - levels(scene())).mean() > 20


@pytest.mark.parametrize("screen", SCREENS)
def test_a_lost_signal_shows_nothing_of_the_scene(screen: str) -> None:
    damage = NoSignal(1, 0, screen)
    assert np.array_equal(through(damage, scene(1)), through(damage, scene(2)))


def test_the_infrared_mode_has_no_colour_not_even_in_its_noise() -> None:
    damage = InfraredNight(1)
    read = expose(damage.lens(scene(), 0), SENSORS[-1], np.random.default_rng(1))
    shown = damage.signal(levels(read), 0)
    assert np.ptp(shown.astype(int), axis=2).max() == 0
    assert shown.std() > 10


def test_only_a_frozen_camera_repeats_its_picture() -> None:
    assert Frozen(1).still
    assert not any(damage.still for damage in EVERY)


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda case: case.name)
def test_noise_has_the_deviation_that_light_and_sensor_say(sensor: Sensor) -> None:
    light = 0.2 / sensor.level
    flat = np.full((400, 600, 3), light, np.float32)
    read = expose(flat, sensor, np.random.default_rng(1))[..., 1]
    at_sites = (0.2 * sensor.full_e + sensor.read_e**2) ** 0.5 / sensor.full_e
    # demosaicing averages four neighbours at every other site of green
    assert read.std() == pytest.approx(at_sites * ((1 + 1 / 4) / 2) ** 0.5, rel=0.05)
    assert read.mean() == pytest.approx(0.2, rel=0.02)


def test_less_light_means_more_noise() -> None:
    flat = np.full((200, 300, 3), 0.2, np.float32)
    spread = [levels(expose(flat, sensor, np.random.default_rng(1))).std() for sensor in SENSORS]
    assert spread == sorted(spread)
    assert spread[-1] > 3 * spread[0]


def test_exposure_comes_before_clipping() -> None:
    burnt = expose(scene() * 4, DAY, np.random.default_rng(1), grain=0.0)
    assert burnt.max() == 1.0
    assert (burnt == 1.0).mean() > 0.3


def test_levels_and_light_are_inverse() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.abs(levels(linear(ramp)).astype(int) - ramp).max() <= 1


@pytest.mark.parametrize("style", ["plain", "outlined", "boxed"])
def test_an_overlay_touches_little_and_its_clock_ticks(style: str) -> None:
    look = Overlay(style, 0.04, "%Y-%m-%d %H:%M:%S", True, "Camera 01", True)
    picture = levels(scene())
    now, later = burn_in(picture, look, 10**18), burn_in(picture, look, 10**18 + 7 * 10**9)
    assert 0 < (now != picture).any(axis=2).mean() < 0.1
    assert 0 < (now != later).any(axis=2).mean() < 0.02


def test_looks_differ_from_camera_to_camera() -> None:
    looks = [random_overlay(np.random.default_rng(seed)) for seed in range(40)]
    assert {look.style for look in looks} == {"plain", "outlined", "boxed", "none"}
    assert random_overlay(np.random.default_rng(3)) == looks[3]


@pytest.mark.parametrize(
    ("state", "kinds", "cause", "word"),
    [
        ("ok", (), "", "ok"),
        ("fault", ("blurred", "too_dark"), "", "too_dark"),
        ("fault", ("blurred",), "", "blurred"),
        ("fault", ("blurred",), "veil", "steam"),
        ("fault", ("blurred",), "drops", "drops"),
        ("fault", ("blurred", "partly_covered"), "defocus", "partly_covered"),
        ("fault", ("too_dark",), "lights_off", "too_dark"),
    ],
)
def test_an_answer_is_named_by_the_kind_that_explains_the_others_or_by_its_cause(
    state: str, kinds: tuple[str, ...], cause: str, word: str
) -> None:
    assert words.answer_name(state, kinds, cause) == word


def test_a_hit_is_the_right_kind_or_the_right_cause() -> None:
    assert words.is_hit("grease", ("blurred",), "")
    assert words.is_hit("defocus", ("low_contrast",), "defocus")
    assert not words.is_hit("covered", ("partly_covered",), "")
