"""`patrol web`: the API over HTTP, for an engine that runs without it or on another machine."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from engine.cli.options import CaOption, ConfigOption, ServerOption, settings_of


def web(
    config: ConfigOption = None,
    listen: Annotated[str, typer.Option(help="Address of the HTTP server, host:port. Default: web.listen.")] = "",
    server: ServerOption = "",
    ca: CaOption = None,
) -> None:
    """Serve the API over HTTP and JSON until SIGINT or SIGTERM. `patrol run` does so by itself (web.enabled)."""
    from engine.client.channel import client_certificate
    from engine.config.checks import cross_key_errors
    from engine.errors import ConfigError
    from engine.runtime.log import configure_logging, is_console, logger
    from engine.supervisor.child_stderr import own_stderr
    from engine.web.process import run_in_foreground

    settings = settings_of(config)
    if listen:
        settings = settings.model_copy(update={"web": settings.web.model_copy(update={"listen": listen})})
    errors = cross_key_errors(settings)
    if errors:
        raise ConfigError("; ".join(errors))
    engine = server or settings.serve.grpc_listen
    authority = ca.read_bytes() if ca is not None else b""
    certificate = client_certificate()
    own = None if certificate is None else (certificate.key, certificate.chain)
    on_ready = lambda address: logger().info("ready", web=address, engine=engine)  # noqa: E731
    log = settings.log
    # gRPC writes lines of its own to stderr, past every logger; among lines of JSON they become JSON too.
    plain = is_console(log.format, sys.stderr)
    with nullcontext(sys.stderr) if plain else own_stderr("web") as stream:
        configure_logging(log.level, log.format, "web", stream)
        run_in_foreground(settings, engine, authority, on_ready, own)
        logger().info("stopped")
