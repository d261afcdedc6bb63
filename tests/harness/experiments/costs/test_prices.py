"""Files of prices, and what an architecture costs a month at these prices."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.core.errors import UsageError
from harness.experiments.costs.components import CPU_COMPONENTS
from harness.experiments.costs.model import fit
from harness.experiments.costs.prices import (
    BROKER_TO_BROKER,
    CPU,
    DISK,
    EXAMPLE,
    GATEWAYS_TO_BACKENDS,
    MEMORY,
    Money,
    Prices,
    money,
    read_prices,
)
from harness.experiments.costs.sizing import ChatSize
from tests.harness.experiments.costs.made_up import EXACT_POINTS, REQUEST_S

MODEL = fit(EXACT_POINTS)
CHAT = ChatSize(rooms=100, members_per_room=20, rate_per_s=200)
FREE = Prices(vcpu_hour=0, memory_gib_hour=0, disk_gb_month=0, cross_zone_gb=0)
FILLED_IN = "vcpu_hour = 0.02\nmemory_gib_hour = 0.003\ndisk_gb_month = 0.1\ncross_zone_gb = 0.01\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "prices.toml"
    file.write_text(text, encoding="utf-8")
    return file


def costs(prices: Prices, arch: str = "kafka-broadcast", replicas: int = 1) -> dict[str, float]:
    """The lines of one architecture on four gateways."""
    (monthly,) = money(MODEL, {arch: CHAT.on(4)}, prices, replicas).monthly
    return {name: line.value for name, line in monthly.lines.items()}


def only(price: str, **others: float) -> Prices:
    return msgspec.structs.replace(FREE, **{price: 1.0}, **others)


def test_a_filled_in_file_is_read(tmp_path: Path) -> None:
    prices = read_prices(written(tmp_path, FILLED_IN + 'currency = "EUR"\nretention_days = 30\n'))
    assert (prices.vcpu_hour, prices.cross_zone_gb, prices.currency, prices.retention_days) == (0.02, 0.01, "EUR", 30)
    assert (prices.zones, prices.cpu_utilisation) == (3, 0.5)


def test_the_example_names_no_price_and_says_which_to_fill_in(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="vcpu_hour is not filled in; give a number, the price of one vCPU"):
        read_prices(EXAMPLE)
    filled_in = text.replace('= ""', "= 0.5")
    assert read_prices(written(tmp_path, filled_in)).disk_gb_month == 0.5
    with_defaults = filled_in.replace("# currency", "currency").replace("# retention", "retention")
    shown = read_prices(written(tmp_path, with_defaults.replace("# cpu", "cpu").replace("# zones", "zones")))
    assert shown == msgspec.structs.replace(read_prices(written(tmp_path, filled_in)), currency="EUR"), "the defaults"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vcpu_huor = 1\n", "there is no price 'vcpu_huor'; did you mean 'vcpu_hour'\\?"),
        ("x = 1\n", "there is no price 'x'; known: vcpu_hour, "),
        (
            FILLED_IN.replace("disk_gb_month = 0.1", ""),
            "disk_gb_month is missing; give a number, the price of one GB on",
        ),
        (FILLED_IN.replace("0.1", '""'), "disk_gb_month is not filled in"),
        (FILLED_IN.replace("0.1", '"cheap"'), 'disk_gb_month is "cheap", but it must be a number between 0'),
        (FILLED_IN.replace("0.1", "-1"), "disk_gb_month is -1, but it must be"),
        (FILLED_IN.replace("0.1", "nan"), "disk_gb_month is NaN, but it must be"),
        (FILLED_IN.replace("0.1", "true"), "disk_gb_month is true, but it must be"),
        (FILLED_IN.replace("0.1", "[1]"), "disk_gb_month is \\[1\\], but it must be"),
        (FILLED_IN + "zones = 2.5\n", "zones is 2.5, but it must be a whole number between 1 and 100"),
        (FILLED_IN + "zones = 0\n", "zones is 0, but it must be"),
        (FILLED_IN + "cpu_utilisation = 0\n", "cpu_utilisation is 0, but it must be a number between 0.01 and 1"),
        (FILLED_IN + "currency = 1\n", "currency is 1, but it must be a text"),
        ("vcpu_hour = \n", "is not valid TOML"),
    ],
)
def test_a_key_that_is_wrong_is_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_prices(written(tmp_path, text))
    assert "\n" not in str(caught.value).rstrip()


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read .*; name a TOML file"):
        read_prices(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'currency = "\xff"')
    with pytest.raises(UsageError, match="is not valid TOML"):
        read_prices(tmp_path / "latin.toml")


def test_each_price_is_one_line() -> None:
    lines_of = {
        "vcpu_hour": {CPU},
        "memory_gib_hour": {MEMORY},
        "disk_gb_month": {DISK},
        "cross_zone_gb": {GATEWAYS_TO_BACKENDS, BROKER_TO_BROKER},
    }
    for price, lines in lines_of.items():
        assert {name for name, value in costs(only(price), replicas=3).items() if value > 0} == lines


def test_a_month_of_cpu_is_the_cores_divided_by_their_utilisation() -> None:
    full, half = (costs(only("vcpu_hour", cpu_utilisation=share))[CPU] for share in (1.0, 0.5))
    cores = MODEL.predict_all(CPU_COMPONENTS, "kafka-broadcast", CHAT.on(4)).value / 1e6
    assert full == pytest.approx(730 * cores)
    assert half == pytest.approx(2 * full)


def test_disk_counts_retention_and_replicas() -> None:
    day = costs(only("disk_gb_month", retention_days=1.0))[DISK]
    record_bytes_per_s = 200 * (100 + 120) + 50 * 200 / (1 + REQUEST_S * 50)
    assert day == pytest.approx(record_bytes_per_s * 86_400 / 1e9, rel=0.01)
    assert costs(only("disk_gb_month", retention_days=7.0), replicas=3)[DISK] == pytest.approx(21 * day)


def test_two_thirds_of_the_traffic_cross_three_zones_and_a_record_of_three_replicas_crosses_twice() -> None:
    one, two, three = (costs(only("cross_zone_gb", zones=zones), replicas=3) for zones in (1, 2, 3))
    assert one[GATEWAYS_TO_BACKENDS] == one[BROKER_TO_BROKER] == 0
    assert three[GATEWAYS_TO_BACKENDS] == pytest.approx(4 / 3 * two[GATEWAYS_TO_BACKENDS])
    assert three[BROKER_TO_BROKER] == pytest.approx(2 * two[BROKER_TO_BROKER])
    # kafka-broadcast reads each record on every one of four gateways, so five times its bytes travel, two thirds cross
    assert three[GATEWAYS_TO_BACKENDS] / three[BROKER_TO_BROKER] == pytest.approx(5 * 2 / 3 / 2)
    assert costs(only("cross_zone_gb"), replicas=1)[BROKER_TO_BROKER] == 0


def test_without_kafka_there_is_no_disk_and_no_traffic_between_brokers() -> None:
    redis = costs(Prices(vcpu_hour=1, memory_gib_hour=1, disk_gb_month=1, cross_zone_gb=1), "redis", replicas=3)
    assert redis[DISK] == redis[BROKER_TO_BROKER] == 0
    assert redis[GATEWAYS_TO_BACKENDS] > 0


def test_the_lines_add_up_and_the_cheapest_is_first() -> None:
    prices = Prices(vcpu_hour=0.02, memory_gib_hour=0.003, disk_gb_month=0.1, cross_zone_gb=0.01)
    bill = money(MODEL, {arch: CHAT.on(4) for arch in MODEL.architectures}, prices)
    totals = [each.total.value for each in bill.monthly]
    assert totals == sorted(totals)
    for each in bill.monthly:
        assert sum(line.value for line in each.lines.values()) == pytest.approx(each.total.value)
        assert each.total.low <= each.total.value <= each.total.high
    assert sum(each.p_cheapest or 0 for each in bill.monthly) == pytest.approx(1)
    assert msgspec.json.decode(msgspec.json.encode(bill), type=Money) == bill


def test_prices_decide_which_is_the_cheapest() -> None:
    workloads = {arch: CHAT.on(4) for arch in MODEL.architectures}
    by_disk = money(MODEL, workloads, only("disk_gb_month"))
    assert by_disk.monthly[0].arch == "redis"
    assert by_disk.monthly[-1].arch == "plan1", "it stores each message once for each partition"


def test_so_far_from_what_was_measured_that_nothing_can_be_told_no_probability_is() -> None:
    bill = money(MODEL, {arch: CHAT.on(4) for arch in MODEL.architectures}, only("vcpu_hour"), told=False)
    assert {each.p_cheapest for each in bill.monthly} == {None}


def test_where_all_is_free_each_is_as_likely_the_cheapest() -> None:
    bill = money(MODEL, {"redis": CHAT.on(4), "plan2": CHAT.on(4)}, FREE)
    assert [each.p_cheapest for each in bill.monthly] == [0.5, 0.5]
