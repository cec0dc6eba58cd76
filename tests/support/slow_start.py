"""Makes real child processes slow, hang or end while they load their compiled kernels."""

import os
from pathlib import Path

import pytest

KERNELS = "engine.kernels.score"
HANG = "time.sleep(600)"
END = "os._exit(5)"
_SCRIPT = """
import os, sys, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {action}

if {role!r} in sys.orig_argv:
    sys.meta_path.insert(0, Slow())
"""


def compute_until(file: Path) -> str:
    """Return an action: compute until the file exists, as compiling does."""
    return f"while not os.path.exists({str(file)!r}): pass"


def slow_import(folder: Path, monkeypatch: pytest.MonkeyPatch, role: str, action: str, module: str = KERNELS) -> None:
    """Have every Python process started from now on, with `role` among its arguments, do `action` before it imports
    `module`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SCRIPT.format(module=module, action=action, role=role))
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
