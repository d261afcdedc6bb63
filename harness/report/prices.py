"""What each architecture costs a month, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from harness.core.units import figure_text
from harness.experiments.costs.fit import Interval
from harness.experiments.costs.prices import BROKER_TO_BROKER, CPU, DISK, GATEWAYS_TO_BACKENDS, MEMORY, Money
from harness.report.advice import share_text
from harness.report.fitting import Column, Fitted

HEADS = {
    CPU: "CPU",
    MEMORY: "memory",
    DISK: "disk",
    GATEWAYS_TO_BACKENDS: "gateways-backends",
    BROKER_TO_BROKER: "broker-broker",
}


def prices_table(money: Money, *, at_least: bool = False, band_only: bool = False) -> Fitted:
    """A row for each architecture, the cheapest first.

    `at_least`: the CPU is a lower bound, so the cost is one too. `band_only`: the sizes are so far from those measured
    that the cost is a band.
    """
    costs = money.monthly
    least = "at least " if at_least else ""
    currency = f" {money.prices.currency}" if money.prices.currency else ""

    def amount(interval: Interval) -> str:
        if at_least:
            return f"{least}{figure_text(interval.value)}"
        band = f"{figure_text(interval.low)}-{figure_text(interval.high)}"
        return band if band_only else f"{figure_text(interval.value)} ({band})"

    return Fitted(
        [
            Column("", [cost.arch for cost in costs]),
            Column(
                f"a month{currency}{'' if at_least else ' (90 %)'}", [amount(cost.total) for cost in costs], right=True
            ),
            Column(
                "cheapest",
                ["?" if cost.p_cheapest is None else share_text(cost.p_cheapest) for cost in costs],
                right=True,
            ),
            *(
                Column(head, [figure_text(cost.lines[line].value) for cost in costs], right=True)
                for line, head in HEADS.items()
            ),
        ],
        title="Cost a month, and its lines",
    )


def prices_lines(money: Money) -> Iterator[Text]:
    """What the cost contains, and what it assumes."""
    prices, zones = money.prices, money.prices.zones
    yield Text(
        f"Cheapest: the probability that it costs least. A month has {money.month_hours} h; "
        f"{prices.cpu_utilisation:.0%} of the rented CPU is used; Kafka keeps {money.replicas} "
        f"cop{'y' if money.replicas == 1 else 'ies'} of each record for {prices.retention_days:g} days."
    )
    if any(cost.p_cheapest is None for cost in money.monthly):
        yield Text("?: these sizes are too far beyond what was measured to tell which is the cheapest.")
    between_brokers = {0: "no record crosses them", 1: "each record crosses once"}
    crossings = prices.crossings(money.replicas)
    yield Text(
        f"Assumed: {zones} zone{'' if zones == 1 else 's'} with equal shares of everything, so "
        f"{prices.crossing_share:.0%} of the traffic between gateways and backends crosses zones, and "
        f"{between_brokers.get(crossings, f'each record crosses {crossings} times')} between brokers. "
        "Traffic to members is not included."
    )
