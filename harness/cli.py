"""The command line: errors as one sentence, and all commands; what each does is in harness/commands."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.commands.comparing import capacity, compare, run
from harness.commands.hosting import forget, gateway, worker
from harness.commands.looking import completion, doctor, list_command
from harness.commands.reporting import report
from harness.commands.serving import chat, ui, up
from harness.commands.studying import advise, claims, costs
from harness.commands.trusting import faults, selftest
from harness.errors import ChatbenchError, ExitCode, Interrupted


class Commands(click.Group):
    """Prints our errors as one sentence, and exits with the codes of the contract."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChatbenchError as problem:
            if ctx.params["debug"]:
                raise
            click.echo(f"chatbench: {problem}", err=True)
            sys.exit(problem.exit_code)
        except OSError as problem:  # a full disk, most likely
            if ctx.params["debug"]:
                raise
            click.echo(f"chatbench: {problem}; --debug shows where", err=True)
            sys.exit(ExitCode.SERVICE_FAILED)
        except Interrupted as where:
            click.echo(f"chatbench: interrupted; what was measured until then is in {where}", err=True)
            sys.exit(ExitCode.INTERRUPTED)
        except KeyboardInterrupt:
            sys.exit(ExitCode.INTERRUPTED)


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
      chatbench selftest
      chatbench ui --arch plan2
      chatbench chat --arch plan1
      chatbench gateway --arch redis --redis-url redis://192.168.1.6 --listen 192.168.1.20:9001
      chatbench report results/20261123T150000Z-compare-big_room
      chatbench list
      chatbench doctor
    """


MEASURE = (run, compare, capacity, report)
TEST = (faults, selftest)
STUDY = (claims, costs, advise)
SERVE = (up, ui, chat)
HOST = (gateway, worker, forget)
LOOK = (list_command, doctor, completion)
for command in (*MEASURE, *TEST, *STUDY, *SERVE, *HOST, *LOOK):
    main.add_command(command)

if __name__ == "__main__":
    main()
