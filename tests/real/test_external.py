"""Runs on Kafka and Redis that are already running: with TLS and a password, behind sentinels, in a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from harness.core.addresses import REDIS_PASSWORD, SENTINEL_PASSWORD
from harness.core.errors import UsageError
from harness.core.settings import RunSettings
from harness.services.external import resolve_brokers
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.install import ensure_installation
from harness.services.ports import free_ports
from harness.services.processes import Child, spawn, wait_until_listening
from harness.services.redis.cluster import RedisCluster
from harness.services.redis.server import find_server
from tests.command_line import refusal
from tests.real.runs import SHORT, chatbench, run

WORD = "open-sesame"
SENTINELS_WORD = "open barley & oats"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("external")


@pytest.fixture(scope="module")
def kafka(folder: Path) -> Iterator[Kafka]:
    """A broker that believes only who has a password, over TLS; with a topic of somebody else's."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    # Java reads keys as PKCS #8 only.
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "broker.pem").write_bytes(pem + b"".join(each.bytes() for each in issued.cert_chain_pems))
    kafka = Kafka.make(ensure_installation(lambda *_: None), 1, folder, folder)
    (broker,) = kafka.brokers
    listeners = f"PLAINTEXT://127.0.0.1:{broker.port},SASL_SSL://127.0.0.1:{broker.proxied_port}"
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_chat="{WORD}";'
    with broker.properties.open("a") as properties:
        properties.write(
            f"listeners={listeners},CONTROLLER://127.0.0.1:{broker.controller_port}\n"
            f"advertised.listeners={listeners}\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL\n"
            "sasl.enabled.mechanisms=PLAIN\n"
            f"listener.name.sasl_ssl.plain.sasl.jaas.config={login}\n"
            f"ssl.keystore.type=PEM\nssl.keystore.location={folder / 'broker.pem'}\n"
        )
    kafka.start()
    try:
        kafka.wait_ready()
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        admin.create_topics([NewTopic("orders", 1)])["orders"].result(20)
        yield kafka
    finally:
        kafka.stop()


def server(name: str, folder: Path, port: int, *arguments: str) -> Child:
    (folder / name).mkdir()
    argv = [str(find_server()), *arguments, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder / name)]
    child = spawn(name, argv, folder / f"{name}.log")
    wait_until_listening(child, port, 15)
    return child


def properties(folder: Path, word: str) -> str:
    file = folder / f"{'right' if word == WORD else 'wrong'}.properties"
    file.write_text(
        "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=chat\n"
        f"sasl.password={word}\nssl.ca.location={folder / 'ca.pem'}\n"
    )
    return str(file)


