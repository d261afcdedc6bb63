"""The layout of `--help`: commands and options are grouped under headings, and no text is shortened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

OWN_OPTIONS = "Options of this command"
# The headings for options that several commands share. Options of one command alone come before them.
SECTIONS: Mapping[str, Sequence[str]] = {
    "Architecture": ("arch", "gateways", "brokers", "partitions", "tick", "dedup", "arch-set"),
    "Load": (
        *("scenario", "set", "members", "rooms", "rate", "payload", "payload-sizes"),
        *("duration", "warmup", "processes", "seed", "fault"),
    ),
    "External Kafka, Redis and NATS": ("kafka-bootstrap", "kafka-properties", "redis-url", "nats-url"),
    "Parts on other hosts": ("gateways-at", "expect-workers", "master-bind", "metrics", "origin"),
    "Input and output": ("config", "resume", "out", "otel", "json", "open", "help"),
}
UNGROUPED_MAX = 9  # up to so many options are shown without headings


class Command(click.Command):
    """A command whose options are grouped under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {_name(each): row for each in self.get_params(ctx) if (row := each.get_help_record(ctx))}
        if len(records) <= UNGROUPED_MAX:
            _write(formatter, "Options", list(records.values()))
            return
        shared = {name for names in SECTIONS.values() for name in names}
        _write(formatter, OWN_OPTIONS, [row for name, row in records.items() if name not in shared])
        for heading, names in SECTIONS.items():
            _write(formatter, heading, [records[name] for name in names if name in records])


class Group(click.Group):
    """A group whose commands are grouped under headings."""

    sections: Mapping[str, Sequence[click.Command]] = {}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, commands in self.sections.items():
            _write(formatter, heading, [(each.name or "", each.get_short_help_str(limit=1000)) for each in commands])


def command(**given: Any) -> Callable[[Callable[..., Any]], Command]:
    """Decorate a function as a click command with this layout."""
    return click.command(cls=Command, **given)


def _name(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len).lstrip("-")


def _write(formatter: click.HelpFormatter, heading: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(heading):
            formatter.write_dl(rows)
