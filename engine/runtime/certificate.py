"""Reads the TLS files of a server, and reads them again when they change: a certificate lives shorter than the engine.

Files that cannot be used leave the certificate in force that was read before.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from engine.clock import ns
from engine.config.reading.bounded_file import read_bounded
from engine.errors import ConfigError
from engine.runtime.log import logger

RELOAD_S = 2.0
"""How often a server should call `WatchedCertificate.check`."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: certificate chain and private key of the server, and the authority of its clients' certificates.

    `keys`: what the keys of the configuration begin with, for messages: serve.tls, web.tls. `client_ca`: empty if
    clients need no certificate.
    """

    keys: str
    cert: str
    key: str
    client_ca: str = ""

    @property
    def paths(self) -> list[Path]:
        """Return the files that are given."""
        return [Path(name) for name in (self.cert, self.key, self.client_ca) if name]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was read. `expires_wall_ns`: when the first certificate of the chain expires."""

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes = b""
    expires_wall_ns: int = 0


def load(files: TlsFiles) -> Certificate:
    """Read the files, and check that they belong together. Raises ConfigError."""
    from cryptography import x509  # only where TLS is configured: the import takes a while
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    keys = f"{files.keys}_*_file"
    try:
        contents = [read_bounded(path) for path in files.paths]
    except OSError as error:
        raise ConfigError(f"{keys}: {error.filename!r}: {error.strerror}; give readable PEM files") from error
    chain, key, client_ca = (*contents, b"")[:3]
    try:
        certificates = x509.load_pem_x509_certificates(chain)
        if client_ca:
            x509.load_pem_x509_certificates(client_ca)
        private_key = load_pem_private_key(key, None)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{keys}: {str(error).strip() or 'no certificate'}; give PEM files, the key without a password"
        ) from error
    if private_key.public_key() != certificates[0].public_key():
        raise ConfigError(f"{keys}: the key is not that of the first certificate; give files that belong together")
    expires_ns = min(ns(certificate.not_valid_after_utc.timestamp()) for certificate in certificates)
    return Certificate(chain, key, client_ca, expires_ns)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context for a server with these files. Raises ConfigError."""
    load(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.cert, files.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{files.keys}_*_file: {error}; give files that belong together") from error
    return context


class WatchedCertificate:
    """The certificate in force. Raises ConfigError if the files cannot be used at the beginning."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen = self._marks()
        self.current = load(files)
        self._pending: tuple[object, ...] | None = None

    def check(self) -> bool:
        """Read the files if they have changed; return whether another certificate is in force now.

        Files that change between two calls are still being written, and are read at the next.
        """
        marks = self._marks()
        if marks == self._seen:
            return False
        if marks != self._pending:
            self._pending = marks
            return False
        self._seen = marks
        try:
            self.current = load(self._files)
        except ConfigError as error:
            logger().error("the new certificate cannot be used, the old one stays", detail=str(error))
            return False
        logger().info("certificate read again", file=self._files.cert)
        return True

    def _marks(self) -> tuple[object, ...]:
        marks: list[object] = []
        for path in self._files.paths:
            try:
                status = path.stat()
            except OSError:
                marks.append(None)
            else:
                marks.append((status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(marks)
