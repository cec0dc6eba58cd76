"""bench.accuracy on what it was not tuned on: search for thresholds, spread of seeds, tables, the worst cases first."""

from dataclasses import replace

import pytest

from bench.accuracy.findings import MISS, NEAR, Example
from bench.accuracy.nearness import limits, nearness
from bench.accuracy.reporting.generalisation import Table, markdown, tables
from bench.accuracy.reporting.seeds import headline, spread
from bench.accuracy.reporting.worst import SHOWN_MAX, worst
from bench.accuracy.tuning.cross_validation import changed, halves
from bench.accuracy.tuning.recording import Tally, added
from bench.accuracy.tuning.thresholds import FACTORS, TUNED, false_alarm_rate, mean_hit_rate, tuned
from engine.config.judge import JudgeSettings
from engine.model.keyframe import Codec
from engine.model.verdict import FaultKind, State, Verdict

SHIPPED = JudgeSettings()


def tally(hits: int, false_alarm_days: int = 0) -> Tally:
    """Return a tally of 100 episodes of one kind and 1000 good days."""
    return Tally({"defocus": (hits, 100)}, 1000, false_alarm_days, 6000, 0)


def test_the_search_takes_the_value_with_the_most_hits_that_stays_within_the_false_alarms() -> None:
    asked: list[JudgeSettings] = []

    def evaluate(settings: JudgeSettings) -> Tally:
        asked.append(settings)
        factor = settings.sharpness_ratio_min / SHIPPED.sharpness_ratio_min
        return tally(round(80 * factor), 20 if factor > 1.2 else 5 if factor > 1.1 else 0)

    settings, came = tuned(evaluate, SHIPPED)
    assert settings.sharpness_ratio_min == pytest.approx(1.15 * SHIPPED.sharpness_ratio_min)
    assert settings == SHIPPED.model_copy(update={"sharpness_ratio_min": settings.sharpness_ratio_min})
    assert (mean_hit_rate(came), false_alarm_rate(came)) == (0.92, 0.005)
    assert len(asked) <= 1 + len(TUNED) * len(FACTORS)


def test_the_search_keeps_the_shipped_thresholds_where_others_are_no_better() -> None:
    assert tuned(lambda _: tally(80), SHIPPED) == (SHIPPED, tally(80))


def test_the_search_gives_up_hits_where_there_are_too_many_false_alarms() -> None:
    settings, came = tuned(lambda of: tally(90, 30) if of.veil_min < 0.3 else tally(60, 2), SHIPPED)
    assert settings.veil_min > SHIPPED.veil_min
    assert came == tally(60, 2)


def test_every_kind_counts_once_in_the_mean_hit_rate() -> None:
    assert mean_hit_rate(Tally({"covered": (1, 1), "defocus": (50, 100)}, 0, 0, 0, 0)) == 0.75
    assert mean_hit_rate(Tally({}, 0, 0, 0, 0)) == 0.0


def test_tallies_add_up() -> None:
    both = added([Tally({"covered": (1, 2)}, 3, 1, 18, 2), Tally({"covered": (2, 2), "moved": (0, 1)}, 2, 0, 12, 1)])
    assert both == Tally({"covered": (3, 4), "moved": (0, 1)}, 5, 1, 30, 3)


def test_no_scene_is_in_both_halves_and_every_scene_is_in_one() -> None:
    of_half = halves(["b", "a", "c", "a", "d", "e"])
    assert of_half == {"a": "A", "b": "B", "c": "A", "d": "B", "e": "A"}
    with pytest.raises(ValueError, match="1 scenes cannot be halved"):
        halves(["a", "a"])


def test_changed_thresholds_are_named_with_both_values() -> None:
    assert changed(SHIPPED.model_copy(update={"cast_min": 12.0}), SHIPPED) == {"cast_min": [SHIPPED.cast_min, 12.0]}


def verdict(**figures: float) -> Verdict:
    thresholds = {"sharpness_ratio_min": 0.8, "veil_min": 0.3, "dark_mean_max": 48.0}
    return Verdict("camera", 1, 0, State.OK, figures=figures, thresholds=thresholds)


def test_the_way_to_a_fault_is_none_at_the_usual_and_whole_at_the_threshold() -> None:
    assert nearness(verdict(sharpness_ratio=1.0, veil=0.0)) == 0.0
    assert nearness(verdict(sharpness_ratio=0.9)) == pytest.approx(0.5)
    assert nearness(verdict(veil=0.6)) == pytest.approx(2.0)
    assert nearness(verdict(luma_mean=200.0)) == 0.0
    assert [limit.figure for limit in limits(verdict(sharpness_ratio=0.95, veil=0.24))] == ["veil", "sharpness_ratio"]


