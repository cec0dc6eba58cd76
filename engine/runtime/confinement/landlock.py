"""Confines a process to the files that it may read, by Landlock (Linux 5.13 and later).

It may write no file and start no program. With later kernels it may also open no TCP port but those allowed, and signal
no process outside of it. What is open already stays open. It holds for this thread and for all that it starts, so it
is called while there is no other.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.runtime.confinement.system_call import system_call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same numbers on every architecture."""
_QUERY_VERSION = 1
_PATH_RULE, _PORT_RULE = 1, 2

_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Bits that each version adds: executing, reading, writing, removing and making; moving; truncating; ioctl of devices.
All are taken away, and reading is given back where a rule says so."""
_NET_VERSION, _SCOPE_VERSION = 4, 6
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


class _PortRule(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


@dataclass(frozen=True, slots=True)
class Access:
    """What stays allowed. `readable`: files, and folders with all below them; those that are not there are left out.
    `connects`: to any TCP port; `listens`: on TCP ports that the system chooses."""

    readable: frozenset[Path]
    connects: bool
    listens: bool


def version() -> int:
    """Return the version of Landlock that the kernel offers; 0: none."""
    try:
        return system_call(_CREATE_RULESET, None, 0, _QUERY_VERSION)
    except OSError:
        return 0


def restrict(access: Access) -> None:
    """Confine this thread, and those that it will start. Raises OSError. `no_new_privs` must be set."""
    offered = version()
    ruleset = _ruleset(access, offered)
    size = 24 if offered >= _SCOPE_VERSION else 16 if offered >= _NET_VERSION else 8
    descriptor = system_call(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    try:
        _allow_reading(descriptor, access.readable)
        if offered >= _NET_VERSION and access.listens:
            port = _PortRule(_BIND_TCP, 0)  # port 0: whichever the system chooses
            system_call(_ADD_RULE, descriptor, _PORT_RULE, ctypes.byref(port), 0)
        system_call(_RESTRICT_SELF, descriptor, 0)
    finally:
        os.close(descriptor)


def _ruleset(access: Access, offered: int) -> _Ruleset:
    """Return what is taken away, as far as the kernel knows it."""
    files = sum(bits for since, bits in _FILE_RIGHTS_BY_VERSION.items() if offered >= since)
    return _Ruleset(files, _BIND_TCP | (0 if access.connects else _CONNECT_TCP), _ABSTRACT_SOCKETS | _SIGNALS)


def _allow_reading(ruleset: int, readable: Iterable[Path]) -> None:
    for path in readable:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # not every system has every file
        try:
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            rule = _PathRule(_READ_FILE | (_READ_FOLDER if is_folder else 0), descriptor)
            system_call(_ADD_RULE, ruleset, _PATH_RULE, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)
