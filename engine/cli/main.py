"""Entry point of `patrol`: lists its commands and turns errors into exit codes."""

import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from engine import __version__
from engine.cli import errors, exit_codes
from engine.cli.camera_commands.check_now import check_now
from engine.cli.camera_commands.picture import picture
from engine.cli.camera_commands.show import verdicts
from engine.cli.camera_commands.story import story
from engine.cli.commands import cameras, cluster, config, db, evidence, findings, kpi, notices, token
from engine.cli.commands.check import check
from engine.cli.commands.doctor import doctor
from engine.cli.commands.export import export
from engine.cli.commands.front import front
from engine.cli.commands.pause import pause, resume
from engine.cli.commands.rejudge import rejudge
from engine.cli.commands.report import report
from engine.cli.commands.run import demo, run
from engine.cli.commands.scheduler import plan, top
from engine.cli.commands.simulate import simulate
from engine.cli.commands.spot_check import spot_check
from engine.cli.commands.token import audit
from engine.cli.commands.web import web
from engine.cli.options import ERR, OUT
from engine.errors import PatrolError
from engine.redact import KNOWN

app = typer.Typer(no_args_is_help=True, help="Patrols every kitchen camera of a province.", epilog=exit_codes.epilog())
for command in (
    run, front, web, demo, doctor, check, check_now, verdicts, story, picture, top, plan, pause, resume, simulate,
    rejudge, report, spot_check, audit, export,
):  # fmt: skip
    app.command()(command)
app.add_typer(config.app, name="config")
app.add_typer(cameras.app, name="cameras")
app.add_typer(findings.app, name="findings")
app.add_typer(notices.app, name="notices")
app.add_typer(db.app, name="db")
app.add_typer(token.app, name="token")
app.add_typer(kpi.app, name="kpi")
app.add_typer(evidence.app, name="evidence")
app.add_typer(cluster.app, name="cluster")


def main() -> None:
    """Run the command that `sys.argv` names, and exit.

    An error becomes one sentence on stderr and exit code 2, Ctrl-C exit code 130, a bug a traceback and exit code 70.
    Where the reader of the output is gone (`patrol ... | head`), the command ends without a word and with 141: 0, 1 and
    2 keep their meaning. exit_codes.py has the table.
    """
    try:
        _run()
    except BaseException as error:
        if not _is_broken_pipe(error):
            raise
        # The interpreter flushes stdout once more when it exits; what is left in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exit_codes.PIPE_CLOSED)


def _run() -> None:
    try:
        sys.exit(app(prog_name="patrol", standalone_mode=False) or exit_codes.OK)
    except errors.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            sys.exit(exit_codes.REFUSED)
        _refuse(error)
    except BrokenPipeError:
        raise
    except (PatrolError, OSError) as error:
        _refuse(error)
    except KeyboardInterrupt:
        sys.exit(exit_codes.INTERRUPTED)
    except Exception:  # noqa: BLE001 (a bug: whoever mends it needs the traceback)
        sys.stderr.write(KNOWN.redact(traceback.format_exc()))
        sys.exit(exit_codes.BUG)
    finally:
        if sys.stdout is not None:  # None if the shell closed it (`>&-`)
            sys.stdout.flush()  # while main can still handle a closed pipe


def _refuse(error: Exception) -> NoReturn:
    code, message = errors.sentence(error)
    ERR.print(f"[red]error[/red] ({code}):", end=" ")
    ERR.out(message, highlight=False)
    sys.exit(exit_codes.REFUSED)


def _is_broken_pipe(error: BaseException | None) -> bool:
    """Whether a BrokenPipeError led to `error`: both Rich and Typer raise SystemExit(1) in its place."""
    while error is not None and not isinstance(error, BrokenPipeError):
        error = error.__cause__ or error.__context__
    return error is not None


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Patrol every kitchen camera of a province: fetch one fresh keyframe per visit, score it, judge it, serve it."""
    if show:
        OUT.out(__version__)
        raise typer.Exit
