"""Asks a gateway about itself, over plain HTTP at the port where members connect."""

from __future__ import annotations

import http.client
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

Answer = TypeVar("Answer", bound=msgspec.Struct)


def ask(url: str, path: str, kind: type[Answer], token: str | None, timeout_s: float) -> Answer | None:
    """The answer of the gateway at that ws:// URL; None if none came in time, or something else did."""
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=timeout_s)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        connection.request("GET", path, headers=headers)
        return msgspec.json.decode(connection.getresponse().read(), type=kind)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return None
    finally:
        connection.close()
