"""Starts the site and its users, lets things happen by seed, and checks at the end."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.cluster_chaos import checks
from tests.cluster_chaos.deeds import Deeds
from tests.cluster_chaos.site import CAP, PERIOD_S, Site
from tests.cluster_chaos.users import Caller, Clerk, Gateway
from tests.support.cluster.watcher import Watcher

GAP_S = 45.0
_WATCH_S = 60.0


class Run:
    """One run. `broken`: what did not hold, in sentences. `is_timed`: cameras that are visited again too late
    count; on a machine that has other work only those that never are."""

    def __init__(self, folder: Path, seed: int, stack: ExitStack, *, is_timed: bool = True) -> None:
        self.broken: list[str] = []
        self._seed, self._is_timed = seed, is_timed
        self._random = random.Random(seed)
        self._site = Site(folder, stack)

    def execute(self, minutes: float, gap_s: float = GAP_S, only: Sequence[str] = ()) -> dict[str, Any]:
        """Run it, with something every `gap_s`; return the figures. `only`: names of deeds that happen; empty: all."""
        site = self._site
        site.start()
        watcher = Watcher(site.address, site.token)
        caller = Caller(site.address, site.token, site.cameras, self._seed).start()
        clerk = Clerk(site.address, site.token, self._seed).start()
        gateway = Gateway(site.intake, site.pushed_cameras).start()
        deeds, began_s = Deeds(site, self._random), time.monotonic()
        possible = [deed for deed in deeds.all if not only or deed.__name__ in only]
        order: list[Callable[[], None]] = []
        while time.monotonic() - began_s < 60 * minutes:
            order = order or self._random.sample(possible, len(possible))  # each once before any comes again
            next_s = time.monotonic() + gap_s
            order.pop()()
            time.sleep(max(0.0, next_s - time.monotonic()))
        caller.stop()
        clerk.stop()
        self.broken += checks.pushes(site)
        gateway.stop()
        ended = (user for user in (caller, clerk, gateway) if user.failure is not None)
        self.broken += [f"the {type(user).__name__.lower()} ended: {user.failure!r}" for user in ended]
        self._check(watcher, caller, clerk)
        self.broken += checks.late(deeds.faults, PERIOD_S) if self._is_timed else checks.never(deeds.faults)
        verdicts = len(checks.log(site))
        peaks = site.stop()
        self.broken += checks.caps(peaks, CAP)
        return {
            "minutes": minutes,
            "seed": self._seed,
            "namespaces": site.network.has_cuts,
            "faults": [[fault.what, fault.at_s, fault.first_s, fault.all_s] for fault in deeds.faults],
            "verdicts": verdicts,
            "watched": len(watcher.seen),
            "calls": dict(caller.calls),
            "commands": dict(clerk.calls),
            "pushed": gateway.pushed,
            "visits_at_once_max": max(peaks),
            "broken": self.broken,
        }

    def _check(self, watcher: Watcher, caller: Caller, clerk: Clerk) -> None:
        rows = checks.log(self._site)  # the patrol goes on; what comes later is not asked for
        first = watcher.seen[0] if watcher.seen else None
        wanted = rows[rows.index(first) :] if first in rows else rows
        watcher.wait(len(wanted), _WATCH_S)
        watcher.stop()
        self.broken += [*checks.verdicts(rows), *checks.watched(rows, watcher.seen)]
        if watcher.failure is not None:
            self.broken.append(f"the watch ended: {watcher.failure}")
        names = {str(row.camera_id): str(row.name) for row in self._site.query("SELECT camera_id, name FROM cameras")}
        self.broken += [f"acknowledged, and lost: the name of {camera}" for camera in caller.lost(names)]
        self.broken += checks.commands(self._site, clerk.acknowledged, clerk.unsure)
