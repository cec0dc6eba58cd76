"""What an engine of a shard is configured to do, made from the configuration file of its machine. Pure."""

from engine.config.address import host_port
from engine.config.schema import Settings

_WORKERS = 1
_BATCH_WAIT_S = 0.5
"""Several engines of a machine each see fewer verdicts; with the wait of an engine alone each would commit a few at a
time, which costs twice as much CPU time for each."""
_ALL = ("0.0.0.0", "::")
"""Hosts with which a listener takes every address of its machine. Nobody else reaches the machine at them."""


def shard_settings(settings: Settings, shard_no: int) -> Settings:
    """Return the settings of a shard: its own folders and ports, since a machine runs several; no console, which a
    front has; one worker and fewer commits, unless the file says how many."""
    record, folder = settings.record, f"shard-{shard_no}"
    serve, intake, worker = settings.serve, settings.intake, settings.worker
    given = worker.model_fields_set
    batch_wait_s = record.batch_wait_s if "batch_wait_s" in record.model_fields_set else _BATCH_WAIT_S
    return settings.model_copy(
        update={
            "record": record.model_copy(
                update={
                    "evidence_dir": f"{record.evidence_dir}/{folder}",
                    "quarantine_dir": f"{record.quarantine_dir}/{folder}",
                    "batch_wait_s": batch_wait_s,
                }
            ),
            "serve": serve.model_copy(
                update={
                    "grpc_listen": _reachable(serve.grpc_listen, settings.cluster.listen),
                    "metrics_listen": _reachable(serve.metrics_listen, settings.cluster.listen),
                }
            ),
            "intake": intake.model_copy(update={"listen": _any_port(intake.listen)}),
            "worker": worker.model_copy(
                update={
                    "count": worker.count if "count" in given and worker.count else _WORKERS,
                    "spare": worker.spare if "spare" in given else False,
                }
            ),
            "web": settings.web.model_copy(update={"enabled": False}),
        }
    )


def at_address(settings: Settings, address: str) -> Settings:
    """Return the settings with this machine's address in the cluster, as Ray knows it, unless the file has one:
    machines that share a file cannot have it there."""
    cluster = settings.cluster
    if "listen" in cluster.model_fields_set:
        return settings
    return settings.model_copy(update={"cluster": cluster.model_copy(update={"listen": address})})


def _reachable(listen: str, own: str) -> str:
    """Return the address of a listener that others look up in the database. `own`: this machine's host in the
    cluster's network."""
    if not listen:
        return ""
    host, _ = host_port(listen)
    return _with_any_port(own if host in _ALL else host)


def _any_port(listen: str) -> str:
    """Return the same address with a port that the system chooses; empty if nothing listens."""
    if not listen:
        return ""
    scheme, separator, address = listen.rpartition("://")
    host, _ = host_port(address)
    return f"{scheme}{separator}{_with_any_port(host)}"


def _with_any_port(host: str) -> str:
    return f"[{host}]:0" if ":" in host else f"{host}:0"
