"""The list of findings as a CSV file: newest first, so that one opened meanwhile neither repeats nor skips another."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.responses import Response

from engine.web.console.csv_replies import csv_reply, csv_text
from engine.web.console.formats import Formats
from engine.web.console.names import camera_id, finding_number
from engine.web.console.page import Page
from engine.web.console.screens.ledger import filters
from engine.web.console.screens.ledger.filters import LedgerQuery
from engine.web.console.words import Words
from patrol.v1.findings_pb2 import ListFindingsRequest

ROWS_MAX = 50_000
_PAGE_ROWS = 1000
_HEAD = (
    "Number",
    "Camera code",
    "Camera",
    "Key point",
    "Canteen code",
    "Canteen",
    "Region code",
    "Region",
    "What is wrong",
    "Severity",
    "State",
    "Level",
    "Deadline (%(zone)s)",
    "Overdue",
    "Supervised",
    "Opened (%(zone)s)",
    "Latest event (%(zone)s)",
    "Claims",
)
TEXTS = (*_HEAD, "yes", "no", "ledger")
"""What has its Chinese; a test holds that."""


async def export(page: Page) -> Response:
    """Send the filtered list as a file that Excel opens."""
    query = filters.read(page)
    region = query.region or page.caller.region
    parts = [page.text("ledger"), page.formats().day(page.formats().now.astimezone(page.zone).date())]
    parts += [part for part in (region, page.region_name(region) if region in page.regions else "") if part]
    failed = page.text("The list ends here, because of an error:")
    return await csv_reply(_parts(page, query), "-".join(parts) + ".csv", failed)


async def _parts(page: Page, query: LedgerQuery) -> AsyncGenerator[str, None]:
    """Yield the file in parts of up to 1,000 rows."""
    head = [page.text(name) % {"zone": page.zone.key} if "%" in name else page.text(name) for name in _HEAD]
    request = ListFindingsRequest(filter=query.message(page.zone), page_size=_PAGE_ROWS)
    words, formats = Words(page.language), page.formats()
    rows: list[Sequence[object]] = [head]
    written = 0
    while True:
        reply = await page.call(request)
        chosen = reply.findings[: ROWS_MAX - written]
        rows += [_row(page, words, formats, finding) for finding in chosen]
        written += len(chosen)
        request.page_token = reply.next_page_token
        is_full = written >= ROWS_MAX and bool(request.page_token)
        if is_full:
            text = page.text(
                "These are the newest %(rows)s of %(total)s findings; narrow the filter to get the others.",
                rows=formats.number(written),
                total=formats.number(reply.total_size),
            )
            rows.append([text])
        yield csv_text(rows)
        rows = []
        if is_full or not request.page_token:
            return


def _row(page: Page, words: Words, formats: Formats, finding: Any) -> Sequence[object]:
    def yes(value: bool) -> str:
        return page.text("yes") if value else page.text("no")

    def clock(time: Any) -> str:
        return formats.clock(time) if time.seconds else ""

    return (
        int(finding_number(finding.name)),
        camera_id(finding.camera),
        finding.camera_display_name,
        words.key_point(finding.key_point),
        finding.site_id,
        finding.site_name,
        finding.region,
        page.region_name(finding.region),
        words.problem(finding.cause_key),
        words.severity(finding.severity),
        words.finding_state(finding.state),
        words.level(finding.level),
        clock(finding.deadline_time),
        yes(finding.overdue),
        yes(finding.supervised),
        clock(finding.open_time),
        clock(finding.change_time),
        finding.claims,
    )
