"""Remembers which nodes cannot reach the database, so that shards run elsewhere until they can. Pure."""

from engine.clock import NS_PER_S

ASK_AGAIN_NS = 10 * NS_PER_S
"""How often a node is asked whether it can reach the database again."""


class CutOffNodes:
    """Nodes that are taken for cut off, from `report` to `clear`."""

    def __init__(self) -> None:
        self._asked_ns: dict[str, int] = {}

    def report(self, node: str, now_ns: int) -> bool:
        """Take a node for cut off; return whether that is news."""
        is_news = node not in self._asked_ns
        self._asked_ns.setdefault(node, now_ns)
        return is_news

    def clear(self, node: str) -> None:
        """Take a node for well: it reaches the database, or is no more."""
        self._asked_ns.pop(node, None)

    def nodes(self) -> frozenset[str]:
        """Return the nodes that are taken for cut off."""
        return frozenset(self._asked_ns)

    def to_ask(self, now_ns: int) -> list[str]:
        """Return the nodes that have to be asked again now; each for once."""
        due = [node for node, asked_ns in self._asked_ns.items() if now_ns - asked_ns >= ASK_AGAIN_NS]
        self._asked_ns |= dict.fromkeys(due, now_ns)
        return due
