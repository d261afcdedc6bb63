"""compose.yaml without Docker: each service's very command, environment and check, as processes on hosts of their own.

What an image brings is made here: Kafka's start as its image has it (by the class that turns KAFKA_* into properties),
redis-cli as one command. A volume is a folder. There is no Prometheus or Grafana, unless they are installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import yaml

from harness.services.kafka.broker import java
from harness.services.kafka.install import ensure_installation
from harness.services.processes import Child, spawn
from harness.services.redis.server import find_server
from tests.network import Network, made_network
from tests.real.runs import PATIENCE_S
from tools.deploy.__main__ import COMPOSE
from tools.deploy.parts import SECRETS

NOT_HERE = ("prometheus", "grafana")

KAFKA = """#!/bin/bash -e
java -cp "$CLASS_PATH" kafka.docker.KafkaDockerWrapper setup \\
  --default-configs-dir {configs} --mounted-configs-dir {nothing} --final-configs-dir "$OWN"
exec java $KAFKA_HEAP_OPTS -XX:+UseSerialGC -cp "$CLASS_PATH" kafka.Kafka "$OWN/server.properties"
"""
REDIS_CLI = """#!{python}
import os, redis, sys
assert sys.argv[1:3] == ["-e", "-h"] and sys.argv[4] == "ping"
print(redis.Redis(sys.argv[3], password=os.environ["REDISCLI_AUTH"], socket_timeout=2).ping())
"""
PING = """
import redis, sys
redis.Redis("redis", password=sys.argv[1] if len(sys.argv) > 1 else None, socket_timeout=2).ping()
"""
UNKNOWN = "driver-by-another-name"  # which leads to the driver all the same
ASK = """
import sys, urllib.parse, urllib.request
form = urllib.parse.urlencode(dict(each.split("=") for each in sys.argv[2:])).encode() or None
print(urllib.request.urlopen(sys.argv[1], form, timeout=60).read().decode())
"""
METRICS = "http://driver:9646/metrics"
MEASURING = re.compile(r'^chatbench_driver_phase\{.*phase="measure".*\} 1', re.MULTILINE)
SAID = re.compile(r"^chatbench_driver_said_total\{.*\} (\S+)", re.MULTILINE)
Found = TypeVar("Found")


class NoAnswer(Exception):
    """Whoever was asked did not answer; with the end of the log of that host."""


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the first step makes."""
    folder = tmp_path_factory.mktemp("first")
    shutil.copy(COMPOSE / "make-secrets.sh", folder)
    subprocess.run(["sh", folder / "make-secrets.sh"], check=True)
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(text: str, chosen: dict[str, str]) -> str:
    """With each ${NAME}, ${NAME:-default} and ${NAME:?why} as Docker reads it, and $$ as $."""
    named = re.compile(r"\$\$|\$\{(\w+)(?::[-?]([^}]*))?\}")
    return named.sub(lambda found: "$" if found[0] == "$$" else chosen.get(found[1], found[2]), text)


@pytest.fixture(scope="module")
def services(chosen: dict[str, str]) -> dict[str, dict[str, Any]]:
    text = interpolated((COMPOSE / "compose.yaml").read_text(encoding="utf-8"), chosen)
    every = yaml.safe_load(text)["services"]
    return {name: service for name, service in every.items() if name not in NOT_HERE}


def replicas(service: dict[str, Any]) -> int:
    return int(service.get("deploy", {}).get("replicas", 1))


@pytest.fixture(scope="module")
def network(services: dict[str, dict[str, Any]]) -> Iterator[Network]:
    names = {name: [f"{name}.{each}" for each in range(replicas(service))] for name, service in services.items()}
    hosts = [host for hosts in names.values() for host in hosts]
    with made_network(hosts, {**names, UNKNOWN: names["driver"]}) as network:
        yield network


