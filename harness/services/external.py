"""Kafka and Redis that are somebody else's: reached for a run, never started, never stopped.

A run leaves nothing there: its topics and groups begin with its own name, and are removed when it is over.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import redis.asyncio
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]  # public, by its docs
from redis.exceptions import RedisError

from architectures.interface import Services
from architectures.kafka_client import admin_client, client_settings
from architectures.redis_address import BadAddress, RedisAddress
from harness.config import RunSettings
from harness.errors import ServiceFailed, UsageError

PASSWORD_VARIABLE = "CHATBENCH_REDIS_PASSWORD"  # noqa: S105 - the name of a variable, not a password
NATS_PASSWORD_VARIABLE = "CHATBENCH_NATS_PASSWORD"  # noqa: S105 - as above
ANSWER_TIMEOUT_S = 10.0
CLUSTER_SETTINGS = (
    *("group.min.session.timeout.ms", "group.max.session.timeout.ms", "group.initial.rebalance.delay.ms"),
    *("group.consumer.session.timeout.ms", "group.consumer.heartbeat.interval.ms"),
    *("min.insync.replicas", "unclean.leader.election.enable", "default.replication.factor"),
    *("num.network.threads", "num.io.threads", "message.max.bytes"),
)
VANISHED_MAX_S = 10.0  # more than a consumer's session
# How brokers are reached and who is believed. What a client does with them is the architecture's, alike for everybody.
REACHING = (
    *("security.", "sasl.", "ssl.", "enable.ssl.", "https.", "broker.address.", "client.dns."),
    *("socket.", "reconnect.", "metadata.max.age", "client.rack"),
)


def external_services(settings: RunSettings) -> Services:
    """What the settings name, with its secrets; nothing of what is to be started here. Raises UsageError."""
    return Services(
        kafka_bootstrap=settings.kafka_bootstrap,
        redis_url=None if settings.redis_url is None else _redis_url(settings.redis_url),
        nats_url=None if settings.nats_url is None else _nats_url(settings.nats_url),
        kafka_settings={} if settings.kafka_properties is None else _properties(Path(settings.kafka_properties)),
    )


def all_external(every: Sequence[RunSettings]) -> Services:
    """What these runs together do not start. One command asked for them, so no two name different ones."""
    kafka = next((each for each in every if each.kafka_bootstrap is not None), None)
    redis_too = next((each for each in every if each.redis_url is not None), None)
    nats_too = next((each for each in every if each.nats_url is not None), None)
    return Services(
        kafka_bootstrap=None if kafka is None else kafka.kafka_bootstrap,
        kafka_settings={} if kafka is None else external_services(kafka).kafka_settings,
        redis_url=None if redis_too is None else external_services(redis_too).redis_url,
        nats_url=None if nats_too is None else external_services(nats_too).nats_url,
    )


def _with_password(option: str, url: str, variable: str) -> str:
    """The password comes from the environment: records and lists of processes show what is on the command line."""
    parts = urlsplit(url)
    user, _at, hosts = parts.netloc.rpartition("@")
    if ":" in user:
        raise UsageError(f"{option} has a password in it, which records would show; leave it out and set {variable}")
    password = os.environ.get(variable)
    return url if password is None else parts._replace(netloc=f"{user}:{quote(password, safe='')}@{hosts}").geturl()


def _nats_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"nats", "tls"} or not parts.netloc:
        raise UsageError(f"--nats-url is {url!r}, but it must be nats://HOST:PORT, or tls://HOST:PORT")
    return _with_password("--nats-url", url, NATS_PASSWORD_VARIABLE)


def _redis_url(url: str) -> str:
    full = _with_password("--redis-url", url, PASSWORD_VARIABLE)
    try:
        RedisAddress.parse(full)
    except BadAddress as problem:
        raise UsageError(f"--redis-url is {url!r}, but {problem}") from problem
    return full


def _properties(file: Path) -> Mapping[str, str]:
    """key=value lines, as librdkafka's own examples have them; raises UsageError."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"--kafka-properties {str(file)!r} cannot be read ({problem}); name a text file") from problem
    settings = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith(("#", "!")):
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise UsageError(f"--kafka-properties {str(file)!r}, line {number}: write it as key=value")
        if key == "sasl.jaas.config":
            raise UsageError(
                f"--kafka-properties {str(file)!r}, line {number}: {key} is for Java; "
                "write sasl.username=... and sasl.password=..."
            )
        if not key.startswith(REACHING):
            raise UsageError(
                f"--kafka-properties {str(file)!r}, line {number}: {key} is not about how brokers are reached; "
                "leave it out, so that all runs are made alike (acks is --arch-set acks=...)"
            )
        settings[key] = value
    return settings


