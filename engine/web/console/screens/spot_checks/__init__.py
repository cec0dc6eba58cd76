"""Spot checks: canteens drawn at random for people to inspect; how far each draw is, its list for paper, the month."""

from engine.web.console.screens.screen import Action, Screen
from engine.web.console.screens.spot_checks.draw import preview, show_all, store
from engine.web.console.screens.spot_checks.one import export, show_one

SCREEN = Screen(
    "/spot-checks",
    "Spot checks",
    (
        Action("/spot-checks", show_all, "spot-checks"),
        Action("/spot-checks/preview", preview, "spot-check-preview", method="POST"),
        Action("/spot-checks/draw", store, "spot-check-draw", method="POST"),
        Action("/spot-check", show_one, "spot-check"),
        Action("/spot-check.csv", export, "spot-check-csv"),
    ),
)