class Composed:
    """The services, as processes."""

    def __init__(self, services: dict[str, dict[str, Any]], network: Network, folder: Path) -> None:
        self._services = services
        self._network = network
        self.folder = folder
        self.started: dict[str, Child] = {}
        self._images = folder / "images"  # what they bring
        configs, nothing = self._images / "configs", self._images / "nothing"
        for each in (configs, nothing):
            each.mkdir(parents=True)
        (configs / "server.properties").touch()
        for log4j in ("log4j2.yaml", "tools-log4j2.yaml"):
            (configs / log4j).write_text("Configuration: {Loggers: {Root: {level: INFO}}}\n")
        self._program("kafka", KAFKA.format(configs=configs, nothing=nothing))
        self._program("redis-cli", REDIS_CLI.format(python=sys.executable))
        (self._images / "java").symlink_to(java())
        (self._images / "redis-server").symlink_to(find_server())
        self._class_path = ensure_installation(lambda *_: None).jars.class_path

    def _program(self, name: str, text: str) -> None:
        (self._images / name).write_text(text)
        (self._images / name).chmod(0o755)

    def up(self) -> None:
        """Each when those that it depends on are healthy."""
        while len(self.started) < sum(map(replicas, self._services.values())):
            for name, service in self._services.items():
                if f"{name}.0" not in self.started and set(service.get("depends_on", {})) <= self._names():
                    for needed in service.get("depends_on", {}):
                        self.wait_until_healthy(needed)
                    for number in range(replicas(service)):
                        self._start(name, service, f"{name}.{number}")

    def _names(self) -> set[str]:
        return {host.partition(".")[0] for host in self.started}

    def _start(self, name: str, service: dict[str, Any], host: str) -> None:
        own = self.folder / host
        own.mkdir()
        command = service.get("command") or (["kafka"] if name.startswith("kafka") else [])
        argv = self._with_volumes(service, own, command)
        environment = self._with_volumes(
            service, own, [f"{key}={value}" for key, value in self._environment(name, own)]
        )
        self.started[host] = spawn(
            host, self._network.on(host, ["env", "--ignore-environment", *environment, *argv]), own / "log"
        )

    def _environment(self, name: str, own: Path) -> list[tuple[str, str]]:
        images = f"{self._images}:{Path(sys.executable).parent}:{os.defpath}"
        of_image = {"PATH": images, "CLASS_PATH": self._class_path, "OWN": str(own), "HOME": str(own)}
        return [*of_image.items(), *self._services[name].get("environment", {}).items()]

    @staticmethod
    def _with_volumes(service: dict[str, Any], own: Path, words: list[str]) -> list[str]:
        for volume in service.get("volumes", ()):
            name, path = volume.split(":")[:2]
            if not name.startswith("."):
                (own / name).mkdir(exist_ok=True)
                words = [word.replace(path, str(own / name)) for word in words]
        return words

    def wait_until_healthy(self, name: str) -> None:
        """Every container of that service, by its own check."""
        _cmd, *check = self._services[name]["healthcheck"]["test"]
        deadline = time.monotonic() + PATIENCE_S
        for number in range(replicas(self._services[name])):
            host = f"{name}.{number}"
            environment = [f"{key}={value}" for key, value in self._environment(name, self.folder / host)]
            while not self.succeeds(host, ["env", "--ignore-environment", *environment, *check]):
                self.started[host].check()
                assert time.monotonic() < deadline, self.started[host].log.read_text()[-2000:]
                time.sleep(0.3)

    def succeeds(self, host: str, argv: list[str]) -> bool:
        return subprocess.run(self._network.on(host, argv), capture_output=True, check=False).returncode == 0

    def last_sentence(self, name: str, secrets: dict[str, str], **chosen: str) -> str:
        """What that service ends with, on a host of its, when it has these secrets alone."""
        own = self.folder / f"without-{name}"
        own.mkdir(exist_ok=True)
        environment = {**dict(self._environment(name, own)), **chosen, "HOME": str(own)}
        alone = {key: value for key, value in environment.items() if key not in SECRETS} | secrets
        # Its ports are taken on its hosts.
        argv = [word.replace(":9001", ":9101").replace(":5557", ":5558") for word in self._services[name]["command"]]
        if name == "driver":
            argv = [word.replace("ws://gateway:9101", "ws://gateway:9001").replace(":9646", ":9647") for word in argv]
            argv += ["--port", "8090"]
        argv = self._with_volumes(self._services[name], own, argv)
        pairs = [f"{key}={value}" for key, value in alone.items()]
        on = self._network.on(f"{name}.0", ["env", "--ignore-environment", *pairs, *argv])
        answer = subprocess.run(on, capture_output=True, text=True, check=False)
        assert answer.returncode in {2, 3}, answer.stderr
        return answer.stderr.splitlines()[-1]

    def ask(self, host: str, url: str, *form: str) -> str:
        """What is answered there, to somebody on that host."""
        argv = self._network.on(host, [sys.executable, "-c", ASK, url, *form])
        answer = subprocess.run(argv, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise NoAnswer(f"{answer.stderr[-500:]}; {self.started[host].log.read_text()[-2000:]}")
        return answer.stdout

    def recorded(self) -> dict[str, Any] | None:
        """The summary of the one test there was, when it has ended."""
        summaries = [path.read_bytes() for path in (self.folder / "driver.0").rglob("summary.json")]
        read: list[dict[str, Any]] = [msgspec.json.decode(each) for each in summaries]
        return next((summary for summary in read if summary["status"] != "incomplete"), None)

    def down(self) -> None:
        for child in reversed(self.started.values()):
            child.stop()


def until(looked: Callable[[], Found | None]) -> Found:
    """What is seen at last."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := looked()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return found


def said(metrics: str) -> float:
    """How many messages members have sent, by the driver's metrics."""
    found = SAID.search(metrics)
    return float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
def composed(
    services: dict[str, dict[str, Any]], network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Composed]:
    composed = Composed(services, network, tmp_path_factory.mktemp("compose"))
    try:
        composed.up()
        composed.wait_until_healthy("driver")
        yield composed
    finally:
        composed.down()


def test_a_test_in_the_web_ui_is_driven_by_the_workers_over_all_gateways_and_recorded(composed: Composed) -> None:
    ui = "http://127.0.0.1:8089"
    composed.ask("driver.0", f"{ui}/swarm", "user_count=30", "spawn_rate=30", "rate=30", "warmup=1")
    watched = until(lambda: told if MEASURING.search(told := composed.ask("driver.0", METRICS)) else None)
    until(lambda: told if said(told := composed.ask("driver.0", METRICS)) > said(watched) + 30 else None)
    composed.ask("driver.0", f"{ui}/stop", "now=")  # a form, so that it is posted
    summary = until(composed.recorded)
    assert (summary["arch"], summary["status"], summary["gateways"]) == ("plan1", "complete", 3)
    assert summary["delivered"] == summary["expected"] > 0
    assert summary["lost"] == summary["duplicated"] == summary["reordered"] == 0
    assert [each["members"] for each in summary["each_gateway"]] == [10, 10, 10]
    assert {name for name in summary["cores_used"] if name.startswith("audience")} == {"audience 1", "audience 2"}
    assert re.search(r'^chatbench_driver_members\{arch="plan1",scenario="big_room"\} 30', watched, re.MULTILINE)


def test_nobody_reaches_redis_or_a_gateway_without_its_secret(composed: Composed, chosen: dict[str, str]) -> None:
    assert composed.succeeds("worker.0", [sys.executable, "-c", PING, chosen["CHATBENCH_REDIS_PASSWORD"]])
    assert not composed.succeeds("worker.0", [sys.executable, "-c", PING])
    with pytest.raises(NoAnswer, match="401"):
        composed.ask("worker.0", "http://gateway:9001/stats")
    with pytest.raises(NoAnswer, match="403"):
        composed.ask("worker.0", f"http://{UNKNOWN}:8089/")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ((), "needs a token; set one in CHATBENCH_TOKEN"),
        (("CHATBENCH_TOKEN",), "CHATBENCH_REDIS_PASSWORD"),
    ],
)
def test_a_gateway_without_a_secret_says_which(
    composed: Composed, chosen: dict[str, str], variables: tuple[str, ...], says: str
) -> None:
    given = {name: chosen[name] for name in variables}
    assert says in composed.last_sentence("gateway", given, CHATBENCH_ARCH="redis", CHATBENCH_GATEWAYS="1")


