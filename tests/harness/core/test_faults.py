"""Faults as they are written on a command line."""

from __future__ import annotations

import pytest

from architectures.interface import Architecture
from architectures.kafka_redis import KafkaRedis
from architectures.nats import Nats
from architectures.plan1 import Plan1
from architectures.redis_pubsub import RedisPubSub
from harness.core.errors import UsageError
from harness.core.faults import TARGETS, Fault, check_fault, parse_fault
from harness.core.registry import architecture_names, load_architecture
from harness.core.settings import RunSettings, parse_faults


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("kill:gateway@10s", Fault("kill", "gateway", None, 10.0)),
        ("kill:broker", Fault("kill", "broker", None, 10.0)),
        ("restart:redis", Fault("restart", "redis", 0.0, 10.0)),
        ("restart:redis:2s@500ms", Fault("restart", "redis", 2.0, 0.5)),
        ("pause:redis:5s", Fault("pause", "redis", 5.0, 10.0)),
        ("pause:gateway", Fault("pause", "gateway", 5.0, 10.0)),
        ("cut:gateway-broker:1.5s@3", Fault("cut", "gateway-broker", 1.5, 3.0)),
        ("reset:gateway-redis@3s", Fault("reset", "gateway-redis", 0.0, 3.0)),
        ("slow:members", Fault("slow", "members", 5.0, 10.0)),
    ],
)
def test_a_fault_is_what_and_for_how_long_and_when(spec: str, fault: Fault) -> None:
    assert parse_fault(spec, duration_s=30.0) == fault
    assert parse_fault(str(fault), duration_s=30.0) == fault


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("kill", "must be one of kill:gateway"),
        ("kill:member", "must be one of"),
        ("explode:gateway", "must be one of"),
        ("slow:gateway", "must be one of"),
        ("kill:gateway:5s", "a killed process stays dead; use restart:gateway"),
        ("reset:gateway-nats:5s", "a reset is over at once; use cut:gateway-nats:5s"),
        ("pause:redis:soon", "'soon' is not a duration"),
        ("pause:redis@later", "'later' is not a duration"),
        ("pause:redis:30s", "would not be over"),
        ("kill:gateway@30s", "would not be over"),
        ("kill:gateway@29s", "leaves 1 s .* which can take 12 s; let it begin by 18 s, or use --duration 41s"),
        ("kill:broker@15s", "leaves 15 s .* which can take 20 s; let it begin by 10 s, or use --duration 35s"),
        ("pause:gateway:25s@3s", "leaves 2 s .* can take 3 s; let it begin by 2 s, or use --duration 31s"),
        ("pause:gateway:28s@1s", "leaves 1 s .* can take 3 s; use --duration 32s"),
        ("pause:redis:-5s", "'-5s' is not a duration"),
        ("pause:redis:0s", "a fault of 0 s breaks nothing; write it as in pause:redis:5s"),
        ("cut:gateway-broker:0s@3s", "a fault of 0 s breaks nothing"),
        ("slow:members:0s", "a fault of 0 s breaks nothing"),
    ],
)
def test_what_cannot_be_is_told_with_what_would_be_right(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_fault(spec, duration_s=30.0)


@pytest.mark.parametrize(
    ("spec", "architecture", "gateways", "brokers", "says"),
    [
        ("pause:redis", Plan1, 2, 1, "plan1 has no redis"),
        ("cut:gateway-broker", RedisPubSub, 2, 1, "redis has no broker"),
        ("kill:broker", Plan1, 2, 1, "use --brokers 3, or restart:broker"),
        ("kill:gateway", Plan1, 1, 1, "use --gateways 2, or restart:gateway"),
    ],
)
def test_where_there_is_nothing_to_break_or_nothing_would_be_left(
    spec: str, architecture: type[Architecture], gateways: int, brokers: int, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        check_fault(parse_fault(spec, 30.0), architecture, gateways, brokers)


def test_every_fault_can_befall_something() -> None:
    for action, targets in TARGETS.items():
        for target in targets:
            fault = parse_fault(f"{action}:{target}", 30.0)
            check_fault(fault, Nats if "nats" in target else KafkaRedis, gateways=2, brokers=3)
            assert fault.needs_proxy == (action in {"cut", "reset"})


def test_every_promise_to_survive_names_a_fault_that_there_is() -> None:
    for architecture in map(load_architecture, architecture_names()):
        for kind in architecture.promises.survives:
            assert parse_fault(kind, 30.0).kind == kind


@pytest.mark.parametrize(
    ("specs", "says"),
    [
        (["restart:redis:2s@3s", "restart:redis@4s"], "before restart:redis:2s@3s is over.*let it begin after 5 s"),
        (["pause:redis:2s@4s", "restart:redis@5s"], "both break the same redis"),
        (["restart:redis@4s", "restart:redis@4s"], "let it begin after 4 s"),
        (
            ["kill:gateway@9s", "kill:gateway@3s"],
            "would break what kill:gateway@3s has killed for good",
        ),
        (["pause:gateway:8s@2s", "kill:gateway@6s"], "let it begin after 10 s"),
        (["slow:members:5s@2s", "slow:members@3s"], "both break the same members"),
    ],
)
def test_two_faults_of_one_target_must_not_meet(specs: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_faults(RunSettings(arch="plan1", duration_s=60.0, faults=tuple(specs)))


def test_faults_that_come_after_each_other_or_to_others_may_be_of_one_run() -> None:
    specs = ("pause:redis:2s@4s", "restart:redis@7s", "pause:gateway:5s@4s", "kill:gateway@20s", "slow:members@1s")
    faults = parse_faults(RunSettings(arch="redis", duration_s=60.0, faults=specs))
    assert [str(fault) for fault in faults[:2]] == ["pause:redis:2s@4s", "restart:redis@7s"]
