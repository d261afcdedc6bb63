"""Timers of gevent that end to some ten microseconds. Import it before anything that uses gevent, as Locust does.

Members send at moments that were drawn in advance, and what they are late by is part of every latency. By default
gevent's event loop (libev) waits with epoll_wait, whose timeout is in whole milliseconds: a member then wakes up 0.7 ms
late in the median. With select, whose timeout is in microseconds, it is 0.15 ms. With thousands of descriptors select
costs more, but a Locust process has a dozen, because the members' sockets are in the audience process.

Source: libev's ev_epoll.c (rounds the timeout up) and ev_select.c (does not, and has no limit of 1,024 descriptors).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import gevent

BACKEND = "select"
SLACK_NS = 1  # by how much the kernel may delay the end of a wait to save power; 50,000 by default

if "GEVENT_BACKEND" not in os.environ:
    gevent.config.libev_backend = BACKEND
with contextlib.suppress(OSError):  # other systems than Linux have no such file, and need none
    Path("/proc/self/timerslack_ns").write_text(str(SLACK_NS), encoding="ascii")