def test_a_driver_without_the_token_says_so(composed: Composed) -> None:
    said = composed.last_sentence("driver", {})
    assert "no gateway of chatbench" in said
    assert "set the same in CHATBENCH_TOKEN" in said


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="there is no Prometheus; `make tools` installs one")
def test_prometheus_finds_every_gateway_and_the_driver(
    composed: Composed, network: Network, chosen: dict[str, str]
) -> None:
    own = composed.folder / "prometheus"
    own.mkdir()
    token = own / "token"
    token.write_text(chosen["CHATBENCH_TOKEN"])
    config = (
        (COMPOSE / "prometheus.yml").read_text(encoding="utf-8").replace("/run/secrets/chatbench-token", str(token))
    )
    # There is no DNS server in these namespaces to discover by.
    gateways = ", ".join(f"{network.addresses[f'gateway.{number}']}:9001" for number in range(3))
    named = f"static_configs: [{{targets: [{gateways}]}}]\n"
    config = re.sub(r"dns_sd_configs:.*?refresh_interval: 5s\n", named, config, flags=re.DOTALL)
    (own / "prometheus.yml").write_text(config)
    argv = ["prometheus", f"--config.file={own}/prometheus.yml", f"--storage.tsdb.path={own}/data"]
    child = spawn("prometheus", network.on("driver.0", argv), own / "log")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            child.check()
            assert time.monotonic() < deadline, child.log.read_text()
            time.sleep(1)
            try:
                answer = composed.ask("driver.0", "http://127.0.0.1:9090/api/v1/query?query=up")
            except NoAnswer:
                continue  # it does not listen yet
            up = msgspec.json.decode(answer)["data"]["result"]
            if len(up) == 4 and all(each["value"][1] == "1" for each in up):
                return
    finally:
        child.stop()
