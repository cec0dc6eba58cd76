"""What a confined process may read: Python, its libraries, and what name lookup and TLS need.

Nothing in here belongs to the engine's user: no configuration, database, evidence, key or home folder.
"""

import importlib.util
import os
import ssl
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/usr/share/fonts", "/usr/local/share/fonts",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu", "/sys/devices/system/node",
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
)  # fmt: skip
NAME_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf")
"""What name lookup reads. A file that is replaced is another one, which a rule for the old one does not open."""
_NAMES = (*NAME_FILES, "/etc/services", "/etc/protocols", "/run/systemd/resolve", "/run/resolvconf")
_CERTIFICATES = (
    "/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates", "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf",
    "/etc/pki/ca-trust/extracted", "/etc/crypto-policies", "/usr/share/crypto-policies",
)  # fmt: skip
_PACKAGES = ("engine", "patrol")
_LIBRARY_FOLDERS = ("site-packages", "dist-packages")


def for_python(environment: Mapping[str, str]) -> frozenset[Path]:
    """Return what every process needs: Python, its packages, the engine's code, libraries of the system."""
    return _paths([*_SYSTEM, *_installation(), *_own_code(), *environment.get("LD_LIBRARY_PATH", "").split(":")])


def for_network(environment: Mapping[str, str]) -> frozenset[Path]:
    """Return what name lookup and TLS need besides."""
    default = ssl.get_default_verify_paths()
    given = (environment.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"))
    paths = [*_NAMES, *_CERTIFICATES, default.cafile or "", default.capath or "", *given]
    return _paths([*paths, *_folders_of_links(NAME_FILES)])


def identities(files: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Return device and inode of each file, which tell whether it was replaced; (0, 0) for one that is not there.

    Of a link they are the link's own: what it leads to is in a folder that may be read.
    """
    found: list[tuple[int, int]] = []
    for file in files:
        try:
            status = os.lstat(file)
        except OSError:
            found.append((0, 0))
        else:
            found.append((status.st_dev, status.st_ino))
    return tuple(found)


def _installation() -> list[str]:
    """Return the folders of Python and of packages.

    A folder of `sys.path` that may hold other things too is none of them: the current folder, those that hold it, the
    home folder, and a checkout of the engine.
    """
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [f"{sys.base_prefix}/lib", f"{sys.prefix}/pyvenv.cfg"]
    here, home = Path.cwd(), Path(os.path.expanduser("~"))  # noqa: PTH111 (does not fail without a home)
    for entry in sys.path:
        folder = Path(entry or ".").absolute()
        if folder.name not in _LIBRARY_FOLDERS and (
            folder in (here, home) or folder in here.parents or folder in home.parents or (folder / "engine").is_dir()
        ):
            continue
        folders.append(str(folder))
    return folders


def _own_code() -> list[str]:
    """Return the folders of the engine's own packages, wherever the checkout is."""
    specs = (importlib.util.find_spec(name) for name in _PACKAGES)
    return [place for spec in specs if spec is not None for place in spec.submodule_search_locations or ()]


def _folders_of_links(files: Iterable[str]) -> list[str]:
    """Return the folders of files that are links to outside of /etc: a file replaced there is found again."""
    return [
        str(target.parent)
        for file in map(Path, files)
        if (target := file.resolve()) != file and target.parent not in (Path("/etc"), Path("/"), Path("/run"))
    ]


def _paths(names: Iterable[str]) -> frozenset[Path]:
    return frozenset(Path(name) for name in names if name.startswith("/"))
