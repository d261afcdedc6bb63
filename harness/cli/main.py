"""The entry point of the command line: it registers all commands and prints every error as one sentence."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from harness.cli.advise import advise
from harness.cli.capacity import capacity
from harness.cli.chat import chat
from harness.cli.claims import claims
from harness.cli.compare import compare
from harness.cli.completion import completion
from harness.cli.costs import costs
from harness.cli.doctor import doctor
from harness.cli.faults import faults
from harness.cli.forget import forget
from harness.cli.gateway import gateway
from harness.cli.help import Group
from harness.cli.list import list_command
from harness.cli.report import report
from harness.cli.run import run
from harness.cli.selftest import selftest
from harness.cli.simulate import simulate
from harness.cli.ui import ui
from harness.cli.up import up
from harness.cli.worker import worker
from harness.core import library_logs
from harness.core.errors import DISK_ERRORS, FULL_DISK, ChatbenchError, ExitCode, Interrupted
from harness.core.outermost import unexpected
from harness.core.streams import make_standard_streams_safe, not_written


class Commands(Group):
    """The group of all commands. It prints errors as one sentence and exits with the documented exit codes."""

    def __call__(self, *_arguments: Any, **_more: Any) -> NoReturn:
        """Run as a program. Tests call `main` instead, because they replace the streams."""
        make_standard_streams_safe()
        library_logs.keep_off_the_terminal()
        try:
            self.main()
        except KeyboardInterrupt:
            sys.exit(ExitCode.INTERRUPTED)
        except SystemExit as ending:
            if (lost := not_written()) is None or ending.code:
                raise
            _end(lost, ExitCode.SERVICE_FAILED)
        raise AssertionError("main ends with SystemExit")

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run like click's `main`, but print usage errors in chatbench's style."""
        try:
            sys.exit(super().main(args, prog_name or "chatbench", complete_var, standalone_mode=False, **extra))
        except click.exceptions.NoArgsIsHelpError as help_instead:
            help_instead.show()
            sys.exit(ExitCode.USAGE)
        except click.UsageError as problem:
            _end(_usage_sentence(problem), ExitCode.USAGE)
        except click.Abort:
            sys.exit(ExitCode.INTERRUPTED)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # click handles these itself
        except Interrupted as where:
            _end(f"interrupted; the measurements so far are in {where}", ExitCode.INTERRUPTED)
        except KeyboardInterrupt:
            sys.exit(ExitCode.INTERRUPTED)
        except Exception as problem:  # noqa: BLE001 - this is the outermost handler
            if ctx.params["debug"]:
                traceback.print_exc()
            if isinstance(problem, ChatbenchError):
                _end(str(problem), problem.exit_code)
            if isinstance(problem, OSError) and problem.errno in DISK_ERRORS:
                remedy = "free some space" if problem.errno in FULL_DISK else "repair it, or use another disk"
                _end(f"the disk cannot be written to ({problem}); {remedy}", ExitCode.SERVICE_FAILED)
            _end(unexpected(problem), ExitCode.UNEXPECTED)


def _usage_sentence(problem: click.UsageError) -> str:
    """Return click's usage error as one sentence: the option, what was wrong, and which help to read."""
    if isinstance(problem, click.BadParameter) and not isinstance(problem, click.MissingParameter):
        option = problem.param if isinstance(problem.param, click.Option) else None
        text = f"{max(option.opts, key=len)}: {problem.message}" if option else problem.message
    else:
        text = problem.format_message().replace(". (Did", " (did").replace(". Did", "; did")
        text = text[:1].lower() + text[1:]
    command = f"{problem.ctx.command_path} --help" if problem.ctx else "chatbench --help"
    return f"{text.rstrip('.')}; see {command}"


def _end(sentence: str, code: ExitCode) -> NoReturn:
    """Print the sentence on one line, with line breaks in quoted values escaped, and exit."""
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in sentence)
    click.echo(f"chatbench: {shown}", err=True)
    sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="chatbench")
def main(debug: bool) -> None:
    """Compare chat-broadcast architectures on real Kafka and real Redis.

    \b
    Examples:
      chatbench run --arch plan1
      chatbench compare --scenario many_rooms --gateways 4
      chatbench capacity --arch redis
      chatbench faults --arch plan2
      chatbench claims
      chatbench advise --rooms 1k --members-per-room 50 --rate 500
      chatbench simulate --rooms 1 --members-per-room 1m --rate 200
      chatbench selftest
      chatbench ui --arch plan2
      chatbench chat --arch plan1
      chatbench gateway --arch redis --redis-url redis://192.168.1.6 --listen 192.168.1.20:9001
      chatbench report results/20261123T150000Z-compare-big_room
      chatbench list
      chatbench doctor
    """


main.sections = {
    "Measure": (run, compare, capacity, report),
    "Decide": (advise, simulate, claims, costs),
    "Live": (chat, ui, up),
    "Trust": (selftest, faults),
    "Hosts": (gateway, worker, forget),
    "Environment": (list_command, doctor, completion),
}
for commands in main.sections.values():
    for each in commands:
        main.add_command(each)
