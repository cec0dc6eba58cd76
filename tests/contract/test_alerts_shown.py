"""Each alert is shown firing by its injected fault: tests/integration/alerts, in a real Prometheus, by real engines."""

import importlib
from pathlib import Path

import yaml

from tests.support.prometheus import FOR_S, RULES, quick_rules

FOLDER = Path(__file__).parents[1] / "integration" / "alerts"
CANNOT = {
    "PatrolVisitsBreak": (
        "it needs a fault in our own code that a camera's bytes reach, and none is known; that a visit which breaks "
        "counts as internal is shown with a planted one by tests/integration/feed/test_visit_breaks.py, and that "
        "the alert fires on that count by promtool in tests/contract/test_alerts.py"
    )
}
"""Alerts that no fault can be injected for, and why."""


def alerts() -> list[str]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]


def test_every_alert_is_shown_firing_or_says_why_it_cannot() -> None:
    modules = [importlib.import_module(f"tests.integration.alerts.{path.stem}") for path in FOLDER.glob("test_*.py")]
    tests = [value for module in modules for name, value in vars(module).items() if name.startswith("test_")]
    shown = [alert for test in tests for alert in test.shows]
    assert len(set(shown)) == len(shown)
    assert set(shown).isdisjoint(CANNOT)
    assert {*shown, *CANNOT} == set(alerts())


def test_the_rules_of_these_tests_differ_from_the_shipped_ones_in_their_waits_alone() -> None:
    shipped = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    quick = yaml.safe_load(quick_rules(RULES.read_text(encoding="utf-8")))["groups"]
    waits = 0
    for group in shipped:
        for rule in group["rules"]:
            waits += "for" in rule
            rule |= {"for": f"{FOR_S}s"} if "for" in rule else {}
    assert quick == shipped
    assert waits > 10
