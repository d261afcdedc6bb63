"""Refuses, before anything starts, options that would have no effect together with the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click
from click.core import ParameterSource

from harness.cli.config_file import from_file
from harness.core.errors import UsageError

BACKEND_OPTIONS = {  # parameter names
    "Kafka": ("brokers", "partitions", "kafka_bootstrap", "kafka_properties"),
    "Redis": ("redis_url",),
    "NATS": ("nats_url",),
}


def given(names: Collection[str] | None = None) -> list[str]:
    """The options that the user gave to the current command, with their dashes.

    With `names`, only options of these parameter names are returned. Options count if they were given on the command
    line or in a --config file. Environment variables do not count, because one environment serves many commands.
    """
    context = click.get_current_context()
    return [
        max(each.opts, key=len)
        for each in context.command.params
        if each.name is not None
        and each.name in (context.params if names is None else names)
        and (context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE or each.name in from_file(context))
    ]


def refuse(names: Collection[str] | None, why: str, *, but: Sequence[str] = ()) -> None:
    """Raise UsageError, beginning with `why`, if any of `names` (None: any option) was given, except those in `but`."""
    if refused := [option for option in given(names) if option not in but]:
        raise UsageError(f"{why}; leave {', '.join(refused)} out")


def refuse_unused_backends(architectures: Sequence[str]) -> None:
    """Raise UsageError if the user configured a backend that none of these architectures uses."""
    from harness.core.registry import load_candidate

    requires = [load_candidate(name).requires for name in architectures]
    for backend, used in (
        ("Kafka", any(each.kafka for each in requires)),
        ("Redis", any(each.any_redis for each in requires)),
        ("NATS", any(each.nats for each in requires)),
    ):
        if not used:
            refuse(BACKEND_OPTIONS[backend], f"none of {', '.join(architectures)} uses {backend}")
