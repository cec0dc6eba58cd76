"""Reads when a TLS certificate expires."""

from pathlib import Path

from engine.clock import ns
from engine.config.bounded_file import read_bounded
from engine.errors import ConfigError


def expires_wall_ns(pem_file: Path) -> int:
    """Return when the first certificate of a chain expires. Raises ConfigError if the file holds no certificate."""
    from cryptography import x509  # only where TLS is configured: the import takes a while

    try:
        chain = x509.load_pem_x509_certificates(read_bounded(pem_file))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(pem_file)!r} holds no certificate ({error}); give a PEM file") from error
    return min(ns(certificate.not_valid_after_utc.timestamp()) for certificate in chain)
