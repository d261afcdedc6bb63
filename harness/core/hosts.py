"""Which parts of a run others have started, perhaps on other hosts, and what its figures are therefore good for."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.settings import RunSettings

FROM_TO = "from the intended moment of sending (open loop) to the arrival at the member"
ONE_CLOCK = f"{FROM_TO}, one clock"
MANY_CLOCKS = (
    f"{FROM_TO}, by the clocks of the Locust workers' hosts; the summary's latency_error_ms tells how wrong that can be"
)
ONE_HOST = "all processes share one host: compare runs with each other, do not read the figures as absolute"
RANKS = "this ranks the architectures under this load"


def started_by_others(settings: RunSettings) -> list[str]:
    """Name the parts that the run did not start, with their addresses; empty if it started everything, on one host."""
    backends = (("Kafka", settings.kafka_bootstrap), ("Redis", settings.redis_url), ("NATS", settings.nats_url))
    return [
        *([f"the gateways at {', '.join(settings.gateways_at)} and what they use"] if settings.gateways_at else []),
        *(f"{name} at {where}" for name, where in backends if where is not None),
        *([f"{settings.expect_workers} Locust workers"] if settings.expect_workers else []),
    ]


def method_of(settings: RunSettings) -> dict[str, str]:
    """Return what a record says about clocks and hosts."""
    others = "; ".join(started_by_others(settings))
    return {
        "latency": MANY_CLOCKS if settings.expect_workers else ONE_CLOCK,
        "hosts": f"started by others, perhaps on other hosts: {others}" if others else ONE_HOST,
    }


def how_far_it_goes(runs: Sequence[RunSettings], machines: int) -> str:
    """Return, for people, what the figures of these runs are good for, given the number of machines they ran on."""
    others = "; ".join(dict.fromkeys(part for settings in runs for part in started_by_others(settings)))
    if others:
        return (
            f"Started by others, perhaps on other machines: {others}. The figures include the network: "
            f"{RANKS}, in this set-up."
        )
    if machines > 1:
        return f"These runs were made on {machines} machines, so a difference may be due to the machines."
    return f"All processes shared one machine: {RANKS}; it does not say how fast they can be."
