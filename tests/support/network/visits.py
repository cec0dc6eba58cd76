"""Visits cameras at the same time, and prints how each visit ended as a line of JSON.

python -m tests.support.network.visits URL VISITS DEADLINE_S
"""

import asyncio
import json
import sys
import time

from engine.config.feed import FeedSettings
from engine.feed.visit import visit
from engine.model.keyframe import Keyframe
from engine.model.visit import FeedKind, VisitOrder


async def visit_all(url: str, visits: int, deadline_s: float) -> list[tuple[str, float]]:
    """Visit a camera so many times at once; return how each visit ended, and after how many seconds."""

    async def visit_once(number: int) -> tuple[str, float]:
        begun_s = time.monotonic()
        order = VisitOrder(number, f"c{number}", url, round(deadline_s * 1e9), FeedKind.RTSP)
        end = await visit(order, FeedSettings(deadline_s=deadline_s))
        return "keyframe" if isinstance(end, Keyframe) else end.reason.value, time.monotonic() - begun_s

    return await asyncio.gather(*map(visit_once, range(1, visits + 1)))


if __name__ == "__main__":
    for ended in asyncio.run(visit_all(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))):
        print(json.dumps(ended))
