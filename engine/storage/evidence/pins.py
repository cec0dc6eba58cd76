"""Counts which exhibits and photographs open findings cite, and what those were compared with. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Pin:
    """How often an exhibit is pinned, and which exhibits are pinned with it."""

    times: int = 0
    with_it: list[str] = field(default_factory=list)


class Pins:
    """`on_change` is called with a name whenever it becomes pinned or stops being so, and may be when it stays so."""

    def __init__(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._pins: dict[str, _Pin] = {}
        self._counts: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        """Whether a name is pinned, itself or with another."""
        return name in self._counts

    def add(self, name: str, beside: Iterable[str]) -> None:
        """Pin a name once more, and with it what it was compared with."""
        pin = self._pins.setdefault(name, _Pin())
        pin.times += 1
        for pinned in (name, *pin.with_it):
            self._repin(pinned, 1)
        self.add_beside(name, beside)

    def remove(self, name: str) -> None:
        """Undo one `add`; do nothing if the name is not pinned."""
        pin = self._pins.get(name)
        if pin is None:
            return
        pin.times -= 1
        if not pin.times:
            del self._pins[name]
        for pinned in (name, *pin.with_it):
            self._repin(pinned, -1)

    def add_beside(self, name: str, beside: Iterable[str]) -> None:
        """Pin what an exhibit was compared with as often as the exhibit itself."""
        pin = self._pins.get(name)
        if pin is None:
            return
        for compared in beside:
            if compared != name and compared not in pin.with_it:
                pin.with_it.append(compared)
                self._repin(compared, pin.times)

    def _repin(self, name: str, times: int) -> None:
        count = self._counts.get(name, 0) + times
        if count:
            self._counts[name] = count
        else:
            del self._counts[name]
        self._on_change(name)
