"""Examines the TLS files: are they there, do they belong together, when do they end."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from engine.clock import NS_PER_S
from engine.config.schema import Settings
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.errors import ConfigError
from engine.runtime.certificate import expires_wall_ns

_DAY_NS = 86_400 * NS_PER_S
_SOON_DAYS = 14


def expiry(what: str, expires_wall_ns: int, now_wall_ns: int, remedy: str) -> Diagnosis:
    """Judge when a certificate or a token ends; `what` names it."""
    topic = what.partition(" ")[0]
    days = abs(expires_wall_ns - now_wall_ns) // _DAY_NS
    duration = f"{days:,} day{'' if days == 1 else 's'}"
    if expires_wall_ns <= now_wall_ns:
        return fault(topic, f"{what} ended {duration} ago", remedy)
    if days < _SOON_DAYS:
        return warning(topic, f"{what} ends in {duration}", remedy)
    return ok(topic, f"{what} ends in {duration}")


def examine(settings: Settings, now_wall_ns: int) -> Iterator[Diagnosis]:
    """Examine the certificates of all listeners that have one."""
    for section, (certificate, key) in {
        "serve": (settings.serve.tls_cert_file, settings.serve.tls_key_file),
        "web": (settings.web.tls_cert_file, settings.web.tls_key_file),
    }.items():
        if certificate:
            yield from _pair(section, certificate, key, now_wall_ns)


def _pair(section: str, certificate: str, key: str, now_wall_ns: int) -> Iterator[Diagnosis]:
    name = f"{section}.tls_cert_file"
    try:
        expires_ns = expires_wall_ns(Path(certificate))
    except ConfigError as error:
        yield fault("certificate", f"{name}: {error}", "give the path of a readable PEM file")
        return
    yield expiry(f"certificate of {name}", expires_ns, now_wall_ns, f"renew {certificate}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        yield fault(
            "certificate",
            f"{name} and {section}.tls_key_file: {error}",
            "give the private key that belongs to the certificate, readable by the engine's user",
        )