def test_a_fault_is_never_less_than_at_its_threshold() -> None:
    assert nearness(replace(verdict(veil=0.01), state=State.FAULT, kinds=(FaultKind.NOISY,))) == 1.0


def example(group: str, kind: str, badness: float) -> Example:
    return Example(group, kind, f"{kind} {badness}", Codec.MJPEG, b"", None, verdict(), badness)


def test_the_worst_cases_come_first_and_no_kind_fills_the_page() -> None:
    cases = [example(MISS, "drops", 10.0 + number) for number in range(50)]
    cases += [example(MISS, "defocus", 3.0), example(MISS, "steam", 5.0), example(NEAR, "good", 99.0)]
    shown = list(worst(MISS, cases))
    assert [case.badness for case in shown] == [59.0, 58.0, 57.0, 56.0, 5.0, 3.0]
    many = [example(MISS, f"kind {number}", 1.0) for number in range(100)]
    assert len(list(worst(MISS, many))) == SHOWN_MAX[MISS]


RATE = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 20}


def figures(hit_rate: float) -> dict[str, object]:
    return {
        "auc": {"sharpness": 0.98, "sharpness_baseline": float("nan")},
        "told_apart": {"value": None},
        "motion_told": {"value": None},
        "false_alarm_rate": 0.0,
        "unknown_rate": 0.01,
        "hit_rate": {"covered": hit_rate},
        "hits": {"covered": RATE},
        "causes": {"covered": {"covered": 18, "ok": 2}},
        "shuffled_auc": {"sharpness": 0.5},
        "planted": {"lost": 0.1},
        "good": {"camera_days": 40},
    }


def test_the_spread_of_seeds_has_the_middle_and_both_ends_of_what_was_measured() -> None:
    seeds = [headline(figures(rate)) for rate in (0.9, 0.7, 1.0)]
    assert not any("with a baseline" in name and "AUC" in name for name in seeds[0])
    assert spread(seeds)["hit rate, covered"] == {"median": 0.9, "least": 0.7, "most": 1.0, "n": 3}


def result(**more: object) -> dict[str, object]:
    files = {
        "films": {"false_alarm_days": 0},
        "frames": {"false_alarm_rate": 0.0, "hits_lost": 0.0},
        "labels_right": {"wrong": 0},
        "greasing": {"in_time": {"value": 1.0, "n": 3}},
    }
    return {**figures(1.0), **files, **more}


def test_a_run_that_was_asked_for_nothing_more_has_no_more_tables() -> None:
    assert tables(result(unseen=None, seeds=None)) == []
    assert markdown(result()) == ""


def test_the_demands_on_unseen_scenes_stand_beside_those_on_the_shared_ones() -> None:
    page = markdown(result(unseen=figures(0.9), unseen_scenes=["a", "b"]))
    assert "On 2 unseen scenes" in page
    assert "| hit rate, covered | 1.000 | 0.900 | >= 0.99 | **no** |" in page
    assert "| covered | 90.0% | 90.0% | 80.0% to 95.0% | 20 | covered 18, ok 2 |" in page
    assert "real films" not in page


def test_both_directions_of_the_cross_validation_are_columns() -> None:
    def side(rate: float) -> dict[str, object]:
        return {
            "mean_hit_rate": rate,
            "false_alarm_rate": 0.0,
            "false_alarm_days": RATE,
            "unknown_rate": 0.0,
            "hits": {"covered": RATE | {"value": rate}},
        }

    def direction(here: str, there: str, rate: float) -> dict[str, object]:
        changes = {"veil_min": [0.28, 0.238]} if here == "A" else {}
        sides = {"where_tuned": side(0.97), "tuned": side(rate), "shipped": side(0.9)}
        return {"tuned_on": here, "measured_on": there, "thresholds": changes, **sides}

    area = {"sharpness": 0.99, "sharpness_baseline": 0.995}
    validation = {
        "halves": {"A": ["a", "c"], "B": ["b"]},
        "directions": [direction("A", "B", 0.94), direction("B", "A", 0.92)],
        "auc": {"A": area, "B": area},
    }
    (table,) = tables(result(cross_validation=validation))
    assert isinstance(table, Table)
    assert table.header == ("figure", "tuned, on B", "shipped, on B", "tuned, on A", "shipped, on A")
    assert ("hit rate, covered", "94.0% of 20", "90.0% of 20", "92.0% of 20", "90.0% of 20") in table.rows
    assert table.notes == (
        "Tuned on A (mean hit rate there 97.0%): `veil_min` 0.28 to 0.238.",
        "Tuned on B (mean hit rate there 97.0%): nothing changed.",
    )
