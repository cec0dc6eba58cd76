"""Bars and masks in real coded pictures: they are found, and what they leave measures as it would without them."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.decode.decoder import Decoder
from engine.kernels.layout.bars import seen_area
from engine.kernels.layout.quarters import is_quartered
from engine.kernels.score import Scored, score
from engine.model.active_area import WHOLE, ActiveArea, area_in
from engine.model.keyframe import Codec
from engine.model.picture import Picture
from engine.worker.process import looks_for_bars
from tests.support.feed.clips import encode
from tests.unit.kernels.test_score import grainy, scene, soften

CODECS = pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
ROWS, COLUMNS = 540, 960
LETTERBOX, PILLARBOX, BOTH = (0, 66), (120, 0), (90, 60)
"""Columns and rows of the bars at each side."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def kitchen(rows: int = ROWS, columns: int = COLUMNS, light: float = 1.0) -> np.ndarray:
    """Return a scene whose surfaces are shaded, as real ones are, with the grain of a sensor."""
    y, x = np.mgrid[:rows, :columns]
    shade = 14 * np.sin(x / 23 + y / 41) + 10 * np.sin(y / 17 - x / 61)
    return grainy((np.clip(scene(rows, columns), 30, 220) + shade) * light, 2.0)


def coded(decoder: Decoder, levels: np.ndarray, codec: Codec = Codec.H264) -> Picture:
    """Return the picture after a real codec, with the grain of a sensor except where a level is repeated exactly."""
    rgb = np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)
    return decoder.decode(codec, encode(codec, [rgb], options={"crf": "20"})[0])


def framed(bars: tuple[int, int], level: float, within: np.ndarray | None = None) -> np.ndarray:
    """Return a picture of ROWS x COLUMNS with bars around a grainy scene, or around `within`."""
    across, down = bars
    inner = kitchen(ROWS - 2 * down, COLUMNS - 2 * across) if within is None else within
    levels = np.full((ROWS, COLUMNS), level)
    levels[down : ROWS - down, across : COLUMNS - across] = inner
    return levels


@CODECS
@pytest.mark.parametrize("bars", [LETTERBOX, PILLARBOX, BOTH])
@pytest.mark.parametrize("level", [0.0, 110.0])
def test_bars_are_found_at_their_edge(decoder: Decoder, codec: Codec, bars: tuple[int, int], level: float) -> None:
    area = seen_area(coded(decoder, framed(bars, level), codec))
    assert area is not None
    across, down = bars[0] / COLUMNS * 10_000, bars[1] / ROWS * 10_000
    for side, edge in zip(area[:4], (across, down, 10_000 - across, 10_000 - down), strict=True):
        assert abs(side - edge) <= 100


@pytest.mark.parametrize("bars", [LETTERBOX, PILLARBOX, BOTH])
def test_what_bars_leave_measures_as_without_them(decoder: Decoder, bars: tuple[int, int]) -> None:
    dim = kitchen(ROWS - 2 * bars[1], COLUMNS - 2 * bars[0], 0.42)
    without, within = score(coded(decoder, dim)), score(coded(decoder, framed(bars, 0.0, dim)))
    assert within.figures["luma_mean"] == pytest.approx(without.figures["luma_mean"], abs=1.5)
    assert within.figures["structureless_share"] == pytest.approx(without.figures["structureless_share"], abs=0.04)
    assert within.scores.sharpness == pytest.approx(without.scores.sharpness, abs=6)
    assert within.area.share == pytest.approx((1 - 2 * bars[0] / COLUMNS) * (1 - 2 * bars[1] / ROWS), abs=0.03)
    assert within.figures["active_share"] == within.area.share
    assert area_in(within.figures) == within.area


def test_a_picture_without_bars_says_so_and_has_no_figure_of_them(decoder: Decoder) -> None:
    of = score(coded(decoder, kitchen()))
    assert (of.area, of.seen_area) == (WHOLE, WHOLE)
    assert not {"active_share", "active_left", "masked_share"} & of.figures.keys()


def test_a_banner_with_letters_is_a_bar(decoder: Decoder) -> None:
    levels = kitchen().astype(float)
    levels[:48] = 20
    levels[14:34, 200:700] = np.where(np.random.default_rng(1).random((20, 500)) < 0.5, 235, 20)
    area = seen_area(coded(decoder, levels))
    assert area is not None
    assert (area.left, area.right, area.bottom) == (0, 10_000, 10_000)
    assert abs(area.top - 48 / ROWS * 10_000) <= 100


def test_what_fades_or_is_burnt_out_is_no_bar_and_leaves_it_open(decoder: Decoder) -> None:
    fading = kitchen() * np.clip((np.arange(ROWS) - 80) / 300, 0, 1)[:, None]
    assert seen_area(coded(decoder, fading)) is None
    burnt = kitchen()
    burnt[:90] = 255
    assert seen_area(coded(decoder, burnt)) is None
    assert seen_area(coded(decoder, np.full((ROWS, COLUMNS), 40.0))) is None, "a recorder's own picture"


