"""The paths of a finding's page."""

from engine.web.console.screens.ledger.actions import FILES_MAX, FORM_BYTES_MAX, act
from engine.web.console.screens.ledger.finding import show, show_actions, show_now, show_pictures
from engine.web.console.screens.ledger.photographs import photograph
from engine.web.console.screens.screen import Action, Screen

SCREEN = Screen(
    "",
    "",
    (
        Action("/finding", show, "finding"),
        Action("/finding/now", show_now, "finding-now"),
        Action("/finding/actions", show_actions, "finding-actions"),
        Action("/finding/pictures", show_pictures, "finding-pictures"),
        Action("/finding/act", act, "finding-act", method="POST", form_bytes_max=FORM_BYTES_MAX, files_max=FILES_MAX),
        Action("/pictures/photograph.jpg", photograph, "photograph", plain=True),
    ),
)
