"""The screens of the console, in the order of the navigation: today, wall, review, ledger, KPIs, spot checks, registry,
scheduler, access. Those without an entry (pictures, camera) come last.
"""

from engine.web.console.screens import pictures, today
from engine.web.console.screens.cameras import camera, canteen
from engine.web.console.screens.registry import table
from engine.web.console.screens.screen import Screen

SCREENS: tuple[Screen, ...] = (
    today.SCREEN,
    table.SCREEN,
    pictures.SCREEN,
    camera.SCREEN,
    canteen.SCREEN,
)
