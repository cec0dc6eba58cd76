"""Holds the public keys of the gateways that may push, and follows their folder: a file that is added or deleted counts
within two seconds, without a reload.
"""

import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from engine.errors import ConfigError
from engine.runtime.log import logger

READ_EVERY_S = 2.0
_FILES_MAX = 10_000
_FILE_BYTES_MAX = 16_384
_REFUSED_KINDS_MAX = 50
_SUFFIX = ".key"
_PUBLIC_KEY = re.compile(
    rb'^\s*public-key\s*=\s*["\']([0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40})["\']\s*$', re.MULTILINE
)
"""As zmq.auth.create_certificates writes it: 32 bytes in Z85."""

_Stamp = tuple[int, int, int, int]


class CurveKeys:
    """The keys in a folder, by file NAME.key. `names` is replaced as a whole, so any thread may read it.

    Raises ConfigError if the folder cannot be read. Later such errors leave the keys as they are, and are logged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamps: dict[str, _Stamp] = {}
        self._readable = True
        self._refused: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="curve-keys", daemon=True)
        self.names: Mapping[str, str] = MappingProxyType({})
        """Names of gateways by public key."""
        try:
            self._stamps = self._scan()
        except OSError as error:
            raise ConfigError(
                f"intake.curve_clients_dir = {str(folder)!r}: {error.strerror}; give the directory with the gateways' "
                "public keys"
            ) from error
        self.names = self._read(self._stamps)

    def start(self) -> None:
        """Follow the folder in a thread of its own: a slow disk must not hold up the patrol."""
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def admits(self, key: str, address: str = "") -> bool:
        """Return whether a gateway with this key may connect; one that may not is counted, with its address."""
        if key in self.names:
            return True
        with self._lock:
            known = (key, address) in self._refused or len(self._refused) < _REFUSED_KINDS_MAX
            self._refused[(key, address) if known else ("", "")] += 1
        return False

    def drain_refused(self) -> Counter[tuple[str, str]]:
        """Return how many connections were refused since the last call, by key and address; in a flood of many, the
        rest without both."""
        with self._lock:
            refused, self._refused = self._refused, Counter()
        return refused

    def refresh(self) -> None:
        """Read the folder again if a file in it has changed."""
        try:
            stamps = self._scan()
        except OSError as error:
            if self._readable:
                logger().error(
                    "the gateways' keys cannot be read, the old ones stand",
                    folder=str(self._folder),
                    detail=error.strerror,
                )
            self._readable = False
            return
        self._readable = True
        if stamps == self._stamps:
            return
        before, self._stamps = self.names, stamps
        self.names = self._read(stamps)
        added = [name for key, name in self.names.items() if key not in before]
        removed = [name for key, name in before.items() if key not in self.names]
        if added or removed:
            logger().info("the gateways' keys changed", added=added, removed=removed)

    def _follow(self) -> None:
        while not self._stopping.wait(READ_EVERY_S):
            self.refresh()

    def _scan(self) -> dict[str, _Stamp]:
        """Return the key files with what changes when they do."""
        stamps: dict[str, _Stamp] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and len(stamps) < _FILES_MAX:
                    try:
                        status = entry.stat()
                    except OSError:  # deleted meanwhile, or a link to nowhere
                        continue
                    stamps[entry.name] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        return dict(sorted(stamps.items()))

    def _read(self, stamps: Mapping[str, _Stamp]) -> Mapping[str, str]:
        names: dict[str, str] = {}
        for file in stamps:
            key = _public_key(self._folder / file)
            if not key:
                logger().warning("not a gateway's key file, it is left out", file=file, folder=str(self._folder))
            elif key in names:
                logger().warning("two files hold one key, the second is left out", file=file, first=names[key])
            else:
                names[key] = file.removesuffix(_SUFFIX)
        return MappingProxyType(names)


def _public_key(path: Path) -> str:
    """Return the key in a file; empty if it is no regular file that can be read, or holds none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hold us up
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        found = _PUBLIC_KEY.search(os.read(descriptor, _FILE_BYTES_MAX))
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return found.group(1).decode() if found else ""
