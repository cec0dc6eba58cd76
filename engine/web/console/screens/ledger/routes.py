"""The paths of a finding's page."""

from engine.web.console.screens.ledger.actions import act
from engine.web.console.screens.ledger.finding import show, show_actions, show_now, show_pictures
from engine.web.console.screens.screen import Action, Screen

SCREEN = Screen(
    "",
    "",
    (
        Action("/finding", show, "finding"),
        Action("/finding/now", show_now, "finding-now"),
        Action("/finding/actions", show_actions, "finding-actions"),
        Action("/finding/pictures", show_pictures, "finding-pictures"),
        Action("/finding/act", act, "finding-act", method="POST"),
    ),
)
