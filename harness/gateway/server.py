"""Runs one gateway: opens the architecture, serves members, and closes everything."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve

from architectures.interface import GoneForGood
from harness.core.registry import load_architecture
from harness.gateway.adaptive_tick import adapt
from harness.gateway.admission import Admission, listening_socket
from harness.gateway.http_answers import http_answers
from harness.gateway.member_connection import MemberConnection
from harness.gateway.membership import Membership
from harness.gateway.session import Hub, Session, cut_off_slow
from harness.gateway.settings import GatewaySettings

CLOSE_MAX_S = 1.0
UNHANDLED_MAX = 4  # received frames of a member that wait for its session; each may have the maximum size
BACKLOG = 4096  # a whole audience may connect at once


async def run_gateway(
    settings: GatewaySettings, membership: Membership | None = None, serving: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGTERM or SIGINT, or until the architecture reports that its backend is gone.

    `membership`, in which this gateway already has a place, gives it the addresses of the others. `serving` is called
    when members can connect.
    """
    architecture = load_architecture(settings.arch)(settings.services, settings.topology, settings.index)
    hub = Hub(settings, architecture)
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _end, ended, None)

    await architecture.open(hub.rooms.deliver, lambda problem: _end(ended, problem), hub.moved)
    helpers = [asyncio.create_task(cut_off_slow(hub))]
    if settings.tick_s is None:
        helpers.append(asyncio.create_task(adapt(hub.rooms)))
    if membership is not None:
        hub.peers = membership.addresses
    numbers = itertools.count(1)

    async def serve_member(connection: ServerConnection) -> None:
        assert isinstance(connection, MemberConnection)
        await Session(hub, connection, f"g{settings.index}-{next(numbers)}").serve()

    admission = Admission(
        settings.exposure,
        members_max=settings.limits.members_max,
        members=lambda: len(hub.sessions),
        counts=hub.counts,
        answers=http_answers(settings, architecture, membership, hub),
        names=[urlsplit(peer).hostname or "" for peer in settings.peers],
    )
    gone = False
    try:
        async with serve(
            serve_member,
            sock=listening_socket(settings.exposure.bind, settings.port, settings.limits),
            process_request=admission.answer,
            open_timeout=settings.limits.handshake_max_s,
            close_timeout=CLOSE_MAX_S,  # bounds how long a flooding member can delay the close
            compression=None,  # compressing each message for each member costs more than it saves
            max_size=settings.limits.message_max_bytes,
            max_queue=UNHANDLED_MAX,
            create_connection=partial(MemberConnection, limits=settings.limits),  # type: ignore[arg-type]  # "factory"
            ping_interval=None,  # TCP keepalive finds vanished peers: see listening_socket
            backlog=BACKLOG,
        ):
            serving()
            if membership is not None:
                helpers.append(asyncio.create_task(membership.serve()))
            for helper in helpers:
                helper.add_done_callback(lambda done: None if done.cancelled() else _end(ended, done.exception()))
            await ended
            hub.rooms.end()
    except GoneForGood:
        gone = True  # accepted messages cannot be sent any more, so do not wait for them
        raise
    finally:
        for helper in helpers:
            helper.cancel()
        if not gone:
            await architecture.close()


def _end(ended: asyncio.Future[None], problem: BaseException | None) -> None:
    if ended.done():
        return
    if problem is None:
        ended.set_result(None)
    else:
        ended.set_exception(problem)
