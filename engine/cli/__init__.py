"""The command `patrol`. One module per group of commands; each parses its arguments, calls the engine, and prints."""

import signal


def main() -> None:
    """Run the command that `sys.argv` names, and exit.

    Ctrl-C while the modules load ends the process at once: within an import Python may lose a KeyboardInterrupt, and
    the command would go on as if nobody had asked it to stop.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from engine.cli.main import main as run_command

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_command()
