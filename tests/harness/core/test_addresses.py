"""Addresses on the command line: every text is valid or an error of one sentence, and no secret is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from architectures.plan1 import Plan1
from architectures.redis_streams import RedisStreams
from harness.cli.main import main
from harness.core.addresses import gateway_url, host_port, kafka_hosts, nats_address, redis_address, web_origin
from harness.core.errors import UsageError
from harness.core.registry import load_candidate
from harness.core.settings import RunSettings
from harness.core.token import TOKEN_VARIABLE
from harness.core.validation import validate

Parse = Callable[[str], object]
KINDS: dict[str, Parse] = {
    "--listen": lambda text: host_port("--listen", text),
    "--kafka-bootstrap": lambda text: ",".join(map(str, kafka_hosts(text))),
    "--redis-url": redis_address,
    "--nats-url": nats_address,
    "--gateways-at": lambda text: gateway_url("--gateways-at", text),
    "--origin": lambda text: web_origin("--origin", text),
}
BEGINNINGS = st.sampled_from(
    ["", "redis://", "redis+sentinel://", "nats://", "ws://", "https://", "h", "[::1]:1", "ws://h:1"]
)


@pytest.mark.parametrize("option", KINDS)
@given(beginning=BEGINNINGS, rest=st.text("aé01:.,[]@/?#&=%-_ \n\0\ud800", max_size=20) | st.text(max_size=20))
def test_any_text_is_an_address_that_means_the_same_when_it_is_written_again_or_one_sentence(
    option: str, beginning: str, rest: str
) -> None:
    try:
        parsed = KINDS[option](beginning + rest)
    except UsageError as refused:
        assert str(refused).startswith(option)  # noqa: PT017 - what is parsed is as good an answer
    else:
        assert KINDS[option](str(parsed)) == parsed


@pytest.mark.parametrize(
    ("option", "written", "says"),
    [
        ("--listen", "9001", "it must be HOST:PORT, as in 192.168.1.20:9001"),
        ("--listen", "127.0.0.1:0", "the port of 127.0.0.1 is '0', and must be between 1 and 65535"),
        ("--kafka-bootstrap", "kafka:99999", "the port of kafka is '99999'"),
        ("--kafka-bootstrap", "kafka:abc", "the port of kafka is 'abc'"),
        ("--kafka-bootstrap", "one:1,", "a host is missing"),
        ("--kafka-bootstrap", "SSL://one:9093", "the protocol is set in --kafka-properties"),
        ("--kafka-bootstrap", "me:sesame@one:9093", "it must not contain a name or a password"),
        ("--redis-url", "redis://one?no_such=1", "no_such is not among"),
        ("--redis-url", "redis://me:sesame@one", "contains a password.*CHATBENCH_REDIS_PASSWORD"),
        ("--redis-url", "me:sesame@one", "contains a password"),
        ("--redis-url", "redis://one?password=sesame", "'password' after its ..*set CHATBENCH_REDIS_PASSWORD"),
        ("--redis-url", "redis://one?no_such=1&pass%77ord=sesame", "'password' after its ."),
        ("--redis-url", "redis+sentinel://one/m?sentinel_password=sesame", "set CHATBENCH_SENTINEL_PASSWORD"),
        ("--redis-url", "rediss://one?ssl_password=sesame", "use a key without a password"),
        ("--redis-url", "redis://one?username=me", "write it before the host, as USER@HOST"),
        ("--nats-url", "nats://one?token=sesame", "'token' after its ."),
        ("--nats-url", "nats://me:sesame@one", "contains a password.*CHATBENCH_NATS_PASSWORD"),
        ("--gateways-at", "http://one:1", "it must be a gateway's address, such as ws://"),
        ("--gateways-at", "ws://one", "one has no port"),
        ("--gateways-at", "ws://sesame@one:1", "more than a host and its port"),
        ("--gateways-at", "ws://one:1?token=sesame", "more than a host and its port"),
        ("--origin", "chat.example", "it must be a web page's origin"),
        ("--origin", "ftp://chat.example", "does not begin with http:// or https://"),
        ("--origin", "https://chat.example/page", "more than a host and its port"),
    ],
)
def test_what_cannot_be_says_what_would_be_right_and_shows_no_secret(option: str, written: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        KINDS[option](written)
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("option", "written", "means"),
    [
        ("--kafka-bootstrap", "one, [::1]:9093", "one:9092,[::1]:9093"),
        ("--redis-url", "redis://me@one", "redis://me@one:6379/0"),
        ("--redis-url", "redis+sentinel://one,two/name/0", "redis+sentinel://one:26379,two:26379/name/0"),
        (
            "--redis-url",
            "redis+cluster://h?socket_connect_timeout=2",
            "redis+cluster://h:6379?socket_connect_timeout=2.0",
        ),
        ("--nats-url", "tls://me@one,two:1", "tls://me@one:4222,two:1"),
        ("--gateways-at", "WS://[::1]:1/", "ws://[::1]:1"),
        ("--origin", "https://Chat.example:443/", "https://chat.example"),
        ("--origin", "http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_what_is_an_address_means_one_thing(option: str, written: str, means: str) -> None:
    assert str(KINDS[option](written)) == means


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (RunSettings(arch="plan1", kafka_bootstrap="one:99999"), "the port of one"),
        (RunSettings(arch="redis", redis_url="redis://one?socket_timeout=abc"), "must be seconds"),
        (RunSettings(arch="plan1", redis_url="redis://one?password=sesame"), "which records would show"),
        (RunSettings(arch="nats", nats_url="nats://"), "a host is missing"),
        (RunSettings(arch="direct", gateways_at=("ws://one:1?token=sesame",)), "more than a host and its port"),
        (RunSettings(arch="direct", metrics="here"), "--metrics is 'here'"),
        (RunSettings(arch="direct", master_bind="127.0.0.1:0"), "--master-bind is '127.0.0.1:0'"),
        (RunSettings(arch="redis-streams", redis_url="redis+cluster://one"), "redis-streams cannot use a cluster"),
        (RunSettings(arch="redis-sharded", redis_url="redis+sentinel://one/m"), "redis-sharded needs a cluster"),
    ],
)
def test_a_run_is_refused_before_anything_is_reached_or_written(settings: RunSettings, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        validate(settings, load_candidate(settings.arch))
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("arch", ["redis", "kafka-redis", "redis-sharded"])
def test_what_works_at_any_node_of_a_cluster_may_use_one(arch: str) -> None:
    validate(RunSettings(arch=arch, redis_url="redis+cluster://one,two"), load_candidate(arch))


@pytest.mark.parametrize("url", ["redis://one", "rediss://one", "redis+sentinel://one/m"])
def test_streams_may_use_what_is_one_server(url: str) -> None:
    validate(RunSettings(arch="redis-streams", redis_url=url), RedisStreams)


@pytest.mark.parametrize(
    "token", ["a token beyond ascii é", "0123456789abcdef\n", "0123456789 abcdef", "0123456789abcdef\udcff"]
)
def test_a_token_that_no_header_can_carry_is_one_sentence(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(UsageError, match=f"{TOKEN_VARIABLE} holds a character.*openssl rand -hex 16") as refused:
        validate(RunSettings(arch="plan1"), Plan1)
    assert token not in str(refused.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--arch", "redis", "--redis-url", "redis://me:sesame@one"),
        ("--arch", "redis", "--redis-url", "redis://one?password=sesame"),
        ("--arch", "redis", "--redis-url", "one:1,two:1"),
        ("--arch", "redis-streams", "--redis-url", "redis+cluster://one"),
        ("--arch", "nats", "--nats-url", "nats://sesame@one"),
        ("--arch", "plan1", "--kafka-bootstrap", "me:sesame@one:9092"),
        ("--arch", "direct", "--gateways-at", "ws://one:1?token=sesame"),
    ],
)
def test_the_command_line_exits_with_2_and_writes_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["run", *arguments, "--out", str(tmp_path / "out")])
    assert answer.exit_code == 2
    assert "sesame" not in answer.output
    assert not (tmp_path / "out").exists()
