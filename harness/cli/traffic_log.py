"""`chatbench advise --from`: options that take the sizes of a chat from a log of its traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from harness.cli.console import Command
from harness.core.errors import UsageError
from harness.core.payload import SIZE_MAX_BYTES
from harness.core.units import size_text

if TYPE_CHECKING:
    from harness.experiments.costs.trace_sizes import Trace

SIZES = {"rooms": "--rooms", "members_per_room": "--members-per-room", "rate_per_s": "--rate"}


def log_options(command: Command) -> Command:
    """Adds --from and --column to a command."""
    for option in (
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="COLUMN=NAME",
            help="Name of a column in the log, such as time=ts. The columns are time, room, member, bytes, listeners "
            "and event. Can be repeated.",
        ),
        click.option(
            "--from",
            "log",
            type=click.Path(path_type=Path),
            metavar="TRACE.csv",
            help="Log of real traffic to take all sizes from: CSV with a row for each message, and the columns time, "
            "room, member (its sender), and optionally bytes and listeners. Other options take precedence over it.",
        ),
    ):
        command = option(command)
    return command


def read_log(log: Path | None, columns: tuple[str, ...]) -> Trace | None:
    """The sizes in the log, or None if there is none. Raises UsageError."""
    from harness.experiments.costs.trace_file import parse_columns, read_trace
    from harness.experiments.costs.trace_sizes import summed_up

    if log is None:
        if columns:
            raise UsageError("--column names a column of a log; name the log as well, with --from")
        return None
    return summed_up(read_trace(log, parse_columns(columns)))


def sizes(given: dict[str, Any], trace: Trace | None) -> dict[str, Any]:
    """The options of a command, with the sizes of the log where none are given. Raises UsageError if any is missing."""
    if trace is None:
        missing = [option for name, option in SIZES.items() if given[name] is None]
        if missing:
            raise UsageError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; give numbers, "
                "or a log of real traffic with --from"
            )
        return given
    from harness.experiments.costs.trace_sizes import equal_rooms

    equal, own_members = equal_rooms(trace), given["members_per_room"] is not None
    rooms = given["rooms"] or (trace.rooms if own_members else equal.rooms)
    mean_members = max(1.0, trace.members_per_room) if own_members else equal.members_per_room
    of_log: dict[str, Any] = {
        "rooms": rooms,
        "members_per_room": equal.members_per_room,
        "rate_per_s": trace.busiest_rate_per_s,
        "hottest_members_times": max(1.0, trace.hottest_room.members) / mean_members,
        "hottest_rate_times": trace.hottest_room.messages_share * rooms,
    }
    taken = {name: value for name, value in of_log.items() if given.get(name) is None}
    source = click.get_current_context().get_parameter_source("payload_bytes")
    if trace.payload_bytes is not None and source is ParameterSource.DEFAULT:
        taken["payload_bytes"] = max(1, round(trace.payload_bytes))
        if taken["payload_bytes"] > SIZE_MAX_BYTES:
            raise UsageError(
                f"the mean text of the log has {size_text(trace.payload_bytes)}, but a message has at most "
                f"{size_text(SIZE_MAX_BYTES)}; give another size with --payload"
            )
    return {**given, **taken}
