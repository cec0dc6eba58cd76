"""`patrol front`: the one door to an engine that runs on several machines."""

import os

from engine.cli.options import ConfigOption, settings_of, stop_on_signals

_UMASK = 0o077


def front(config: ConfigOption = None) -> None:
    """Answer patrol.v1 for all shards of a database until SIGINT or SIGTERM, and take what gateways push if the file
    has intake.listen; as many fronts as are wanted may run."""
    stop = stop_on_signals()  # first: within an import Python may lose a KeyboardInterrupt
    os.umask(_UMASK)
    from engine.config.calendar import load_calendar
    from engine.front.process import Front
    from engine.runtime.descriptors import raise_descriptor_limit
    from engine.runtime.log import configure_logging, logger

    settings = settings_of(config)
    configure_logging(settings.log.level, settings.log.format, process="front")
    raise_descriptor_limit()
    serving = Front(settings, load_calendar(settings.scheduler.calendar_file))
    try:
        logger().info("ready", **serving.addresses)
        stop.wait()
        logger().info("stopping")
    finally:
        serving.close()
    logger().info("stopped")
