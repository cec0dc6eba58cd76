"""The client library: what programs in Python import to call a running engine.

Importing it loads gRPC, which takes long; the command line imports it only in the commands that need it.
"""

from engine.client.access import AccessClient
from engine.client.canteens import CanteenClient
from engine.client.channel import CallError, ClientCertificate
from engine.client.check_result import CheckResult
from engine.client.findings import FindingChanges, FindingClient
from engine.client.patrol import Page, PatrolClient, WatchBatch
from engine.client.pictures import ThumbnailResult

__all__ = [
    "AccessClient",
    "CallError",
    "CanteenClient",
    "CheckResult",
    "ClientCertificate",
    "FindingChanges",
    "FindingClient",
    "Page",
    "PatrolClient",
    "ThumbnailResult",
    "WatchBatch",
]
