"""Remembers which nodes cannot reach the database, so that shards run elsewhere for a while. Pure."""

from engine.clock import NS_PER_S

AVOID_FIRST_NS = 60 * NS_PER_S
AVOID_MAX_NS = 960 * NS_PER_S


class CutOffNodes:
    """Nodes that said they are cut off. Nobody asks a node that runs nothing, so each is tried again after a while: a
    minute at first, twice as long each time that it is cut off again."""

    def __init__(self) -> None:
        self._avoided: dict[str, tuple[int, int]] = {}

    def report(self, node: str, now_ns: int) -> bool:
        """Take a node for cut off; return whether that is news."""
        until_ns, length_ns = self._avoided.get(node, (0, 0))
        if now_ns < until_ns:
            return False
        if now_ns > until_ns + AVOID_MAX_NS:
            length_ns = 0  # it was well for long
        length_ns = min(max(AVOID_FIRST_NS, 2 * length_ns), AVOID_MAX_NS)
        self._avoided[node] = now_ns + length_ns, length_ns
        return True

    def nodes(self, now_ns: int) -> frozenset[str]:
        """Return the nodes that are taken for cut off now."""
        return frozenset(node for node, (until_ns, _) in self._avoided.items() if now_ns < until_ns)
