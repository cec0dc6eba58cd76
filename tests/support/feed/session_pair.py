"""Two RTSP sessions that are given the same bytes: one takes packets one by one, the other passes over runs of them.

Their states are compared after each piece. The memory that the second reads from is overwritten in between, as the
receive buffer of a feeder is.
"""

from engine.feed.packets.runs import COMPILED
from engine.feed.rtsp.session import Session
from engine.feed.shared_by_visits import ReceiveBuffer

_BUFFER = ReceiveBuffer()
_OWN = ("_runs", "_assembler", "_reorder")
"""Fields of a session that are compared in another way, or not part of what it does with a stream over TCP."""


class SessionPair:
    """`session`: the one with compiled runs. What it wants to send is left to the other fields to compare."""

    def __init__(self, url: str = "rtsp://h/1") -> None:
        self._one_by_one = Session(url, "n")
        self.session = Session(url, "n", None, COMPILED)
        self._one_by_one.begin()
        self.session.begin()

    def receive(self, piece: bytes) -> None:
        """Give both the same bytes, at most as many as the buffer holds. Fails if they differ afterwards."""
        self._one_by_one.receive(piece)
        _BUFFER.room[: len(piece)] = piece
        self.session.receive(_BUFFER.first(len(piece)))
        _BUFFER.room[: len(piece)] = b"\xa5" * len(piece)
        self._compare()

    def close(self) -> None:
        """Tell both that the server has closed the connection."""
        self._one_by_one.connection_closed()
        self.session.connection_closed()
        self._compare()

    def _compare(self) -> None:
        expected, found = _state(self._one_by_one), _state(self.session)
        assert found == expected, {
            name: (found[name], expected[name]) for name in found if found[name] != expected[name]
        }


def _state(session: Session) -> dict[str, object]:
    """All that decides what a session does next; fragments of one unit count as one."""
    fields = {name: value for name, value in vars(session).items() if name not in _OWN}
    inner = dict(vars(session._assembler)) if session._assembler is not None else {}
    if inner.get("_fragments") is not None:
        inner["_fragments"] = b"".join(inner["_fragments"])
    return {**fields, **{f"assembler.{name}": value for name, value in inner.items()}}
