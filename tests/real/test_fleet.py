"""Gateways and Locust workers that were started separately, on this host."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]  # public, by its docs

from architectures.interface import Requirements
from chatbench import read_messages
from harness.core.addresses import NATS_PASSWORD, NATS_TOKEN
from harness.ledger.passages import Passages
from harness.services.backends import Backends
from harness.services.gateway_client import ask
from harness.services.nats.server import find_nats_server, has_nats_server
from harness.services.ports import free_ports
from harness.services.processes import Child, spawn, wait_until_listening
from tests.command_line import refusal
from tests.real.runs import CHATBENCH, PATIENCE_S, chatbench, run

REQUIRES = Requirements(kafka=True)
AHEAD_MS = 250
# A host with another clock: what chatbench's processes there ask for the time, and for the clock's identity.
ANOTHER_HOST = f"""
import time
here_ns = time.time_ns
time.time_ns = lambda: here_ns() + {AHEAD_MS * 1_000_000}
from harness.measure import host_clock
host_clock.identity = lambda: "another"
"""


@contextlib.contextmanager
def standing(folder: Path, *commands: tuple[str, ...]) -> Iterator[list[Child]]:
    """These, as processes, once they have said that they are ready."""
    children: list[Child] = []
    try:
        for number, command in enumerate(commands):
            log = folder / f"standing-{number}.log"
            children.append(
                spawn(" ".join(command[:1]), [*CHATBENCH, *command], log, secrets=[NATS_PASSWORD, NATS_TOKEN])
            )
        deadline = time.monotonic() + PATIENCE_S
        for child in children:
            while not any(word in child.log.read_text() for word in ('"gateway":', "waiting for a run")):
                child.check()
                assert time.monotonic() < deadline, child.log.read_text()
                time.sleep(0.1)
        yield children
    finally:
        for child in children:
            child.stop()


def setting_of(bootstrap: str, topic: str, setting: str) -> str:
    about = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    told = admin.describe_configs([about])[about].result(10)
    return str(told[setting].value)


def gateway(port: int, *arguments: str) -> tuple[str, ...]:
    return ("gateway", "--listen", f"127.0.0.1:{port}", *arguments)


def test_gateways_that_are_named_by_hand_send_members_to_each_other(backends: Backends, tmp_path: Path) -> None:
    bootstrap = str(backends.services_for(Requirements(kafka=True)).kafka_bootstrap)
    ports = free_ports(2)
    urls = [f"ws://127.0.0.1:{port}" for port in ports]
    alike = ("--arch", "plan2", "--peers", ",".join(urls), "--kafka-bootstrap", bootstrap)
    commands = [gateway(port, *alike, "--place", str(place)) for place, port in enumerate(ports)]
    with standing(tmp_path, *commands):
        at = ("--arch", "plan2", "--gateways-at", urls[0])
        summary = run(tmp_path / "out", *at, "--scenario", "many_rooms", "--members", "40")
        assert summary["delivered"] == summary["expected"] > 0
        assert summary["gateways"] == len(summary["each_gateway"]) == 2
        topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
        assert not [name for name in topics if name.endswith("membership")]
        (claims,) = [name for name in topics if name.endswith("claims")]
        assert setting_of(bootstrap, claims, "cleanup.policy") == "compact", "a claim counts whatever its age"
        wrong = refusal("run", "--arch", "plan1", "--gateways-at", urls[0])
        assert "is a gateway of plan2, not plan1; use --arch plan2" in wrong
    forgotten = chatbench("forget", "--kafka-bootstrap", bootstrap)
    assert (forgotten.returncode, forgotten.stdout) == (
        0,
        "Kafka has no topics or groups of the fleet chat left\n",
    )
    topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    assert [name for name in topics if not name.startswith("__")] == []


def test_a_run_beside_another_one_on_the_same_gateways_is_refused(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    here = f"ws://127.0.0.1:{port}"
    with standing(tmp_path, gateway(port, "--arch", "direct")):
        alone = spawn("a run", [*CHATBENCH, "run", "--arch", "direct", "--gateways-at", here], tmp_path / "run.log")
        try:
            while "measure" not in alone.log.read_text() and "warm-up" not in alone.log.read_text():
                alone.check()
                time.sleep(0.1)
            second = chatbench("run", "--arch", "direct", "--gateways-at", here, "--out", str(tmp_path))
        finally:
            alone.stop()
    assert second.returncode == 2
    assert "there are 100 members already" in second.stderr


def test_a_worker_on_a_host_whose_clock_is_ahead_measures_the_same_latencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    worker = ("worker", "--master", f"127.0.0.1:{port}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sitecustomize.py").write_text(ANOTHER_HOST)
    with standing(tmp_path, worker):
        monkeypatch.setenv("PYTHONPATH", str(elsewhere))
        with standing(elsewhere, worker):
            monkeypatch.delenv("PYTHONPATH")
            where = ("--expect-workers", "2", "--master-bind", f"127.0.0.1:{port}")
            summary = run(tmp_path / "out", "--arch", "redis", *where)
    (clock,) = summary["clocks"]
    assert abs(clock["ahead_ms"] - AHEAD_MS) <= clock["bound_ms"] < 20
    assert summary["latency_error_ms"] == clock["bound_ms"]
    assert summary["delivered"] == summary["expected"] > 0
    (viewers,) = summary["classes"]
    (chat,) = viewers["kinds"]
    assert chat["sent"] == summary["sent"], "a worker knows every scenario, and still gives a kind the run's number"
    assert 0 < summary["latency_ms"]["p50"] < AHEAD_MS / 2
    assert 0 < summary["latency_from_sending_ms"]["p50"] < AHEAD_MS / 2
    messages = read_messages(summary["folder"])
    assert len(messages) == summary["sent"] == sum(each["sent"] for each in summary["classes"])
    assert set(messages["member_class"]) == {"Viewer"}
    for later in ("sent_ns", "acked_ns", "first_heard_ns", "last_heard_ns"):
        assert 0 <= (messages[later] - messages["intended_ns"]).median() / 1e6 < AHEAD_MS / 2
    assert "before it was sent" not in (summary["driver"]["why"] or "")
    error_ms = pytest.approx(clock["bound_ms"], abs=1e-4)
    assert summary["stages"]["error_ms"] == {"to_gateway": error_ms, "to_member": error_ms}
    assert abs(summary["stages"]["typical_ms"]["to_gateway"]) < AHEAD_MS / 2


def test_gateways_on_a_host_whose_clock_is_ahead_tell_the_stages_with_their_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    (tmp_path / "sitecustomize.py").write_text(ANOTHER_HOST)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with standing(tmp_path, gateway(port, "--arch", "faulty")):
        monkeypatch.delenv("PYTHONPATH")
        here = f"ws://127.0.0.1:{port}"
        summary = run(tmp_path / "out", "--arch", "faulty", "--gateways-at", here, "--members", "20", "--rate", "200")
        after = ask(here, "/trace", Passages, None, PATIENCE_S)
    stages = summary["stages"]
    assert stages["one_in"] == 3
    assert stages["messages"] > 0.2 * summary["sent"]
    error_ms = stages["error_ms"]
    assert list(error_ms) == ["to_gateway", "to_member"], "one gateway has one clock"
    assert 0 < error_ms["to_gateway"] == error_ms["to_member"] < 20
    for stage, typical_ms in stages["typical_ms"].items():
        assert -error_ms.get(stage, 0.0) - 1 < typical_ms < AHEAD_MS / 2, stage
    assert after == Passages([], 0), "nobody asks for them any more"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("gateway", "--arch", "plan1"),
            "plan1 needs a Kafka that all its gateways reach; name it: --kafka-bootstrap",
        ),
        (("gateway", "--arch", "direct", "--listen", "9001"), "--listen is '9001', but it must be HOST:PORT"),
        (("gateway", "--arch", "direct", "--listen", "0.0.0.0:9001"), "needs a token; set one in CHATBENCH_TOKEN"),
        (("gateway", "--arch", "direct", "--place", "1"), "--place is 1, but the 1 gateways have places 0 to 0"),
        (("gateway", "--arch", "direct", "--peers", "ws://127.0.0.1:9"), "give the place of this one: --place"),
        (("gateway", "--arch", "direct", "--fleet", "My Fleet"), "--fleet is 'My Fleet', but it must be up to 40 of"),
        (("forget",), "a fleet leaves topics in Kafka, and nothing anywhere else; name that Kafka: --kafka-bootstrap"),
        (("worker", "--master", "here"), "--master is 'here', but it must be HOST:PORT"),
        (
            ("run", "--arch", "direct", "--gateways-at", "http://a:1"),
            "but it must be a gateway's address, such as ws://",
        ),
        (("run", "--arch", "direct", "--gateways-at", "ws://127.0.0.1:9"), "no gateway of chatbench"),
        (
            ("run", "--arch", "direct", "--gateways-at", "ws://127.0.0.1:9", "--gateways", "1"),
            "--gateways is for gateways that the run starts, but --gateways-at names others; leave it out",
        ),
        (("run", "--arch", "direct", "--expect-workers", "2", "--processes", "2"), "--processes is 2, but with"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHATBENCH_TOKEN", raising=False)
    assert says in refusal(*arguments)


@pytest.mark.skipif(not has_nats_server(), reason="there is no nats-server here")
def test_gateways_find_each_other_in_a_guarded_nats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nats_port, *ports = free_ports(3)
    guarded = ["--addr", "127.0.0.1", "--port", str(nats_port), "--user", "chat", "--pass", "a word"]
    keeping = ["-js", "--store_dir", str(tmp_path / "nats")]
    server = spawn("nats", [str(find_nats_server()), *guarded, *keeping], tmp_path / "nats.log")
    url = f"nats://chat@127.0.0.1:{nats_port}"
    try:
        wait_until_listening(server, nats_port, 15)
        assert "set CHATBENCH_NATS_PASSWORD" in refusal("run", "--arch", "nats", "--nats-url", url)
        monkeypatch.setenv("CHATBENCH_NATS_PASSWORD", "another word")
        refused = refusal("run", "--arch", "nats", "--nats-url", url)
        assert "NATS does not let chatbench in there" in refused
        assert "another word" not in refused
        monkeypatch.setenv("CHATBENCH_NATS_PASSWORD", "a word")
        with standing(tmp_path, *(gateway(port, "--arch", "nats", "--nats-url", url) for port in ports)):
            at = ("--arch", "nats", "--gateways-at", f"ws://127.0.0.1:{ports[0]}")
            summary = run(tmp_path / "out", *at, "--scenario", "many_rooms", "--members", "40")
        own = run(tmp_path / "own", "--arch", "nats", "--nats-url", url)
    finally:
        server.stop()
    assert summary["delivered"] == summary["expected"] > 0
    assert summary["gateways"] == len(summary["each_gateway"]) == 2
    assert own["services"] == "external NATS"
    assert own["delivered"] == own["expected"] > 0
    assert own["cpu_us_per_delivery"]["nats"] is None
    assert own["nats"]["messages_in_per_message"] is None
    written = [path for path in (tmp_path / "own").rglob("*") if path.is_file()]
    assert not [path for path in written if b"a word" in path.read_bytes()], "secrets are in no record"


@pytest.mark.skipif(not has_nats_server(), reason="there is no nats-server here")
def test_a_nats_that_asks_for_a_token_is_given_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    argv = [str(find_nats_server()), "--addr", "127.0.0.1", "--port", str(port), "--auth", "open:s@same"]
    server = spawn("nats", argv, tmp_path / "nats.log")
    url = f"nats://127.0.0.1:{port}"
    try:
        wait_until_listening(server, port, 15)
        assert "a token from CHATBENCH_NATS_TOKEN" in refusal("run", "--arch", "nats", "--nats-url", url)
        monkeypatch.setenv("CHATBENCH_NATS_TOKEN", "open:s@same")
        summary = run(tmp_path / "out", "--arch", "nats", "--nats-url", url)
    finally:
        server.stop()
    assert summary["delivered"] == summary["expected"] > 0
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [path for path in written if b"s@same" in path.read_bytes()], "secrets are in no record"
