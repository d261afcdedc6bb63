"""The gateway process: `python -m harness.gateway`, settings as JSON on standard input."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import sys

import msgspec
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from harness.garbage import collect_seldom
from harness.gateway.door import Door, listening_socket
from harness.gateway.openmetrics import CONTENT_TYPE_LATEST, OpenMetrics
from harness.gateway.pace import adapt
from harness.gateway.session import Hall, Session, cut_off_slow
from harness.gateway.settings import GatewaySettings, GatewayStats
from harness.registry import load_architecture

CLOSE_MAX_S = 1.0
BACKLOG = 4096  # a whole audience connects at once


async def run_gateway(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, or until the architecture reports that its backend is gone."""
    architecture = load_architecture(settings.arch)(settings.services, settings.topology, settings.index)
    hall = Hall(settings, architecture)
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _end, ended, None)

    await architecture.open(hall.rooms.deliver, lambda problem: _end(ended, problem), hall.moved)
    helpers = [asyncio.create_task(cut_off_slow(hall))]
    if settings.tick_s is None:
        helpers.append(asyncio.create_task(adapt(hall.rooms)))
    numbers = itertools.count(1)

    async def serve_member(connection: ServerConnection) -> None:
        await Session(hall, connection, f"g{settings.index}-{next(numbers)}").serve()

    metrics = OpenMetrics(settings.arch, settings.index, lambda: _stats(hall))
    door = Door(
        settings.exposure,
        members_max=settings.limits.members_max,
        members=lambda: len(hall.sessions),
        counts=hall.counts,
        answers={
            "/stats": ("application/json", lambda: msgspec.json.encode(_stats(hall)).decode()),
            "/metrics": (CONTENT_TYPE_LATEST, metrics.text),
        },
    )
    try:
        async with serve(
            serve_member,
            sock=listening_socket(settings.exposure.bind, settings.ports[settings.index], settings.limits),
            process_request=door.answer,
            open_timeout=settings.limits.handshake_max_s,
            close_timeout=CLOSE_MAX_S,  # a flood before the answer to a close would hold the connection for longer
            compression=None,  # nothing a chat message gains is worth a deflate per member
            max_size=settings.limits.message_max_bytes,
            ping_interval=None,  # the kernel asks: see listening_socket
            backlog=BACKLOG,
        ):
            await ended
            hall.rooms.end()
    finally:
        for helper in helpers:
            helper.cancel()
        await architecture.close()


def _end(ended: asyncio.Future[None], problem: BaseException | None) -> None:
    if ended.done():
        return
    if problem is None:
        ended.set_result(None)
    else:
        ended.set_exception(problem)


def _stats(hall: Hall) -> GatewayStats:
    return GatewayStats(
        members=len(hall.sessions),
        rooms=len(hall.rooms),
        frames_out=hall.rooms.frames_out,
        writes=hall.rooms.writes,
        bytes_out=hall.rooms.bytes_out,
        wasted=hall.rooms.wasted,
        counts=dict(hall.counts),
    )


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
