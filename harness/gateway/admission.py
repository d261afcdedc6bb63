"""Decides who may connect to a gateway, before the WebSocket is opened."""

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
from harness.gateway.settings import PROGRAM_HEADER, Exposure, Limits

KEEPALIVE_PROBES = 3
HEALTH = "/health"
TRACE = "/trace"  # the only answer that changes something here
Query = Mapping[str, list[str]]


class Admission:
    """Answers HTTP requests for pages and counters, and refuses connections that are not allowed."""

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
        """`answers` maps a path to its content type and to the function that makes its text from the query.

        `names` holds the host names by which other programs reach this gateway.
        """
        self._exposure = exposure
        self._callers = Callers.of((exposure.bind, *names), exposure.origins)
        self._members_max = members_max
        self._members = members
        self._counts = counts
        self._answers = answers

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the HTTP response; None means that the WebSocket may be opened."""
        if request.path == HEALTH:  # health checks have no token
            return connection.respond(HTTPStatus.OK, "ok\n")
        if not self._shows_token(request):
            return self._refuse(connection, HTTPStatus.UNAUTHORIZED, "token", "the token of this gateway is required")
        if (refusal := self._refusal_by_headers(request)) is not None:
            return self._refuse(connection, HTTPStatus.FORBIDDEN, *refusal)
        path, _, query = request.path.partition("?")
        if (found := self._answers.get(path)) is not None:
            content_type, text = found
            return _with_type(connection.respond(HTTPStatus.OK, text(parse_qs(query))), content_type)
        if self._members() >= self._members_max:
            return self._refuse(
                connection, HTTPStatus.SERVICE_UNAVAILABLE, "full", "this gateway is full; try again later"
            )
        return None

    def _refusal_by_headers(self, request: Request) -> tuple[str, str] | None:
        """Return the cause and the message of a refusal of what may come from a web page; None if it is allowed.

        Without this check, any web page could talk to a gateway on its reader's machine.
        """
        hosts = request.headers.get_all("Host")
        # With a token the Host does not matter: a page that has rebound its name does not know the token.
        if self._exposure.token is None and not self._callers.hosts_allowed(hosts):
            return "host", WRONG_NAME
        if not self._callers.origins_allowed(request.headers.get_all("Origin"), hosts):
            return "origin", "pages of this origin are not allowed to connect"
        # A page may ask for this as if it were an image, which has no Origin.
        if request.path.partition("?")[0] == TRACE and PROGRAM_HEADER not in request.headers:
            return "page", f"{TRACE} changes what this gateway notes; send the header {PROGRAM_HEADER} along"
        return None

    def _refuse(self, connection: ServerConnection, status: HTTPStatus, cause: str, advice: str) -> Response:
        self._counts[f"refused_{cause}"] += 1
        return connection.respond(status, f"{advice}\n")

    def _shows_token(self, request: Request) -> bool:
        """Whether the token is in a header or in ?token=, since a browser cannot set headers for a WebSocket."""
        token = self._exposure.token
        if token is None:
            return True
        shown = [header.removeprefix("Bearer ") for header in request.headers.get_all("Authorization")]
        shown += parse_qs(request.path.partition("?")[2]).get("token", [])
        # Compared in constant time, so that the response time does not reveal how much of a guess was right.
        return any([hmac.compare_digest(candidate.encode(), token.encode()) for candidate in shown])  # noqa: C419 - compares all of them


def _with_type(response: Response, content_type: str) -> Response:
    del response.headers["Content-Type"]  # assignment would add a second one
    response.headers["Content-Type"] = content_type
    return response


def listening_socket(bind: str, port: int, limits: Limits) -> socket.socket:
    """Return a bound socket whose connections inherit TCP keepalive, so that the kernel detects vanished peers.

    WebSocket pings would detect them too, but would add to the load that is measured.
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
