"""External Kafka and Redis, before anything connects to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from architectures.clients.nats_address import NatsAddress
from architectures.clients.redis_address import RedisAddress
from architectures.interface import Services
from harness.core.addresses import NATS_PASSWORD, NATS_TOKEN, REDIS_PASSWORD, SENTINEL_PASSWORD
from harness.core.errors import ServiceFailed, UsageError
from harness.core.registry import load_architecture
from harness.core.settings import RunSettings
from harness.core.validation import validate
from harness.services.external import all_external, external_services, resolve_brokers
from harness.services.kafka.external import remove_traces

SOMEBODYS = "broker.example:9092"


def with_properties(tmp_path: Path, text: str) -> RunSettings:
    file = tmp_path / "client.properties"
    file.write_text(text, encoding="utf-8", newline="")
    return RunSettings(arch="plan1", kafka_bootstrap=SOMEBODYS, kafka_properties=str(file))


def test_a_properties_file_says_how_brokers_are_reached(tmp_path: Path) -> None:
    text = "# ours\nsecurity.protocol=SASL_SSL\n\nsasl.username = chat\nsasl.password=a=b\n"
    services = external_services(with_properties(tmp_path, text))
    assert services.kafka_settings == {
        "security.protocol": "SASL_SSL",
        "sasl.username": "chat",
        "sasl.password": "a=b",
    }
    assert "a=b" not in repr(services)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_properties_file_may_begin_with_a_byte_order_mark_and_hold_any_text(tmp_path: Path, mark: str) -> None:
    text = f"{mark}sasl.username=chat\r\nsasl.password=é\u2028=ü\r\n"
    assert external_services(with_properties(tmp_path, text)).kafka_settings == {
        "sasl.username": "chat",
        "sasl.password": "é\u2028=ü",
    }


def test_what_librdkafka_does_not_take_is_told_of_the_properties_and_not_of_the_brokers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--kafka-properties: .*security.protocol.*write what librdkafka takes"):
        resolve_brokers(with_properties(tmp_path, "security.protocol=magic"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sasl.password=a\0b", "line 1: it holds a character that is not text"),
        ("security.protocol", "line 1: write it as key=value"),
        ("\nsasl.jaas.config=org.apache...", "line 2: sasl.jaas.config is for Java"),
        ("acks=0", "acks is not about how brokers are reached"),
        ("linger.ms=100", "so that all runs are made alike"),
    ],
)
def test_what_a_properties_file_may_not_say_is_one_clear_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        external_services(with_properties(tmp_path, text))


def test_a_properties_file_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    settings = RunSettings(arch="plan1", kafka_bootstrap=SOMEBODYS, kafka_properties=str(tmp_path / "none"))
    with pytest.raises(UsageError, match="cannot be read"):
        external_services(settings)


def test_the_password_of_redis_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REDIS_PASSWORD, "a:b/c@d")
    settings = RunSettings(arch="redis", redis_url="redis+sentinel://me@one,two/mymaster")
    assert "a%3Ab" not in repr(external_services(settings))
    assert external_services(settings).redis_url == "redis+sentinel://me:a%3Ab%2Fc%40d@one:26379,two:26379/mymaster/0"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://me:word@one", "contains a password"),
        ("http://one", "must begin with"),
        ("one:6379", "must begin with"),
    ],
)
def test_an_address_of_redis_that_cannot_be_is_one_clear_sentence(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        external_services(RunSettings(arch="redis", redis_url=url))
    assert "word" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (RunSettings(arch="redis", kafka_bootstrap=SOMEBODYS), "redis uses no Kafka"),
        (RunSettings(arch="plan1", redis_url="redis://one"), "plan1 uses no Redis"),
        (RunSettings(arch="redis", nats_url="nats://one"), "redis uses no NATS"),
        (RunSettings(arch="redis-sharded", redis_url="redis://one"), "needs a cluster; name its nodes"),
        (RunSettings(arch="plan1", kafka_properties="f"), "name them with --kafka-bootstrap"),
        (
            RunSettings(arch="plan1", kafka_bootstrap=SOMEBODYS, faults=("restart:broker",)),
            "a backend that the run did not start",
        ),
        (
            RunSettings(arch="plan1", kafka_bootstrap=SOMEBODYS, faults=("cut:gateway-broker",)),
            "a backend that the run did not start",
        ),
    ],
)
def test_what_does_not_fit_what_is_external_is_one_clear_sentence(settings: RunSettings, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        validate(settings, load_architecture(settings.arch))


def test_own_gateways_may_be_broken_on_somebody_elses_brokers() -> None:
    settings = RunSettings(arch="plan1", kafka_bootstrap=SOMEBODYS, faults=("kill:gateway", "slow:members"))
    validate(settings, load_architecture("plan1"))


def test_the_number_of_brokers_is_not_asked_for_where_they_are_somebody_elses() -> None:
    with pytest.raises(UsageError, match="leave it out"):
        resolve_brokers(RunSettings(arch="plan1", kafka_bootstrap=SOMEBODYS, brokers=3))


def test_a_redis_that_does_not_answer_is_one_clear_sentence() -> None:
    with pytest.raises(UsageError, match=r"Redis did not answer there.*; name one that runs") as refused:
        resolve_brokers(RunSettings(arch="redis", redis_url="redis://127.0.0.1:1"))
    assert REDIS_PASSWORD not in str(refused.value), "it is not why"


@pytest.mark.slow
def test_sentinels_that_do_not_answer_are_one_sentence_without_pythons_clients() -> None:
    with pytest.raises(UsageError, match="no sentinel names a master mymaster that is up") as refused:
        resolve_brokers(RunSettings(arch="redis", redis_url="redis+sentinel://127.0.0.1:1/mymaster"))
    assert "<" not in str(refused.value)


def test_the_password_of_sentinels_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SENTINEL_PASSWORD, "a&b\n")
    settings = RunSettings(arch="redis", redis_url="redis+sentinel://one/mymaster")
    url = external_services(settings).redis_url
    assert url is not None
    address = RedisAddress.parse(url)
    assert (address.sentinel_password, address.login.password) == ("a&b\n", None)
    one_server = external_services(RunSettings(arch="redis", redis_url="redis://one"))
    assert one_server.redis_url == "redis://one:6379/0", "nobody else is told"


@pytest.mark.parametrize("variable", [REDIS_PASSWORD, SENTINEL_PASSWORD])
def test_a_password_may_be_any_text_but_not_bytes_that_are_none(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RunSettings(arch="redis", redis_url="redis+sentinel://one/mymaster")
    monkeypatch.setenv(variable, "é \n%")
    assert external_services(settings).redis_url is not None
    monkeypatch.setenv(variable, "\udcff")
    with pytest.raises(UsageError, match=f"{variable} holds bytes that are no UTF-8"):
        external_services(settings)


def test_runs_of_one_command_share_what_is_external() -> None:
    runs = [
        RunSettings(arch="direct"),
        RunSettings(arch="plan1", kafka_bootstrap=SOMEBODYS),
        RunSettings(arch="redis", redis_url="redis://one"),
    ]
    services = all_external(runs)
    assert (services.kafka_bootstrap, services.redis_url) == (SOMEBODYS, "redis://one:6379/0")


def test_what_cannot_be_removed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.services.kafka.external.ANSWER_TIMEOUT_S", 0.5)
    with pytest.raises(ServiceFailed, match="delete what begins with chatbench-12345678-"):
        remove_traces(Services(kafka_bootstrap="127.0.0.1:1"), "chatbench-12345678-")


def test_where_no_brokers_are_external_nothing_is_asked() -> None:
    remove_traces(Services(), "chatbench-12345678")


def test_the_password_of_nats_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBENCH_NATS_PASSWORD", "a:b@c")
    settings = RunSettings(arch="nats", nats_url="nats://me@one:4222")
    assert external_services(settings).nats_url == "nats://me:a%3Ab%40c@one:4222"
    with pytest.raises(UsageError, match="NATS_PASSWORD is set, but --nats-url names no user"):
        external_services(RunSettings(arch="nats", nats_url="nats://one"))
    with pytest.raises(UsageError, match="contains a password"):
        external_services(RunSettings(arch="nats", nats_url="nats://me:word@one"))
    with pytest.raises(UsageError, match="must be nats://HOST:PORT"):
        external_services(RunSettings(arch="nats", nats_url="redis://one"))


def test_the_token_of_nats_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bare, named = (RunSettings(arch="nats", nats_url=f"nats://{who}one") for who in ("", "sesame@"))
    with pytest.raises(UsageError, match=f"whom NATS would take for a token; set {NATS_PASSWORD}, or") as refused:
        external_services(named)
    assert "sesame" not in str(refused.value)
    monkeypatch.setenv(NATS_TOKEN, "tök en\n")
    url = external_services(bare).nats_url
    assert url is not None
    assert NatsAddress.parse(url).proof == {"token": "tök en\n"}
    monkeypatch.setenv(NATS_PASSWORD, "word")
    with pytest.raises(UsageError, match=f"{NATS_TOKEN} is set; leave one of them out"):
        external_services(named)


def test_a_nats_that_nobody_answers_for_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"--nats-url is 'nats://127.0.0.1:1', but NATS did not answer there"):
        resolve_brokers(RunSettings(arch="nats", nats_url="nats://127.0.0.1:1"))
