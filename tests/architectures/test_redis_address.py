"""Where Redis is, from a URL."""

from __future__ import annotations

import pytest

from architectures.redis_address import BadAddress, RedisAddress


def test_one_server_is_read_by_redis_py() -> None:
    pool = RedisAddress.parse("rediss://me:word@cache.example:6380/2?ssl_ca_certs=/ca.pem").pool()
    told = pool.connection_kwargs
    assert (told["host"], told["port"], told["db"], told["username"]) == ("cache.example", 6380, 2, "me")
    assert told["ssl_ca_certs"] == "/ca.pem"


def test_sentinels_name_their_master() -> None:
    address = RedisAddress.parse("redis+sentinel://me@one,two:26380/mymaster?db=3")
    assert address.nodes == (("one", 26379), ("two", 26380))
    assert (address.service, address.options) == ("mymaster", {"username": "me", "db": "3"})
    assert len(address.pools()) == 1


def test_each_node_of_a_cluster_has_a_pool() -> None:
    address = RedisAddress.parse("rediss+cluster://one,[::1]:7001")
    assert address.nodes == (("one", 6379), ("::1", 7001))
    assert [pool.connection_kwargs["port"] for pool in address.pools()] == [6379, 7001]
    assert address.pool().connection_kwargs["port"] in {6379, 7001}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://one", "must begin with"),
        ("redis+ring://one", "must begin with"),
        ("redis+sentinel://one:26379", "the master's name"),
        ("redis+cluster://one/mymaster", "the master's name"),
        ("redis+cluster://one:many", "no list of HOST:PORT"),
        ("redis+cluster://", "no list of HOST:PORT"),
    ],
)
def test_what_is_no_address_is_one_clear_sentence(url: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        RedisAddress.parse(url)
