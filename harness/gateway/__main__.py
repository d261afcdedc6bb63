"""The gateway process of a run: `python -m harness.gateway`, settings as JSON on standard input."""

from __future__ import annotations

import logging
import sys

import msgspec
import uvloop

from harness.garbage import collect_seldom
from harness.gateway.serve import run_gateway
from harness.gateway.settings import GatewaySettings


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=GatewaySettings)
    collect_seldom()
    try:
        uvloop.run(run_gateway(settings))
    except Exception as problem:
        logging.getLogger("chatbench").debug("the gateway failed", exc_info=True)
        sys.exit(f"{type(problem).__name__}: {problem}")


if __name__ == "__main__":
    main()
