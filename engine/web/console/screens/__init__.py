"""The screens of the console, in the order of the navigation: today, wall, review, ledger, KPIs, spot checks, registry,
scheduler, access. Those without an entry come last.
"""

from engine.web.console.screens import (
    access,
    configuration,
    kpis,
    ledger,
    pictures,
    review,
    scheduler,
    spot_checks,
    today,
    wall,
)
from engine.web.console.screens.cameras import camera, canteen
from engine.web.console.screens.registry import table
from engine.web.console.screens.screen import Screen

SCREENS: tuple[Screen, ...] = (
    today.SCREEN,
    wall.SCREEN,
    review.SCREEN,
    *ledger.SCREENS,
    kpis.SCREEN,
    spot_checks.SCREEN,
    table.SCREEN,
    scheduler.SCREEN,
    access.SCREEN,
    configuration.SCREEN,
    pictures.SCREEN,
    camera.SCREEN,
    canteen.SCREEN,
)
