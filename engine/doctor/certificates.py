"""Examines the TLS files: are they there, do they belong together, when do they end."""

from collections.abc import Iterator

from engine.clock import NS_PER_S
from engine.config.schema import Settings
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.errors import ConfigError
from engine.runtime.certificate import TlsFiles, load

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
    serve, web = settings.serve, settings.web
    for files in (
        TlsFiles("serve.tls", serve.tls_cert_file, serve.tls_key_file, serve.tls_client_ca_file),
        TlsFiles("serve.metrics_tls", serve.metrics_tls_cert_file, serve.metrics_tls_key_file),
        TlsFiles("web.tls", web.tls_cert_file, web.tls_key_file),
    ):
        if files.cert:
            yield _examined(files, now_wall_ns)


def _examined(files: TlsFiles, now_wall_ns: int) -> Diagnosis:
    try:
        certificate = load(files)
    except ConfigError as error:
        found, _, remedy = str(error).rpartition("; ")
        return fault("certificate", found, remedy)
    what = f"certificate of {files.keys}_cert_file"
    return expiry(what, certificate.expires_wall_ns, now_wall_ns, f"renew {files.cert}; the engine reads it by itself")
