"""Kafka, Redis and NATS that somebody else runs: a run uses them, and neither starts nor stops them.

A run leaves nothing there: its topics and groups begin with its own name, and are removed when it is over.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from architectures.clients.address import Login
from architectures.clients.kafka_settings import client_settings
from architectures.clients.nats_address import NatsAddress
from architectures.clients.redis_address import Kind, RedisAddress
from architectures.interface import Services
from harness.core.addresses import (
    NATS_PASSWORD,
    NATS_TOKEN,
    REDIS_PASSWORD,
    SENTINEL_PASSWORD,
    kafka_hosts,
    nats_address,
    redis_address,
)
from harness.core.errors import UsageError
from harness.core.settings import RunSettings
from harness.services.backends import merged

ANSWER_TIMEOUT_S = 10.0
# Settings that may be given: how brokers are reached, and who is trusted. What a client does with the brokers is up to
# the architecture, so that all runs are made alike.
REACHING = (
    *("security.", "sasl.", "ssl.", "enable.ssl.", "https.", "broker.address.", "client.dns."),
    *("socket.", "reconnect.", "metadata.max.age", "client.rack"),
)


def external_services(settings: RunSettings) -> Services:
    """The backends that the settings name, with their secrets, and none of those to start here. Raises UsageError."""
    return Services(
        kafka_bootstrap=None if settings.kafka_bootstrap is None else _kafka(settings.kafka_bootstrap),
        redis_url=None if settings.redis_url is None else str(_redis(settings.redis_url)),
        nats_url=None if settings.nats_url is None else str(_nats(settings.nats_url)),
        kafka_settings={} if settings.kafka_properties is None else _properties(Path(settings.kafka_properties)),
    )


def all_external(every: Sequence[RunSettings]) -> Services:
    """The external backends of all these runs. One command asked for them, so no two name different ones."""
    return merged(external_services(each) for each in every)


def _kafka(given: str) -> str:
    return ",".join(map(str, kafka_hosts(given)))


def _redis(given: str) -> RedisAddress:
    """The address with its passwords, which come from the environment: a command line is visible to others."""
    address = redis_address(given)
    login = replace(address.login, password=_secret(REDIS_PASSWORD))
    behind_sentinels = address.kind is Kind.SENTINELS
    return replace(address, login=login, sentinel_password=_secret(SENTINEL_PASSWORD) if behind_sentinels else None)


def _nats(given: str) -> NatsAddress:
    """The address with its password or token, from the environment as in _redis."""
    address = nats_address(given)
    password, token = _secret(NATS_PASSWORD), _secret(NATS_TOKEN)
    if address.login.user is not None:
        if password is None:
            raise UsageError(
                f"--nats-url names somebody without a password, whom NATS would take for a token; "
                f"set {NATS_PASSWORD}, or leave the name out and set {NATS_TOKEN}"
            )
        if token is not None:
            raise UsageError(f"--nats-url names a user, and {NATS_TOKEN} is set; leave one of them out")
        return replace(address, login=replace(address.login, password=password))
    if password is not None:
        raise UsageError(f"{NATS_PASSWORD} is set, but --nats-url names no user; write nats://USER@HOST:PORT")
    return replace(address, login=Login(token))


def _secret(variable: str) -> str | None:
    """The value of an environment variable, which may be any text; raises UsageError for bytes that are not UTF-8."""
    secret = os.environ.get(variable) or None
    if secret is not None and any("\ud800" <= each <= "\udfff" for each in secret):
        raise UsageError(f"{variable} holds bytes that are no UTF-8; write it in UTF-8")
    return secret


def _properties(file: Path) -> Mapping[str, str]:
    """Read key=value lines, the format of librdkafka's own examples; raises UsageError."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # a BOM is optional; other line ends may be in a value
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"--kafka-properties {str(file)!r} cannot be read ({problem}); name a text file") from problem
    settings = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith(("#", "!")):
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if any(each < " " and each != "\t" for each in line):
            raise UsageError(f"--kafka-properties {str(file)!r}, line {number}: it holds a character that is not text")
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


