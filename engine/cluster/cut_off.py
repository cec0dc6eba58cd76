"""Remembers which nodes cannot reach the database, so that shards run elsewhere until they can. Pure."""

from collections.abc import Set

from engine.clock import NS_PER_S

ASK_AGAIN_NS = 10 * NS_PER_S
"""How often a node is asked whether it can reach the database again."""


class CutOffNodes:
    """Nodes that are taken for cut off, until `clear`."""

    def __init__(self) -> None:
        self._asked_ns: dict[str, int] = {}
        self._told: Set[str] = frozenset()

    def note(self, told: Set[str], now_ns: int) -> Set[str]:
        """Take nodes for cut off that said so this time and the last; return those that this is news of.

        Said once, it may be from just before the database came back, for all of them.
        """
        news = (told & self._told) - self._asked_ns.keys()
        self._told = told
        self._asked_ns |= dict.fromkeys(news, now_ns)
        return news

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
