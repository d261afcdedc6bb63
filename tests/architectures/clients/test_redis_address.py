"""The address of Redis, parsed from a URL."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import SSLConnection
from redis.asyncio.sentinel import MasterNotFoundError

from architectures.clients.address import BadAddress, Login
from architectures.clients.redis_address import OPTIONS, Kind, RedisAddress
from architectures.clients.redis_pool import redis_pool, redis_pools

SCHEMES = st.sampled_from(["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"])
QUERIES = st.dictionaries(
    st.sampled_from(["db", "no_such", *OPTIONS]),
    st.sampled_from(["1", "2", "true", "0.5", "771", "none", "x"]),
    max_size=3,
)


@given(SCHEMES, st.text("aé1:.,[]@/?#&=%-_ \n", max_size=20) | st.text(max_size=20), QUERIES)
def test_any_text_is_an_address_that_means_the_same_when_it_is_written_again_or_a_bad_one(
    scheme: str, rest: str, query: dict[str, str]
) -> None:
    said = "&".join(f"{name}={value}" for name, value in query.items())
    for text in (
        rest,
        f"{scheme}://{rest}",
        f"{scheme}://h/{rest}",
        f"{scheme}://h?{said}",
        f"{scheme}://{rest}?{said}",
    ):
        with contextlib.suppress(BadAddress):
            address = RedisAddress.parse(text)
            assert RedisAddress.parse(str(address)) == address
            assert redis_pools(address)


def test_one_server_and_what_its_connections_are_told() -> None:
    address = RedisAddress.parse("rediss://me:sesame@cache.example:6380/2?ssl_ca_certs=/ca.pem&socket_timeout=2")
    told = redis_pool(address).connection_kwargs
    assert (told["host"], told["port"], told["db"], told["username"]) == ("cache.example", 6380, 2, "me")
    assert redis_pool(address).connection_class is SSLConnection
    assert (told["password"], told["ssl_ca_certs"], told["socket_timeout"]) == ("sesame", "/ca.pem", 2.0)
    assert "sesame" not in repr(address)


def test_sentinels_name_their_master() -> None:
    address = RedisAddress.parse("redis+sentinel://me@one,two:26380/mymaster?db=3")
    assert address.nodes == (("one", 26379), ("two", 26380))
    assert (address.kind, address.master, address.database) == (Kind.SENTINELS, "mymaster", 3)
    assert address.login == Login("me")
    assert len(redis_pools(address)) == 1


def test_the_database_behind_sentinels_may_follow_the_masters_name() -> None:
    address = RedisAddress.parse("redis+sentinel://one/name/4")
    assert (address.master, address.database) == ("name", 4)


@pytest.mark.slow
def test_a_master_that_no_sentinel_names_is_one_sentence_without_pythons_clients() -> None:
    pool = redis_pool(RedisAddress.parse("redis+sentinel://127.0.0.1:1/mymaster"))
    with pytest.raises(MasterNotFoundError, match="no sentinel names a master mymaster that is up") as missing:
        asyncio.run(pool.make_connection().connect())  # type: ignore[no-untyped-call]  # redis-py's
    assert "<" not in str(missing.value)


def test_each_node_of_a_cluster_has_a_pool() -> None:
    address = RedisAddress.parse("rediss+cluster://one,[::1]:7001")
    assert address.nodes == (("one", 6379), ("::1", 7001))
    assert [pool.connection_kwargs["port"] for pool in redis_pools(address)] == [6379, 7001]
    assert redis_pool(address).connection_kwargs["port"] in {6379, 7001}


def test_a_time_out_reaches_the_nodes_of_a_cluster_as_a_number() -> None:
    address = RedisAddress.parse("redis+cluster://one?socket_connect_timeout=2")
    assert redis_pool(address).connection_kwargs["socket_connect_timeout"] == 2.0


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://one", "must begin with"),
        ("one:1,two:2", "must begin with"),
        ("redis+ring://one", "must begin with"),
        ("redis+://one", "must begin with"),
        ("redis://one:1,two:2", "several hosts; write redis.cluster:// before the nodes of a cluster"),
        ("redis://", "a host is missing"),
        ("redis+cluster://", "a host is missing"),
        ("redis://one:99999", "the port of one is '99999'"),
        ("redis+cluster://one:many", "the port of one is 'many'"),
        ("redis+sentinel://one:26379", "the master's name"),
        ("redis+sentinel://one/my master", "a character that no address has"),
        ("redis+sentinel://one/my%20master", "the master's name"),
        ("redis+sentinel://one/mymaster/first", "its database is 'first'"),
        ("redis+cluster://one/mymaster", "its database is 'mymaster'"),
        ("redis+cluster://one/1", "a cluster has only database 0"),
        ("redis://one?db=", "its database is '', and must be a number"),
        ("redis://one/x", "its database is 'x', and must be a number"),
        ("redis://one/9999999999", "its database is 9999999999, and the last"),
        ("redis://one/1?db=1", "names its database twice"),
        ("redis://one?no_such=1", "no_such is not among the options that it may set"),
        ("redis://one?retry_on_timeout=1", "retry_on_timeout is not among"),
        ("redis://one?socket_timeout=abc", "its socket_timeout is 'abc', and must be seconds"),
        ("redis://one?socket_timeout=nan", "its socket_timeout is 'nan'"),
        ("redis://one?socket_timeout=1e999", "its socket_timeout is '1e999'"),
        ("redis://one?socket_timeout=1&socket_timeout=2", "it sets socket_timeout twice"),
        ("redis://one?protocol=3", "its protocol is '3', and must be 2"),
        ("redis://one?ssl_cert_reqs=none", "ssl_cert_reqs is for TLS; write rediss"),
        ("rediss://one?ssl_check_hostname=perhaps", "must be true or false"),
        ("redis://one?db", "cannot be decoded"),
        ("redis://one?client_name=%ff", "cannot be decoded"),
        ("redis://one#two", "must begin with"),
        ("redis://me:wo/rd@one", "there is an @ after its hosts"),
    ],
)
def test_what_is_no_address_is_one_clear_sentence(url: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        RedisAddress.parse(url)
