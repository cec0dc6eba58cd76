"""`patrol run` and `patrol demo`: start the whole engine."""

import os
from typing import Annotated

import typer

from engine.cli.options import OUT, ConfigOption, settings_of, stop_on_signals
from engine.errors import PatrolError

_UMASK = 0o077
"""What the engine writes is for its own user alone."""


def run(config: ConfigOption = None) -> None:
    """Patrol the cameras of the registry until SIGINT or SIGTERM. SIGHUP reloads the configuration."""
    stop = stop_on_signals()  # first: within an import Python may lose a KeyboardInterrupt
    os.umask(_UMASK)
    from engine.runtime.config_watch import FileWatch, Hangups
    from engine.runtime.descriptors import raise_descriptor_limit
    from engine.runtime.log import configure_logging, logger
    from engine.supervisor.app import Supervisor

    watch = FileWatch(config)  # made before the file is read, so that no change is missed
    settings = settings_of(config)
    configure_logging(settings.log.level, settings.log.format, process="patrol")
    raise_descriptor_limit()
    hangups = Hangups()
    if stop.is_set():
        return
    with Supervisor(settings, stop) as engine:
        logger().info("ready", **engine.addresses, processes=len(engine.pids()))
        while not stop.wait(0.5):
            if not engine.running:
                raise engine.failure or PatrolError("the engine ended; its log says why")
            calendar_file, watch_s = engine.settings.scheduler.calendar_file, engine.settings.reload.watch_s
            reload_requested = hangups.received()
            if reload_requested:
                watch.check(calendar_file)  # this reload covers any change so far
            if reload_requested or watch.changed(watch_s, calendar_file):
                if config is None:
                    logger().warning("nothing to reload: patrol run was started without --config")
                else:
                    engine.reload(config)
        logger().info("stopping")
    logger().info("stopped")


def demo(
    seconds: Annotated[
        float, typer.Option(help="End after this many seconds, with a summary; 0: run until Ctrl-C.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the made-up county.")] = 0,
) -> None:
    """Patrol a made-up county of 32 cameras that stream over real RTSP on this machine; some are faulty."""
    stop = stop_on_signals()  # first: within an import Python may lose a KeyboardInterrupt
    os.umask(_UMASK)
    from engine.demo.runner import play
    from engine.runtime.descriptors import raise_descriptor_limit
    from engine.runtime.log import configure_logging

    configure_logging("error", "auto", process="patrol")  # lines between those of the live view would break it
    raise_descriptor_limit()
    raise typer.Exit(play(OUT, seconds, seed, stop))