def reached(settings: RunSettings) -> RunSettings:
    """The same with the number of brokers that are there. Raises UsageError where nobody answers."""
    services = external_services(settings)
    if services.redis_url is not None:
        asyncio.run(_ping(services.redis_url, str(settings.redis_url)))
    if services.nats_url is not None:
        asyncio.run(_ask_nats(services.nats_url, str(settings.nats_url)))
    if services.kafka_bootstrap is None:
        return settings
    if settings.brokers != 1:
        raise UsageError(
            f"--brokers is {settings.brokers}, but at --kafka-bootstrap there are as many as there are; leave it out"
        )
    return msgspec.structs.replace(settings, brokers=_brokers(services))


def _brokers(services: Services) -> int:
    reasons: list[str] = []  # librdkafka's own, as a wrong password; what it raises says only that nobody answered
    try:
        settings: dict[str, Any] = client_settings(services)
        settings["error_cb"] = lambda error: reasons.append(error.str())
        admin = AdminClient(settings)
        try:
            return len(admin.list_topics(timeout=ANSWER_TIMEOUT_S).brokers)
        except KafkaException:
            admin.poll(0)
            raise
    except KafkaException as problem:
        why = reasons[0] if reasons else problem.args[0].str()
        raise UsageError(
            f"--kafka-bootstrap is {services.kafka_bootstrap!r}, but no broker answered there: {why}; "
            "name HOST:PORT,... and, where they ask who you are, --kafka-properties"
        ) from problem


async def _ping(url: str, shown: str) -> None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            for pool in RedisAddress.parse(url).pools():
                async with redis.asyncio.Redis.from_pool(pool) as client:
                    await client.execute_command("PING")  # type: ignore[no-untyped-call]  # redis-py's
    except (RedisError, OSError) as problem:
        raise UsageError(
            f"--redis-url is {shown!r}, but Redis did not answer there: {problem or type(problem).__name__}; "
            f"a password is taken from {PASSWORD_VARIABLE}"
        ) from problem


async def _ask_nats(url: str, shown: str) -> None:
    import nats  # noqa: PLC0415 - a tenth of a second, only where there is one to ask
    import nats.errors  # noqa: PLC0415 - as above

    from architectures.nats_client import servers_and_user  # noqa: PLC0415 - as above

    servers, user = servers_and_user(url)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            # Not sixty times, every two seconds, as nats-py would knock.
            few = {"max_reconnect_attempts": 1, "reconnect_time_wait": 0.1}
            client = await nats.connect(servers, **user, **few, error_cb=_quietly)
            await client.close()
    except (nats.errors.Error, OSError) as problem:
        raise UsageError(
            f"--nats-url is {shown!r}, but NATS did not answer there: {problem or type(problem).__name__}; "
            f"a password is taken from {NATS_PASSWORD_VARIABLE}"
        ) from problem


async def _quietly(_problem: Exception) -> None:
    """What is wrong is raised as well."""


def cluster_settings(services: Services) -> dict[str, str]:
    """What the owner of the cluster has set of CLUSTER_SETTINGS; a run is as quick to notice a loss as they allow."""
    try:
        admin = admin_client(services)
        node = min(admin.list_topics(timeout=ANSWER_TIMEOUT_S).brokers)
        asked = ConfigResource(ConfigResource.Type.BROKER, str(node))
        told = admin.describe_configs([asked], request_timeout=ANSWER_TIMEOUT_S)[asked].result(ANSWER_TIMEOUT_S)
    except (KafkaException, TimeoutError) as problem:
        return {"not measured": str(problem)}  # to read settings may be forbidden here
    return {name: str(told[name].value) for name in CLUSTER_SETTINGS if name in told}


def remove_traces(services: Services, prefix: str) -> None:
    """Delete the topics and groups that begin so, and nobody else's; raises ServiceFailed if they stay."""
    if services.kafka_bootstrap is None:
        return
    try:
        admin = admin_client(services)
        topics = [name for name in admin.list_topics(timeout=ANSWER_TIMEOUT_S).topics if name.startswith(prefix)]
        if topics:
            _done(admin.delete_topics(topics, request_timeout=ANSWER_TIMEOUT_S))
        _remove_groups(admin, prefix)
    except (KafkaException, TimeoutError) as problem:
        raise ServiceFailed(
            f"what was made in Kafka could not be removed ({problem}); delete what begins with {prefix}"
        ) from problem


def _remove_groups(admin: AdminClient, prefix: str) -> None:
    deadline = time.monotonic() + VANISHED_MAX_S
    while True:
        listed = admin.list_consumer_groups(request_timeout=ANSWER_TIMEOUT_S).result()
        groups = [group.group_id for group in listed.valid if group.group_id.startswith(prefix)]
        if not groups:
            return None
        try:
            return _done(admin.delete_consumer_groups(groups, request_timeout=ANSWER_TIMEOUT_S))
        except KafkaException as problem:
            # Of a gateway that was killed, the broker learns only when its session has run out.
            if problem.args[0].code() != KafkaError.NON_EMPTY_GROUP or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def _done(deleted: Mapping[str, Future[None]]) -> None:
    wait(deleted.values(), ANSWER_TIMEOUT_S)
    for each in deleted.values():
        each.result(0)
