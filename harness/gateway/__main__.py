"""The gateway process of a run: `python -m harness.gateway` reads its settings as JSON from standard input."""

from __future__ import annotations

import sys

import msgspec
import uvloop

from architectures.interface import GoneForGood
from harness.core.gc_tuning import collect_seldom
from harness.core.outermost import run_child
from harness.gateway.bounded_log import log_to_stderr
from harness.gateway.server import run_gateway
from harness.gateway.settings import GatewaySettings


def main() -> None:
    log_to_stderr()
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=GatewaySettings)
    collect_seldom()
    try:
        uvloop.run(run_gateway(settings))
    except GoneForGood as problem:  # its text is written for the user
        sys.exit(str(problem))


if __name__ == "__main__":
    run_child(main)