def resolve_brokers(settings: RunSettings) -> RunSettings:
    """The same settings with the number of external brokers. Raises UsageError if a backend does not answer."""
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
    """How many brokers there are. Raises UsageError if none answers."""
    reasons: list[str] = []  # from librdkafka, as a wrong password: its exception says only that none answered
    try:
        settings: dict[str, Any] = client_settings(services)
        settings["error_cb"] = lambda error: reasons.append(error.str())
        with _admin_of_user(settings) as admin:
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


def _admin_of_user(settings: dict[str, Any]) -> AdminClient:
    """A client with the user's settings; raises UsageError if librdkafka does not take them. No broker is asked."""
    try:
        return AdminClient(settings)
    except (KafkaException, TypeError, ValueError) as problem:
        why = problem.args[0].str() if isinstance(problem, KafkaException) else problem
        raise UsageError(f"--kafka-properties: {why}; write what librdkafka takes") from problem


async def _ping(url: str, shown: str) -> None:
    import redis.asyncio  # noqa: PLC0415 - it takes 0.2 s, and few runs need it
    from redis.exceptions import AuthenticationError, RedisError  # noqa: PLC0415 - as above

    from architectures.clients.redis_pool import redis_pools  # noqa: PLC0415 - as above

    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            for pool in redis_pools(RedisAddress.parse(url)):
                async with redis.asyncio.Redis.from_pool(pool) as client:
                    await client.execute_command("PING")  # type: ignore[no-untyped-call]  # redis-py's
    except (RedisError, OSError) as problem:
        variable = SENTINEL_PASSWORD if isinstance(problem.__cause__, AuthenticationError) else REDIS_PASSWORD
        asked_who = isinstance(problem, AuthenticationError) or variable == SENTINEL_PASSWORD
        why = _why("Redis", problem, f"its password is taken from {variable}" if asked_who else None)
        raise UsageError(f"--redis-url is {shown!r}, but {why}") from problem


def _why(backend: str, problem: Exception, of_login: str | None) -> str:
    """What went wrong, and what to do; `of_login` is given if the backend refused the login."""
    from redis.exceptions import ResponseError  # noqa: PLC0415 - as above

    told = " ".join(str(problem).split()).rstrip(".") or type(problem).__name__
    if of_login is not None:
        return f"{backend} does not let chatbench in there: {told}; {of_login}"
    if isinstance(problem, TimeoutError) and not problem.args:
        return f"{backend} did not answer there within {ANSWER_TIMEOUT_S:g} s; name one that runs"
    causes = list(_causes(problem))
    if any(isinstance(each, FileNotFoundError | PermissionError | IsADirectoryError) for each in causes):
        return f"a file for TLS cannot be read: {told}; name one that can be read"
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return f"{backend} cannot be reached over TLS: {told}; check its certificate, and which authorities you trust"
    if isinstance(problem, ResponseError):
        return f"{backend} refused the request: {told}; give the user that right"
    return f"{backend} did not answer there: {told}; name one that runs"


def _causes(problem: BaseException | None) -> Iterator[BaseException]:
    """The problem, and the exceptions that led to it."""
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__


async def _ask_nats(url: str, shown: str) -> None:
    import nats  # noqa: PLC0415 - it takes a tenth of a second, and few runs need it
    import nats.errors  # noqa: PLC0415 - as above

    address = NatsAddress.parse(url)
    reasons: list[Exception] = []  # from the servers: the exception says only that none of them was usable

    async def note(reason: Exception) -> None:
        reasons.append(reason)

    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            # nats-py would try sixty times, every two seconds.
            few = {"max_reconnect_attempts": 1, "reconnect_time_wait": 0.1}
            client = await nats.connect(address.servers, **address.proof, **few, error_cb=note)
            await client.close()
    except (nats.errors.Error, OSError) as problem:
        told = reasons[0] if reasons else problem
        asked_who = "authorization" in str(told).lower()
        of_login = f"a password is taken from {NATS_PASSWORD}, a token from {NATS_TOKEN}" if asked_who else None
        raise UsageError(f"--nats-url is {shown!r}, but {_why('NATS', told, of_login)}") from problem
