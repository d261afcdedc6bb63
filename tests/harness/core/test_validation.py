import math
import resource

import msgspec
import pytest

from architectures.direct import Direct
from architectures.plan1 import Plan1
from harness.core.errors import UsageError
from harness.core.settings import RunSettings
from harness.core.validation import validate

GOOD = RunSettings(arch="plan1")


def test_the_defaults_are_valid() -> None:
    validate(GOOD, Plan1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"members": 1}, "--members is 1, but it must be between 2"),
        ({"members": 10**9}, "--members is 1,000,000,000, but it must be between 2 and 100,000"),
        ({"rooms": 0}, "--rooms is 0"),
        ({"rooms": 101}, "--rooms is 101, but it must be between 1 and 100"),
        ({"rate_per_s": -5.0}, "--rate is -5"),
        ({"rate_per_s": 0.0}, "--rate is 0"),
        ({"rate_per_s": math.nan}, "--rate is nan"),
        ({"rate_per_s": math.inf}, "--rate is inf"),
        ({"payload_bytes": 0}, "--payload is 0 bytes, but it must be between 1 byte and 64KiB"),
        ({"tick_s": 3600.0}, "--tick is 1h, but"),
        ({"seed": 10**29}, "--seed is 1e+29, but it must be between 0 and 9,007,199,254,740,992"),
        ({"seed": -1}, "--seed is -1"),
        ({"scenario": "bigroom"}, "did you mean 'big_room'"),
        ({"options": ("exponent=1",)}, "the scenario big_room has no option 'exponent'"),
        ({"tick_s": -0.1}, "--tick is -100ms, but it must be between 0s and 1s"),
        ({"tick_s": 2.0}, "--tick is 2"),
        ({"duration_s": 0.0}, "--duration is 0"),
        ({"warmup_s": -1.0}, "--warmup is -1"),
        ({"gateways": 0}, "--gateways is 0"),
        ({"brokers": 2}, "--brokers is 2, but it must be 1 or 3"),
        ({"partitions": 1}, "use --partitions 2 or more"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_value(change: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        validate(msgspec.structs.replace(GOOD, **change), Plan1)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_direct_runs_with_one_gateway_unless_told_otherwise() -> None:
    assert RunSettings(arch="direct").gateway_count(Direct) == 1
    with pytest.raises(UsageError, match="use --gateways 1"):
        validate(RunSettings(arch="direct", gateways=2), Direct)


def test_more_members_than_open_files_allow_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 1024))
    with pytest.raises(UsageError, match="use --members 624 or fewer"):
        validate(msgspec.structs.replace(GOOD, members=1000), Plan1)
