"""Who may connect to a gateway, asked before the WebSocket is opened."""

from __future__ import annotations

import hmac
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from harness.core.callers import WRONG_NAME, Callers
from harness.gateway.settings import Exposure, Limits

KEEPALIVE_PROBES = 3
HEALTH = "/health"
Query = Mapping[str, list[str]]


class Door:
    """Answers those who may not come in, and those who only ask for counters; the others get no answer here."""

    def __init__(
        self,
        exposure: Exposure,
        members_max: int,
        members: Callable[[], int],
        counts: Counter[str],
        answers: Mapping[str, tuple[str, Callable[[Query], str]]],
        *,
        names: Iterable[str] = (),
    ) -> None:
        """`answers`: what those get who ask for a path: its content type, and its text for what the query says.

        `names`: by which others are told to find this gateway.
        """
        self._exposure = exposure
        self._callers = Callers.of((exposure.bind, *names), exposure.origins)
        self._members_max = members_max
        self._members = members
        self._counts = counts
        self._answers = answers

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """None: the WebSocket may be opened."""
        if request.path == HEALTH:  # those who only watch whether it lives have no token, and learn nothing else
            return connection.respond(HTTPStatus.OK, "ok\n")
        if not self._shows_token(request):
            return self._refuse(connection, HTTPStatus.UNAUTHORIZED, "token", "show the token of this gateway")
        if (foreign := self._what_is_foreign(request)) is not None:
            return self._refuse(connection, HTTPStatus.FORBIDDEN, *foreign)
        path, _, query = request.path.partition("?")
        if (asked := self._answers.get(path)) is not None:
            content_type, text = asked
            return _with_type(connection.respond(HTTPStatus.OK, text(parse_qs(query))), content_type)
        if self._members() >= self._members_max:
            return self._refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE, "full", "come again later")
        return None

    def _what_is_foreign(self, request: Request) -> tuple[str, str] | None:
        """The cause, and what to tell. Without this, any page could talk to a gateway on its reader's machine."""
        hosts = request.headers.get_all("Host")
        # A page whose name was made to lead here knows no token.
        if self._exposure.token is None and not self._callers.hosts_allowed(hosts):
            return "host", WRONG_NAME
        if not self._callers.origins_allowed(request.headers.get_all("Origin"), hosts):
            return "origin", "pages of this origin may not connect"
        return None

    def _refuse(self, connection: ServerConnection, status: HTTPStatus, cause: str, advice: str) -> Response:
        self._counts[f"refused_{cause}"] += 1
        return connection.respond(status, f"{advice}\n")

    def _shows_token(self, request: Request) -> bool:
        """In a header, or, since a browser cannot set one here, as ?token= in the address."""
        token = self._exposure.token
        if token is None:
            return True
        shown = [header.removeprefix("Bearer ") for header in request.headers.get_all("Authorization")]
        shown += parse_qs(request.path.partition("?")[2]).get("token", [])
        # In constant time: how long the answer takes must not tell how much of a guess was right.
        return any([hmac.compare_digest(each.encode(), token.encode()) for each in shown])  # noqa: C419 - each of them


def _with_type(response: Response, content_type: str) -> Response:
    del response.headers["Content-Type"]  # or there would be two
    response.headers["Content-Type"] = content_type
    return response


def listening_socket(bind: str, port: int, limits: Limits) -> socket.socket:
    """Bound, and set so that the kernel finds out about peers that vanished: connections inherit it, at no cost.

    A keepalive of WebSocket pings would find them too, but as load of its own beside the load that is measured.
    """
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            interval_s = max(1, limits.silent_max_s // (2 * KEEPALIVE_PROBES))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, limits.silent_max_s // 2))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * limits.silent_max_s)
        listener.bind((bind, port))
    except BaseException:
        listener.close()
        raise
    return listener
