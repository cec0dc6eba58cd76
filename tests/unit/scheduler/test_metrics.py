"""What a scrape says of patrols in virtual time."""

from prometheus_client.parser import text_string_to_metric_families

from engine.metrics import Metrics
from tests.support.scheduler.schedules import calm, overloaded


def scraped(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Values by name and label values, in the order of the labels' names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_a_patrol_in_overload_shows_achieved_against_configured_periods() -> None:
    status, metrics = overloaded().status, Metrics("x")
    metrics.scheduler(status)
    now = scraped(metrics)
    period = "patrol_class_period_seconds"
    (ordinary,) = [camera_class for camera_class in status.classes if camera_class.name == "ordinary"]
    assert now[period, "ordinary", "configured"] == 120
    assert now[period, "ordinary", "stretched"] == 120 * ordinary.stretch > 150
    assert now[period, "ordinary", "achieved"] == ordinary.achieved_period_s > 150
    assert now[period, "key_point", "stretched"] == now[period, "key_point", "configured"] == 60
    assert now["patrol_class_coverage_ratio", "ordinary"] < 0.7 < now["patrol_class_coverage_ratio", "key_point"]
    assert now["patrol_scheduler_overloaded",] == 1
    assert now["patrol_scheduler_demand",] > now["patrol_scheduler_capacity",] > 3
    assert now["patrol_visits_allowed",] == 12
    assert now["patrol_period_lag_seconds",] == status.lag_s_max > 60


def test_who_waits_who_is_out_and_what_was_missed_is_scraped() -> None:
    status, metrics = overloaded().status, Metrics("x")
    metrics.scheduler(status)
    now = scraped(metrics)
    gates = {"slot": status.ready, "uplink": status.waiting_uplink, "host": status.waiting_host}
    assert {gate: now["patrol_scheduler_waiting", gate] for gate in gates} == gates
    assert now["patrol_outages",] == 1
    assert now["patrol_cameras_failing", "unreachable"] == status.failing["unreachable"] > 8
    for reason in ("overload", "outage", "host_cap"):
        assert now["patrol_periods_shed", reason] == status.shed[reason] > 0


def test_the_worst_lag_is_scraped_by_county() -> None:
    status, metrics = overloaded().status, Metrics("x")
    metrics.scheduler(status)
    now = scraped(metrics)
    lags = {key[1]: value for key, value in now.items() if key[0] == "patrol_county_lag_seconds"}
    assert lags == dict(status.county_lags)
    assert max(lags, key=lags.__getitem__) == "130103"  # where the platform of one visit at a time is


def test_what_is_over_is_no_longer_scraped() -> None:
    metrics = Metrics("x")
    metrics.scheduler(overloaded().status)
    metrics.scheduler(calm().status)
    now = scraped(metrics)
    assert now["patrol_cameras_failing", "unreachable"] == 0
    assert now["patrol_cameras_failing", "unauthorized"] == 2
    assert now["patrol_outages",] == now["patrol_scheduler_overloaded",] == 0


def test_a_refused_reload_leaves_the_configuration_stale_until_a_good_one() -> None:
    metrics = Metrics("x")
    stale = []
    for outcome in ("applied", "refused", "refused", "unchanged"):
        metrics.reloaded(outcome)
        stale.append(scraped(metrics)["patrol_config_stale",])
    assert stale == [0, 1, 1, 0]
    assert scraped(metrics)["patrol_config_reloads_total", "refused"] == 2
