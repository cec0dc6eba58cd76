"""Notices that a file of name lookup was replaced, which a confined process cannot read.

Landlock opens files by their identity. When a network manager puts a new /etc/resolv.conf in the place of the old one,
no name would be found any more; so the process asks to be replaced by one that may read the new file.
"""

from engine.runtime.confinement import FILES, Confined
from engine.runtime.confinement.readable import NAME_FILES, identities


class NameFiles:
    """What was there when this process was confined."""

    def __init__(self, confined: Confined) -> None:
        self._known = identities(NAME_FILES) if FILES in confined.parts else None

    def were_replaced(self) -> bool:
        """Whether a file is another one now, or appeared, or is gone; False for a process that may read all files."""
        return self._known is not None and self._known != identities(NAME_FILES)
