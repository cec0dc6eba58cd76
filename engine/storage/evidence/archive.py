"""Keeps a copy of exhibits and photographs in a store that outlives the machine, with a budget of its own.

A copy is made before anything that cites the file is committed. While the store is away the folder of the machine is
all there is: what waits is tried again by `step`, and after a restart by what the index does not have. All shards share
one store, and one index of it in the database.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from engine.clock import wall_ns
from engine.errors import IntegrityError, StoreError
from engine.model.photograph import PHOTOGRAPH_SUFFIX, photograph_name
from engine.storage.db.archive_index import Archived, ArchiveIndex
from engine.storage.evidence.archive_files import ArchiveFiles
from engine.storage.evidence.exhibits import ExhibitFiles, Exhibits
from engine.storage.evidence.photographs import Photographs

_AT_ONCE = 16
_PIECE = 64
"""Files that a step copies or deletes at most."""
_LOOK_S = 60.0
"""How often a step looks whether the budget is exceeded."""
_YOUNG_NS = 3600 * 10**9
"""What came within the last hour is not deleted: the commit that cites it may be under way."""
_ERRORS = (StoreError, OSError)


class Archive:
    """The copies of what one machine keeps. `copy` and `step` wait for the store, one thread at a time; any thread may
    call the rest.

    `bytes_max`: of all that is in the store; beyond it the oldest is deleted that no open finding cites. `on_out` is
    called for each, `on_failed` whenever the store or its index fails.
    """

    def __init__(
        self,
        files: ArchiveFiles,
        index: ArchiveIndex,
        bytes_max: int,
        on_out: Callable[[], None] = lambda: None,
        on_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.files = files
        self._index = index
        self._bytes_max = bytes_max
        self._on_out = on_out
        self._on_failed = on_failed
        self._copying = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: dict[str, None] = {}
        self._look_at_s = 0.0

    @property
    def waiting(self) -> int:
        """How many exhibits and photographs have no copy yet."""
        return len(self._waiting)

    def resize(self, bytes_max: int) -> None:
        """Set another budget; `step` brings the store below it."""
        if bytes_max != self._bytes_max:
            self._bytes_max, self._look_at_s = bytes_max, 0.0

    def add(self, names: Iterable[str]) -> None:
        """Note that these, by the names that the ledger cites, are kept in the folder and need a copy."""
        with self._lock:
            self._waiting.update(dict.fromkeys(names))

    def add_uncopied(self, exhibits: Exhibits, photographs: Photographs) -> None:
        """Note those of the folder that have no copy. Raises StoreError if the database cannot be asked."""
        names = [*exhibits.digests(), *map(photograph_name, photographs.digests())]
        stored = self._index.stored(names)
        self.add(name for name in names if name not in stored)

    def copy(self, exhibits: Exhibits, photographs: Photographs, pieces_max: int = 0) -> None:
        """Copy what waits, at most so many if `pieces_max` is given. What fails waits on; nothing is raised."""
        with self._copying:
            with self._lock:
                names = list(self._waiting)[: pieces_max or None]
            try:
                for begin in range(0, len(names), _PIECE):
                    self._copy(names[begin : begin + _PIECE], exhibits, photographs)
            except _ERRORS as error:
                self._failed("evidence has no copy in the archive yet, trying again later", error)

    def step(self, exhibits: Exhibits, photographs: Photographs) -> bool:
        """Do a small step of upkeep: copy what waits, delete what exceeds the budget; return whether there is more."""
        if before := self.waiting:
            self.copy(exhibits, photographs, _PIECE)
            return 0 < self.waiting < before
        now_s = time.monotonic()
        if now_s < self._look_at_s:
            return False
        self._look_at_s = now_s + _LOOK_S
        try:
            more = self._make_room()
        except _ERRORS as error:
            self._failed("the archive is not brought within its budget, trying again later", error)
            return False
        if more:
            self._look_at_s = 0.0
        return more

    def _copy(self, names: Sequence[str], exhibits: Exhibits, photographs: Photographs) -> None:
        found = {name: _read(name, exhibits, photographs) for name in names}
        files = {name: content for name, content in found.items() if content is not None}
        if files:
            known = self._index.stored(list(files))
            now_ns = wall_ns()
            self._index.announce([_item(name, content, now_ns) for name, content in files.items()])
            with ThreadPoolExecutor(min(_AT_ONCE, len(files))) as pool:
                list(pool.map(lambda name: self._put(name, files[name], name in known), files))
            self._index.confirm(files)
        with self._lock:
            for name in names:  # what was not found is evicted, or damaged, which a copy does not mend
                self._waiting.pop(name, None)

    def _put(self, name: str, content: ExhibitFiles | bytes, is_known: bool) -> None:
        if isinstance(content, bytes):
            self.files.put_photograph(name.removesuffix(PHOTOGRAPH_SUFFIX), content)
        else:
            self.files.put_exhibit(name, content, is_known=is_known)

    def _make_room(self) -> bool:
        excess = self._index.total_bytes() - self._bytes_max
        if excess <= 0:
            return False
        items = self._index.oldest(wall_ns() - _YOUNG_NS, _PIECE)
        for item in items:
            if excess <= 0:
                return False
            if self._index.remove(item, self._delete):
                excess -= item.size_bytes
                self._on_out()
        return len(items) == _PIECE

    def _delete(self, item: Archived) -> None:
        if item.suffix == PHOTOGRAPH_SUFFIX:
            self.files.remove_photograph(item.name.removesuffix(PHOTOGRAPH_SUFFIX))
        else:
            self.files.remove_exhibit(item.name, item.suffix)

    def _failed(self, what: str, error: Exception) -> None:
        self._on_failed()
        structlog.get_logger().error(what, waiting=self.waiting, detail=str(error))


def _read(name: str, exhibits: Exhibits, photographs: Photographs) -> ExhibitFiles | bytes | None:
    try:
        if name.endswith(PHOTOGRAPH_SUFFIX):
            return photographs.get(name.removesuffix(PHOTOGRAPH_SUFFIX))
        return exhibits.files(name)
    except (FileNotFoundError, IntegrityError):
        return None


def _item(name: str, content: ExhibitFiles | bytes, now_ns: int) -> Archived:
    if isinstance(content, bytes):
        return Archived(name, len(content), now_ns, PHOTOGRAPH_SUFFIX)
    size = len(content.payload) + len(content.json)
    beside = {digest for sighting in content.described["sightings"] for digest in sighting.get("beside", {}).values()}
    return Archived(name, size, now_ns, f".{content.codec}", tuple(sorted(beside)))
