"""Prices of resources, which the user gives in a TOML file, and what an architecture costs a month at these prices.

Assumptions, which docs/cookbook.md states: a month has 730 hours. Gateways and backends are spread equally over zones
and do not know of them, so of the traffic between two places (zones - 1) / zones crosses: two thirds with three zones.
Replicas of a record are in as many zones as possible, so each record crosses min(replicas, zones) - 1 times from broker
to broker: twice with three replicas. Kafka alone has replicas and a disk.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.core.errors import UsageError
from harness.experiments.costs.cheapest import probabilities
from harness.experiments.costs.components import CPU_COMPONENTS, MEMORY_PARTS
from harness.experiments.costs.fit import NOTHING, Interval, Prediction
from harness.experiments.costs.model import Model
from harness.experiments.costs.traffic import backend_bytes_per_s, records_bytes_per_s, scaled
from harness.experiments.costs.workload import Workload

EXAMPLE = Path(__file__).with_name("prices_example.toml")
MONTH_HOURS = 730
GB, GIB = 1e9, 2.0**30
DAY_S, HOUR_S = 86_400, 3_600
PRICE_MAX = 1e9
CPU, MEMORY, DISK = "CPU", "memory", "disk"
GATEWAYS_TO_BACKENDS, BROKER_TO_BROKER = "gateways to backends", "broker to broker"


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in one currency, and what they are multiplied with."""

    vcpu_hour: float
    memory_gib_hour: float
    disk_gb_month: float
    cross_zone_gb: float
    currency: str = ""
    retention_days: float = 7.0  # the default of Kafka's log.retention.hours
    cpu_utilisation: float = 0.5  # the gateways are sized so that their event loops are busy half of the time
    zones: int = 3

    @property
    def crossing_share(self) -> float:
        """The share of the traffic between gateways and backends that crosses zones."""
        return 1 - 1 / self.zones

    def crossings(self, replicas: int) -> int:
        """How many times a record crosses zones on its way from its first broker to the others."""
        return min(replicas, self.zones) - 1


MEANING = {
    "vcpu_hour": "the price of one vCPU for an hour",
    "memory_gib_hour": "the price of one GiB of memory for an hour",
    "disk_gb_month": "the price of one GB on disk for a month",
    "cross_zone_gb": "the price of one GB from one zone to another",
    "retention_days": "how many days Kafka keeps records",
    "cpu_utilisation": "the share of the rented CPU that is used",
    "zones": "the number of zones",
    "currency": "the currency of all prices",
}
RANGES = {"retention_days": (0.0, 36_500.0), "cpu_utilisation": (0.01, 1.0), "zones": (1, 100)}


class MonthlyCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one architecture costs a month, in the currency of the prices."""

    arch: str
    total: Interval
    lines: dict[str, Interval]  # CPU, memory, disk, gateways to backends, broker to broker; they add up to the total
    p_cheapest: float | None  # the probability that it is the cheapest; None: too far from what was measured to tell


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What each architecture that meets the needs costs a month, the cheapest first."""

    prices: Prices
    replicas: int  # of each record in Kafka
    month_hours: int
    monthly: list[MonthlyCost]


def read_prices(file: Path) -> Prices:
    """The prices in a TOML file. Raises UsageError, which names the first key that is wrong."""
    shown = f"--prices {str(file)!r}"
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise UsageError(f"{shown} cannot be read ({problem.strerror}); name a TOML file") from problem
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{shown} is not valid TOML: {problem}") from problem
    for key in given:
        if key not in MEANING:
            near = difflib.get_close_matches(key, MEANING, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{shown}: there is no price {key!r}; {hint}known: {', '.join(MEANING)}")
    for key in Prices.__struct_fields__[: -len(Prices.__struct_defaults__)]:
        if given.get(key, "") == "":
            missing = "not filled in" if key in given else "missing"
            raise UsageError(f"{shown}: {key} is {missing}; give a number, {MEANING[key]}")
    return Prices(**{key: _checked(shown, key, value) for key, value in given.items()})


def _checked(shown: str, key: str, value: Any) -> Any:
    """The value, if it is one that this key may have. Raises UsageError."""
    given = f"{shown}: {key} is {json.dumps(value, default=str)}, but it must be"
    if key == "currency":
        if isinstance(value, str) and value.isprintable() and len(value) <= 10:
            return value
        raise UsageError(f'{given} a text of at most 10 characters, such as "EUR"')
    least, most = RANGES.get(key, (0.0, PRICE_MAX))
    kind, name = (int, "a whole number") if key == "zones" else ((int, float), "a number")
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
        raise UsageError(f"{given} {name} between {least:g} and {most:g}, {MEANING[key]}")
    return value if key == "zones" else float(value)


def money(
    model: Model, workloads: Mapping[str, Workload], prices: Prices, replicas: int = 1, *, told: bool = True
) -> Money:
    """The cost a month of each of these architectures under its workload, the cheapest first.

    `told`: whether these workloads are near enough to what was measured to say which is the cheapest.
    """
    lines = {arch: _lines(model, arch, workload, prices, replicas) for arch, workload in workloads.items()}
    totals = {arch: sum(each.values(), NOTHING) for arch, each in lines.items()}
    chances = probabilities(totals) if told else {}
    monthly = [
        MonthlyCost(
            arch=arch,
            total=totals[arch].interval,
            lines={name: line.interval for name, line in lines[arch].items()},
            p_cheapest=chances.get(arch),
        )
        for arch in sorted(totals, key=lambda arch: totals[arch].value)
    ]
    return Money(prices=prices, replicas=replicas, month_hours=MONTH_HOURS, monthly=monthly)


def _lines(model: Model, arch: str, workload: Workload, prices: Prices, replicas: int) -> dict[str, Prediction]:
    """The lines of the bill for a month."""
    cores = scaled(model.predict_all(CPU_COMPONENTS, arch, workload), 1e-6)
    memory = model.predict_all(MEMORY_PARTS, arch, workload)
    records = records_bytes_per_s(arch, workload, model)
    backends = backend_bytes_per_s(arch, workload, model)
    month_s = MONTH_HOURS * HOUR_S
    crossing_gb = prices.cross_zone_gb * month_s / GB
    return {
        CPU: scaled(cores, MONTH_HOURS * prices.vcpu_hour / prices.cpu_utilisation),
        MEMORY: scaled(memory, MONTH_HOURS * prices.memory_gib_hour / GIB),
        DISK: scaled(records, replicas * prices.retention_days * DAY_S * prices.disk_gb_month / GB),
        GATEWAYS_TO_BACKENDS: scaled(backends, prices.crossing_share * crossing_gb),
        BROKER_TO_BROKER: scaled(records, prices.crossings(replicas) * crossing_gb),
    }
