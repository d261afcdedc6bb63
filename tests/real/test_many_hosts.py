"""Kafka, Redis, gateways, Locust workers and the run, each on a host of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from harness.core.token import TOKEN_VARIABLE
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.install import ensure_installation
from harness.services.processes import Child, spawn, wait_until_listening
from harness.services.redis.server import find_server
from tests.network import Network, made_network
from tests.real.runs import CHATBENCH, PATIENCE_S, chatbench, run, wait_until_measured

TOKEN = "a-token-of-this-test-alone"
KAFKA_PORT, REDIS_PORT, GATEWAY_PORT, MASTER_PORT = 9092, 6379, 9001, 5557
HOSTS = ("kafka", "redis", "gateway-0", "gateway-1", "worker-1", "worker-2", "run")
CUT_S = 3.0  # how long a link is away
LOAD = ("--members", "40", "--rate", "20", "--warmup", "1s")
SHORT, LONG = ("--duration", "3s"), ("--duration", "8s")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with made_network(HOSTS) as network:
        yield network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hosts")


@pytest.fixture(scope="module")
def kafka(network: Network, folder: Path) -> Iterator[Kafka]:
    kafka = Kafka.make(ensure_installation(lambda *_: None), 1, folder, folder)
    (broker,) = kafka.brokers
    listeners = f"PLAINTEXT://127.0.0.1:{broker.port},HOSTS://{network.addresses['kafka']}:{KAFKA_PORT}"
    with broker.properties.open("a") as properties:
        properties.write(
            f"listeners={listeners},CONTROLLER://127.0.0.1:{broker.controller_port}\n"
            f"advertised.listeners={listeners}\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HOSTS:PLAINTEXT\n"
        )
    with network.at("kafka"):
        kafka.start()
    try:
        with network.at("kafka"):
            kafka.wait_ready()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture(scope="module")
def hosts(network: Network, kafka: Kafka, folder: Path) -> Iterator[dict[str, Child]]:
    """Redis, two gateways of kafka-redis, and two Locust workers."""
    del kafka  # it is there; that is all
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(TOKEN_VARIABLE, TOKEN)
        started: dict[str, Child] = {}

        def start(host: str, *argv: str) -> None:
            with network.at(host):
                started[host] = spawn(host, argv, folder / f"{host}.log", secrets=[TOKEN_VARIABLE])

        try:
            start("redis", str(find_server()), "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", str(folder))
            with network.at("redis"):
                wait_until_listening(started["redis"], REDIS_PORT, 15)
            backends = (
                *("--kafka-bootstrap", f"{network.addresses['kafka']}:{KAFKA_PORT}"),
                *("--redis-url", f"redis://{network.addresses['redis']}:{REDIS_PORT}"),
            )
            for host in ("gateway-0", "gateway-1"):
                listen = ("--listen", f"0.0.0.0:{GATEWAY_PORT}")
                start(host, *CHATBENCH, "gateway", "--arch", "kafka-redis", *listen, *backends)
            for host in ("worker-1", "worker-2"):
                start(host, *CHATBENCH, "worker", "--master", f"{network.addresses['run']}:{MASTER_PORT}")
            for host in ("gateway-0", "gateway-1"):
                wait_until_serving(started[host])
            yield started
        finally:
            for child in started.values():
                child.stop()


def wait_until_serving(gateway: Child) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while '"gateway":' not in gateway.log.read_text():
        gateway.check()
        assert time.monotonic() < deadline, gateway.log.read_text()
        time.sleep(0.1)


def distant_run(network: Network, out: Path, *arguments: str) -> subprocess.Popen[str]:
    """`chatbench run` on its own host, by way of one of the gateways."""
    one = f"ws://{network.addresses['gateway-0']}:{GATEWAY_PORT}"
    workers = ("--expect-workers", "2", "--master-bind", f"{network.addresses['run']}:{MASTER_PORT}")
    argv = [
        *CHATBENCH,
        "run",
        "--json",
        "--no-report",
        "--arch",
        "kafka-redis",
        "--out",
        str(out),
        "--gateways-at",
        one,
        *workers,
    ]
    with network.at("run"):
        return subprocess.Popen([*argv, "--gateways-at", one, *LOAD, *arguments], stdout=-1, stderr=-1, text=True)


def summary_of(running: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode in (0, 4), err
    summary: dict[str, Any] = msgspec.json.decode(out)
    return summary


def verdict(summary: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on where the parts are."""
    promises = {
        each["promise"]: each["held"]
        for each in summary["promises"]
        if not each["promise"].startswith(
            ("survives", "in use", "normal again")
        )  # of faults, which a distant run has none of
    }
    counts = ("lost", "lost_acked", "duplicated", "reordered", "not_sent", "strays", "disconnects", "rooms", "gateways")
    return {count: summary[count] for count in counts} | {"promises": promises}


@pytest.mark.usefixtures("hosts")
def test_a_run_over_seven_hosts_has_the_verdict_of_a_run_on_one(network: Network, tmp_path: Path) -> None:
    apart = summary_of(distant_run(network, tmp_path / "apart", *SHORT))
    together = run(tmp_path / "together", "--arch", "kafka-redis", *LOAD, *SHORT)
    assert verdict(apart) == verdict(together)
    assert apart["delivered"] == apart["expected"] > 0
    assert apart["services"] == "of the gateways' fleet"
    assert apart["kafka"]["records_per_message"] is None
    assert apart["cpu_us_per_delivery"]["gateway"] > 0
    assert apart["cpu_us_per_delivery"]["kafka"] is None
    assert {each["members"] for each in apart["each_gateway"]} == {20}
    assert apart["latency_error_ms"] == 0, "one kernel has one clock"
    assert apart["stages"]["error_ms"] == {}
    assert apart["stages"]["messages"] > 0.1 * apart["sent"], "gateways on other hosts trace as well"
    assert list(apart["stages"]["typical_ms"]) == list(together["stages"]["typical_ms"])
    assert TOKEN not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))


@pytest.mark.usefixtures("hosts")
def test_a_link_that_is_cut_and_healed_loses_nothing_as_on_one_machine(network: Network, tmp_path: Path) -> None:
    running = distant_run(network, tmp_path / "apart", *LONG)
    wait_until_measured(running, tmp_path / "apart", seconds=2)
    network.cut("kafka")
    time.sleep(CUT_S)
    network.heal("kafka")
    apart = summary_of(running)
    fault = f"cut:gateway-broker:{CUT_S:g}s@2s"
    together = run(tmp_path / "together", "--arch", "kafka-redis", *LOAD, *LONG, "--fault", fault)
    assert verdict(apart) == verdict(together)
    assert apart["lost"] == 0
    assert apart["latency_ms"]["max"] > 1000, "what was said meanwhile waited for the link"


def test_gateways_leave_what_they_made_until_it_is_forgotten(
    network: Network, kafka: Kafka, hosts: dict[str, Child]
) -> None:
    where = ("--kafka-bootstrap", f"{network.addresses['kafka']}:{KAFKA_PORT}")
    with network.at("kafka"):
        refused = chatbench("forget", *where)
        assert refused.returncode == 3
        assert (
            "gateways of the fleet chat are still running (ws://10.99.0.3:9001, ws://10.99.0.4:9001)" in refused.stderr
        )
        for host in ("gateway-0", "gateway-1"):
            hosts[host].stop()
        assert [hosts[host].process.returncode for host in ("gateway-0", "gateway-1")] == [0, 0]
        assert chatbench("forget", *where).returncode == 0
        topics = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10).topics
    assert [name for name in topics if not name.startswith("__")] == []
