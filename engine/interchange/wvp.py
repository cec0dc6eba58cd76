"""Reads the channels of a WVP-PRO, page by page. Pure: the caller does the network.

Since 2.7.3 GET /api/common/channel/list lists all of them; older servers are asked per device (GET
/api/device/query/devices/{id}/channels). Answers are {code, msg, data}; data is a page: {total, list, ...}.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from engine.errors import PlatformError
from engine.interchange.platform_claims import Channel, normalise_status
from engine.interchange.zlmediakit import Fetch
from engine.rows.gbt28181 import code_of

PATH = "/api/common/channel/list"
DEVICES_PATH = "/api/device/query/devices"
_NOT_FOUND = 404


@dataclass(slots=True)
class Tally:
    """What was read, in pages and entries. `left_out`: entries that are no cameras (groups, recorders)."""

    pages: int = 0
    listed: int = 0
    promised: int = 0
    left_out: int = 0


class WvpList:
    """The channels of a WVP-PRO, in pages of `page_rows`, at most `pages_max` pages in all."""

    def __init__(self, fetch: Fetch, page_rows: int, pages_max: int) -> None:
        self._fetch = fetch
        self._page_rows = page_rows
        self._pages_max = pages_max
        self.tally = Tally()

    def channels(self) -> Iterator[Channel]:
        """Yield all channels, per device if the server has no list of all. Raises PlatformError."""
        try:
            for item in self._pages(PATH):
                yield from self._channel(item)
        except PlatformError as error:
            if error.status != _NOT_FOUND or self.tally.pages:
                raise
            yield from self._by_device()

    def _by_device(self) -> Iterator[Channel]:
        for device in self._pages(DEVICES_PATH):
            device_id = str(device.get("deviceId") or "")
            self.tally.listed -= 1
            self.tally.promised -= 1
            if device_id:
                for item in self._pages(f"{DEVICES_PATH}/{quote(device_id, safe='')}/channels"):
                    yield from self._channel(item | {"parentDeviceId": device_id})

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        number, received = 1, 0
        while True:
            if self.tally.pages >= self._pages_max:
                raise PlatformError(
                    f"{path}: more than {self._pages_max} pages of {self._page_rows}; raise --pages-max, or --page-rows"
                )
            total, listed = self._page(path, number)
            self.tally.pages += 1
            if number == 1:
                self.tally.promised += total
            received += len(listed)
            self.tally.listed += len(listed)
            yield from listed
            # Some versions repeat the last page for ever, so the total ends the list as well.
            if not listed or received >= total:
                return
            number += 1

    def _page(self, path: str, number: int) -> tuple[int, list[dict[str, Any]]]:
        reply = self._fetch(path, {"page": str(number), "count": str(self._page_rows)})
        page = reply
        if isinstance(reply, dict) and "code" in reply:
            if reply["code"] != 0:
                message = f"{path}: the server answered code {reply['code']!r}, {str(reply.get('msg'))[:200]!r}"
                status = reply["code"] if isinstance(reply["code"], int) else 0
                raise PlatformError(f"{message}; wanted: 0; is the token a valid one?", status)
            page = reply.get("data")
        listed = page.get("list") if isinstance(page, dict) else None
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise PlatformError(f"{path}: the answer is no page of a list; is this a WVP-PRO?")
        total = page.get("total") if isinstance(page, dict) else None
        return (total if isinstance(total, int) else len(listed)), listed

    def _channel(self, item: dict[str, Any]) -> Iterator[Channel]:
        def text(*names: str) -> str:
            value = next((item[name] for name in names if item.get(name) not in (None, "")), "")
            return str(value).strip()

        # Before 2.7 the code of a channel was channelId, and deviceId that of its device.
        camera_id = text("gbDeviceId", "channelId", "deviceId")
        code = code_of(camera_id)
        if not camera_id or (code is not None and not code.is_camera):
            self.tally.left_out += 1
            return
        status = next((item[name] for name in ("gbStatus", "status") if item.get(name) not in (None, "")), None)
        region = text("gbCivilCode", "civilCode")
        yield Channel(
            ids=(camera_id,),
            status=normalise_status(status),
            name=text("gbName", "name"),
            region=region or ("" if code is None else code.county),
            parent_id=text("parentDeviceId", "gbParentId", "parentId"),
        )
