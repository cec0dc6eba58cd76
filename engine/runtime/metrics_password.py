"""Checks the password of the metrics: from a file, which is read again when it changes, or from the environment.

It comes as `Authorization: Bearer PASSWORD` or `Basic`, with any user, which are the two ways of Prometheus.
"""

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path

from engine.config.reading.bounded_file import read_bounded
from engine.config.serve import ServeSettings
from engine.errors import ConfigError
from engine.runtime.log import logger

PASSWORD_CHARS_MIN = 16
"""Nobody guesses one of this length that is drawn at random, so there is no need to lock out an address that tries."""
_PASSWORD_CHARS_MAX = 1024
_HEADER_CHARS_MAX = 4096
_HOW = "write one with `openssl rand -hex 32`"


class MetricsPassword:
    """`file`: path of the file; empty: the environment variable `variable` has it. Raises ConfigError if it cannot be
    used."""

    def __init__(self, file: str, variable: str = "") -> None:
        self._file = file
        self._variable = variable
        self._mark = self._stat()
        self._digest = _digest(self.text())

    def text(self) -> str:
        """Return the password as it stands now. Raises ConfigError."""
        if not self._file:
            return _checked(os.environ.get(self._variable, ""), f"serve.metrics_password_env: {self._variable}")
        where = f"serve.metrics_password_file = {self._file!r}"
        try:
            return _checked(read_bounded(self._file, _PASSWORD_CHARS_MAX * 4).decode(), where)
        except OSError as error:
            raise ConfigError(f"{where}: {error.strerror}; give a readable file") from error
        except UnicodeDecodeError:
            raise ConfigError(f"{where}: is no text in UTF-8; {_HOW}") from None

    def admits(self, authorization: str) -> bool:
        """Whether a request with this header Authorization knows the password; takes the same time for every guess."""
        return hmac.compare_digest(_digest(_presented(authorization[:_HEADER_CHARS_MAX])), self._digest)

    def check(self) -> None:
        """Read the file again if it has changed; if it cannot be used, the password before stays, with a log line."""
        mark = self._stat()
        if not self._file or mark == self._mark:
            return
        self._mark = mark
        try:
            self._digest = _digest(self.text())
        except ConfigError as error:
            logger().error("the new password of the metrics cannot be used, the old one stays", detail=str(error))
        else:
            logger().info("password of the metrics read again", file=self._file)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            status = Path(self._file).stat() if self._file else None
        except OSError:
            return None
        return status and (status.st_ino, status.st_size, status.st_mtime_ns)


def metrics_password(settings: ServeSettings) -> MetricsPassword | None:
    """Return the password that the settings name; None if they name none. Raises ConfigError."""
    if not settings.metrics_password_file and not settings.metrics_password_env:
        return None
    return MetricsPassword(settings.metrics_password_file, settings.metrics_password_env)


def _checked(text: str, where: str) -> str:
    password = text.strip()
    if not PASSWORD_CHARS_MIN <= len(password) <= _PASSWORD_CHARS_MAX:
        raise ConfigError(
            f"{where}: has {len(password)} characters; allowed: {PASSWORD_CHARS_MIN} to {_PASSWORD_CHARS_MAX}; {_HOW}"
        )
    return password


def _presented(authorization: str) -> str:
    """Return the password in a header; empty if there is none, which is never the password."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()