def test_a_run_on_a_guarded_cluster_is_whole_and_leaves_nothing_there(
    kafka: Kafka, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    guarded = server("guarded", folder, port, "--requirepass", WORD)
    monkeypatch.setenv(REDIS_PASSWORD, WORD)
    secured = f"127.0.0.1:{kafka.brokers[0].proxied_port}"
    try:
        summary = run(
            tmp_path,
            *("--arch", "kafka-redis", "--kafka-bootstrap", secured, "--kafka-properties", properties(folder, WORD)),
            *("--redis-url", f"redis://127.0.0.1:{port}"),
        )
    finally:
        guarded.stop()
    assert summary["delivered"] == summary["expected"] > 0
    assert summary["services"] == "external Kafka and Redis"
    assert summary["left_behind"] is None
    assert summary["kafka"]["records_per_message"] is None
    assert summary["redis"]["commands_per_message"] is None
    assert summary["cpu_us_per_delivery"]["kafka"] is None
    assert summary["cpu_us_per_delivery"]["gateway"] > 0
    manifest = msgspec.json.decode((summary["folder"] / "manifest.json").read_bytes())
    assert manifest["cluster"]["group.initial.rebalance.delay.ms"] == "0", "as its owner has set it"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    assert {name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")} == {"orders"}
    assert admin.list_consumer_groups().result().valid == []
    written = [path for path in summary["folder"].rglob("*") if path.is_file()]
    assert not [path for path in written if WORD.encode() in path.read_bytes()], "secrets are in no record"


def test_a_wrong_password_is_one_clear_sentence(kafka: Kafka, folder: Path) -> None:
    secured = f"127.0.0.1:{kafka.brokers[0].proxied_port}"
    given = ("--kafka-bootstrap", secured, "--kafka-properties", properties(folder, "guess"))
    answer = chatbench("run", "--arch", "plan1", *given)
    assert answer.returncode == 2
    assert "no broker answered there" in answer.stderr
    assert "Authentication failed" in answer.stderr
    assert "guess" not in answer.stderr


def test_a_comparison_on_external_brokers_judges_by_latency(kafka: Kafka, tmp_path: Path) -> None:
    arguments = ("--arch", "plan1", "--arch", "kafka-broadcast", "--rounds", "1", "--out", str(tmp_path), *SHORT)
    answer = chatbench("compare", *arguments, "--kafka-bootstrap", kafka.bootstrap)
    assert answer.returncode in (0, 4), answer.stderr
    assert answer.returncode == 4 or "was not measured" in answer.stdout, "of external brokers"


def test_a_run_behind_sentinels_finds_their_master(folder: Path, tmp_path: Path) -> None:
    master_port, sentinel_port = free_ports(2)
    master = server("master", folder, master_port)
    config = folder / "sentinel.conf"
    config.write_text(f"sentinel monitor chat 127.0.0.1 {master_port} 1\n")
    sentinel = server("sentinel", folder, sentinel_port, str(config), "--sentinel")
    try:
        url = f"redis+sentinel://127.0.0.1:{sentinel_port}/chat"
        summary = run(tmp_path, "--arch", "redis", "--redis-url", url)
    finally:
        sentinel.stop()
        master.stop()
    assert summary["delivered"] == summary["expected"] > 0


@contextlib.contextmanager
def in_tls(folder: Path, target: int) -> Iterator[int]:
    """A port that speaks TLS for the server at another, with a certificate of folder / "redis-ca.pem"."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "redis-ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while chunk := await reader.read(1 << 16):
                writer.write(chunk)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(carry(reader, to_server), carry(from_server, writer), return_exceptions=True)

    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(meet, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def test_a_redis_behind_tls_is_reached_by_whoever_believes_its_certificate(folder: Path) -> None:
    (port,) = free_ports(1)
    plain = server("plain", folder, port)
    try:
        with in_tls(folder, port) as tls_port:
            url = f"rediss://127.0.0.1:{tls_port}"
            believing = RunSettings(arch="redis", redis_url=f"{url}?ssl_ca_certs={folder / 'redis-ca.pem'}")
            assert resolve_brokers(believing) == believing
            with pytest.raises(UsageError, match=r"cannot be reached over TLS.*CERTIFICATE_VERIFY_FAILED"):
                resolve_brokers(RunSettings(arch="redis", redis_url=url))
            with pytest.raises(UsageError, match=r"a file for TLS cannot be read.*No such file"):
                resolve_brokers(RunSettings(arch="redis", redis_url=f"{url}?ssl_ca_certs={folder / 'none.pem'}"))
    finally:
        plain.stop()


def test_a_redis_that_is_full_is_told_as_that(folder: Path, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    full = server("full", folder, port, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
    try:
        url = f"redis://127.0.0.1:{port}"
        answer = chatbench("run", "--arch", "redis-streams", "--redis-url", url, "--out", str(tmp_path), *SHORT)
    finally:
        full.stop()
    assert answer.returncode == 3
    assert "Redis is full" in answer.stderr
    assert "JVM" not in answer.stderr


def test_sentinels_that_ask_for_a_password_are_given_theirs_and_the_master_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master_port, sentinel_port = free_ports(2)
    config = folder / "guarded-sentinel.conf"
    config.write_text(
        f"sentinel monitor chat 127.0.0.1 {master_port} 1\n"
        f'sentinel auth-pass chat {WORD}\nrequirepass "{SENTINELS_WORD}"\n'
    )
    master = server("guarded-master", folder, master_port, "--requirepass", WORD)
    sentinel = server("guarded-sentinel", folder, sentinel_port, str(config), "--sentinel")
    url = f"redis+sentinel://127.0.0.1:{sentinel_port}/chat"
    monkeypatch.setenv(REDIS_PASSWORD, WORD)
    try:
        refused = refusal("run", "--arch", "redis", "--redis-url", url)
        assert f"its password is taken from {SENTINEL_PASSWORD}" in refused
        monkeypatch.setenv(SENTINEL_PASSWORD, SENTINELS_WORD)
        unknown = refusal("run", "--arch", "redis", "--redis-url", url.replace("/chat", "/other"))
        assert f"no sentinel names a master other that is up (127.0.0.1:{sentinel_port} knows of chat)" in unknown
        summary = run(tmp_path, "--arch", "redis", "--redis-url", f"{url}/0")
    finally:
        sentinel.stop()
        master.stop()
    assert summary["delivered"] == summary["expected"] > 0
    written = [path for path in summary["folder"].rglob("*") if path.is_file()]
    secrets = (WORD.encode(), SENTINELS_WORD.encode())
    assert not [path for path in written if any(each in path.read_bytes() for each in secrets)]


@pytest.mark.parametrize("arch", ["redis", "kafka-redis", "redis-sharded"])
def test_a_run_in_a_cluster_reaches_members_whatever_node_their_gateway_is_at(
    arch: str, kafka: Kafka, tmp_path: Path
) -> None:
    cluster = RedisCluster.begin(tmp_path, tmp_path, proxied=False)
    try:
        cluster.finish()
        out = tmp_path / "out"
        on_kafka = ("--kafka-bootstrap", kafka.bootstrap) if arch == "kafka-redis" else ()
        summary = run(out, "--arch", arch, "--gateways", "4", "--redis-url", cluster.url, *on_kafka)
    finally:
        cluster.stop()
    assert summary["delivered"] == summary["expected"] > 0
    assert summary["duplicated"] == summary["reordered"] == 0
