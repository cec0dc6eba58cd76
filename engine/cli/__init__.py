"""The command `patrol`. One module per group of commands; each parses its arguments, calls the engine, and prints."""

import _signal  # type: ignore[import-not-found]  # the part of `signal` in C: it is there at once


def main() -> None:
    """Run the command that `sys.argv` names, and exit.

    Ctrl-C while the modules load ends the process at once: within an import Python may lose a KeyboardInterrupt, and
    the command would go on as if nobody had asked it to stop. To load `signal` takes longer than all that comes before
    it, and a Ctrl-C meanwhile would end in a traceback.
    """
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from engine.cli.main import main as run_command

    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    run_command()
