"""A receiver for comparison: websocket-client under gevent, as in a Locust user. `python -m ... URL MEMBERS`."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import sys
import time

import gevent
from websocket import WebSocket, create_connection

JOIN = '{"t":"join","room":"stage"}'


def hear(connection: WebSocket, heard_ns: list[int]) -> None:
    while connection.recv():
        heard_ns.append(time.time_ns())


def main(url: str, members: int) -> None:
    heard_ns: list[int] = []
    for _ in range(members):
        connection = create_connection(url)
        connection.send(JOIN)
        connection.recv()
        gevent.spawn(hear, connection, heard_ns)
    print("connected", flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.readline)
    print(len(heard_ns), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
