"""How many files a process may hold open: the audience and gateways hold a socket for each member."""

from __future__ import annotations

import resource

from harness.core.errors import UsageError

# Open files per process, besides one socket per member: logs, pipes, connections to brokers, Python's own files, and
# the second sockets of members that are being redirected.
FILES_BESIDE_SOCKETS = 400


def raise_open_file_limit() -> None:
    """Raise it to the hard limit. Child processes inherit it, and the audience and gateways hold a socket a member."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files_needed(members: int) -> int:
    """Return how many files the audience process, which has one socket per member, holds open at most."""
    return members + FILES_BESIDE_SOCKETS


def check_open_files(members: int) -> None:
    """Raise UsageError if the limit here is too low for so many members."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = open_files_needed(members)
    if hard not in (resource.RLIM_INFINITY, -1) and needed > hard:
        raise UsageError(
            f"--members {members} needs {needed} open files in one process, but the limit here is {hard}; "
            f"use --members {max(2, hard - FILES_BESIDE_SOCKETS)} or fewer, or raise the hard limit (ulimit -Hn)"
        )
