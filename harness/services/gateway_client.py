"""Asks a gateway about itself, over plain HTTP at the port where members connect."""

from __future__ import annotations

import http.client
import time
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from harness.gateway.settings import PROGRAM_HEADER
from harness.measure.clock_offset import Exchange
from harness.measure.host_clock import Reading

Answer = TypeVar("Answer", bound=msgspec.Struct)


def ask(url: str, path: str, kind: type[Answer], token: str | None, timeout_s: float) -> Answer | None:
    """The answer of the gateway at that ws:// URL; None if none came in time, or something else did."""
    connection = _connection(url, timeout_s)
    try:
        return _answer(connection, path, kind, token)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return None
    finally:
        connection.close()


def ask_time(url: str, token: str | None, timeout_s: float) -> tuple[Exchange, str] | None:
    """What a gateway's clock said between two moments of this host's, and its identity; None as for `ask`."""
    connection = _connection(url, timeout_s)
    try:
        connection.connect()  # a round trip of its own, which must not count
        asked_ns = time.time_ns()
        reading = _answer(connection, "/clock", Reading, token)
        return Exchange(asked_ns, reading.host_ns, time.time_ns()), reading.clock
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return None
    finally:
        connection.close()


def _connection(url: str, timeout_s: float) -> http.client.HTTPConnection:
    at = urlsplit(url)
    return http.client.HTTPConnection(at.hostname or "", at.port, timeout=timeout_s)


def _answer(connection: http.client.HTTPConnection, path: str, kind: type[Answer], token: str | None) -> Answer:
    shown = {} if token is None else {"Authorization": f"Bearer {token}"}
    connection.request("GET", path, headers={PROGRAM_HEADER: "chatbench", **shown})
    return msgspec.json.decode(connection.getresponse().read(), type=kind)
