"""Says whether the reader of text is installed. Loads nothing of it."""

import importlib.util

_PACKAGES = ("rapidocr", "onnxruntime")


def is_installed() -> bool:
    """Return whether the packages of the extra `kitchen-patrol[ocr]` are here."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)