def test_the_known_area_is_measured_whatever_this_picture_shows(decoder: Decoder) -> None:
    known = ActiveArea(1250, 0, 8750, 10_000)
    dark = score(coded(decoder, grainy(scene() * 0.03, 0.3)), known)
    assert dark.area == known
    assert len(dark.signature) == len(score(coded(decoder, kitchen())).signature)


def masked(levels: np.ndarray) -> np.ndarray:
    """Return the picture with two masks, black and grey, a quarter of it together."""
    out = levels.astype(float)
    out[100:320, 130:490] = 0
    out[330:510, 600:900] = 128
    return out


@CODECS
def test_masks_are_found_and_left_out(decoder: Decoder, codec: Codec) -> None:
    dim = kitchen(light=0.42)
    without, of = score(coded(decoder, dim, codec)), score(coded(decoder, masked(dim), codec))
    covered = (220 * 360 + 180 * 300) / (ROWS * COLUMNS)
    assert of.figures["masked_share"] == pytest.approx(covered, abs=0.08)
    assert of.figures["active_share"] == pytest.approx(1 - of.figures["masked_share"])
    assert of.tiles.masked is not None
    assert of.tiles.masked[2:4, 3:7].all()
    assert not of.tiles.masked[:, 12:15][:5].any()
    for name, tolerance in (("luma_mean", 3.0), ("structureless_share", 0.05)):
        assert of.figures[name] == pytest.approx(without.figures[name], abs=tolerance), name
    assert of.figures["noise_floor"] == pytest.approx(without.figures["noise_floor"], rel=0.3)


def test_the_edges_of_masks_do_not_make_a_blurred_picture_sharp(decoder: Decoder) -> None:
    def sharpness(levels: np.ndarray) -> Scored:
        return score(coded(decoder, levels))

    blurred = grainy(soften(scene(), 5), 1.5)
    plain, of = sharpness(blurred).scores.sharpness, sharpness(masked(blurred)).scores.sharpness
    assert plain is not None
    assert of is not None
    assert of <= plain + 4


def test_a_grid_in_which_most_is_of_one_level_has_no_masks(decoder: Decoder) -> None:
    levels = np.full((ROWS, COLUMNS), 30.0)
    levels[:, 300:600] = kitchen(ROWS, 300)
    assert "masked_share" not in score(coded(decoder, levels), WHOLE).figures


def four_views(line: float | None = None) -> np.ndarray:
    """Return four scenes in one picture, of different light, with a line between them if one is given."""
    rows, columns = ROWS // 2, COLUMNS // 2
    views = [grainy(scene(rows, columns, seed) * light + add, 2.0) for seed, light, add in
             ((1, 0.9, 10), (2, 0.5, 5), (3, 0.6, 60), (4, 0.4, 20))]  # fmt: skip
    levels = np.block([[views[0], views[1]], [views[2], views[3]]]).astype(float)
    if line is not None:
        levels[rows - 1 : rows + 1] = levels[:, columns - 1 : columns + 1] = line
    return levels


@CODECS
@pytest.mark.parametrize("line", [None, 0.0, 128.0])
def test_four_pictures_in_one_are_told_and_each_is_measured(decoder: Decoder, codec: Codec, line: float | None) -> None:
    of = score(coded(decoder, four_views(line), codec), WHOLE._replace(views=4))
    assert is_quartered(coded(decoder, four_views(line), codec))
    assert (of.area.views, len(of.views)) == (4, 4)
    for index, view in enumerate(of.views):
        alone = four_views()[
            (index // 2) * ROWS // 2 : (index // 2 + 1) * ROWS // 2,
            (index % 2) * COLUMNS // 2 : (index % 2 + 1) * COLUMNS // 2,
        ]
        assert view.figures["luma_mean"] == pytest.approx(alone.mean(), abs=2)


def test_one_view_is_not_taken_for_four_not_even_with_a_post_in_the_middle(decoder: Decoder) -> None:
    room = kitchen().astype(float)
    assert not is_quartered(coded(decoder, room))
    room[:, COLUMNS // 2 - 8 : COLUMNS // 2 + 8] = 200
    assert not is_quartered(coded(decoder, room))
    assert not is_quartered(coded(decoder, np.full((ROWS, COLUMNS), 40.0)))


def test_four_views_between_bars_are_found_within_them(decoder: Decoder) -> None:
    levels = np.zeros((ROWS, COLUMNS))
    levels[:, 120:840] = four_views()[:, 120:840]
    of = score(coded(decoder, levels))
    assert (of.area.views, round(of.area.left, -2), round(of.area.right, -2)) == (4, 1300, 8700)
    assert of.figures["active_views"] == 4
    assert area_in(of.figures) == of.area


def test_a_known_area_is_looked_at_in_one_visit_of_eight_whatever_their_order(decoder: Decoder) -> None:
    for apart in (1, 8, 64, 600, 131_072):
        visits = [5 + apart * number for number in range(800)]
        assert sum(map(looks_for_bars, visits)) == pytest.approx(100, abs=5)
    picture = coded(decoder, framed(PILLARBOX, 0.0))
    known = score(picture).area
    unlooked = score(picture, known, looks=False)
    assert (unlooked.area, unlooked.seen_area) == (known, None)
    assert score(picture, None, looks=False).seen_area == known, "what is not known is always looked for"
