"""The ledger: the list of findings with its filters, figures, CSV and print view, and the page of one finding."""

from engine.web.console.screens.ledger.listing import SCREEN as LISTING
from engine.web.console.screens.ledger.routes import SCREEN as FINDING

SCREENS = (LISTING, FINDING)
