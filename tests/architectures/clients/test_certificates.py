"""Servers with an untrusted or expired certificate: the error is reported at once and not retried."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from architectures.interface import Architecture, GoneForGood, Services, Topology
from architectures.nats import Nats
from architectures.redis_pubsub import RedisPubSub
from architectures.redis_streams import RedisStreams
from harness.services.nats.server import find_nats_server, has_nats_server
from harness.services.ports import free_ports
from harness.services.processes import spawn, wait_until_listening

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
AT_ONCE_S = 10.0


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with ca.pem, and a certificate of 127.0.0.1 that was good in 2020."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=30))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    return tmp_path


async def opened(architecture: type[Architecture], services: Services) -> None:
    gateway = architecture(services, Topology(run_id="tls", gateways=1), 0)
    await gateway.open(lambda _batch: None, lambda _problem: None, lambda _rooms: None)


@pytest.mark.skipif(not has_nats_server(), reason="there is no nats-server here")
def test_nats(certificate: Path) -> None:
    (port,) = free_ports(1)
    keys = ["--tlscert", str(certificate / "cert.pem"), "--tlskey", str(certificate / "key.pem")]
    argv = [str(find_nats_server()), "--addr", "127.0.0.1", "--port", str(port), "--tls", *keys]
    child = spawn("nats", argv, certificate / "nats.log")
    try:
        wait_until_listening(child, port, 15.0)
        with pytest.raises(GoneForGood, match=r"cannot be reached over TLS.*certificate"):
            asyncio.run(asyncio.wait_for(opened(Nats, Services(nats_url=f"tls://127.0.0.1:{port}")), AT_ONCE_S))
    finally:
        child.kill()


@pytest.mark.parametrize("architecture", [RedisPubSub, RedisStreams])
def test_redis(certificate: Path, architecture: type[Architecture]) -> None:
    with tls_server(certificate) as port:
        url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate / 'ca.pem'}"
        with pytest.raises(GoneForGood, match=r"cannot be reached over TLS.*certificate has expired"):
            asyncio.run(asyncio.wait_for(opened(architecture, Services(redis_url=url)), AT_ONCE_S))


@contextlib.contextmanager
def tls_server(certificate: Path) -> Iterator[int]:
    """Something that shows the certificate: no server of Redis is asked for more, since nobody goes on after that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):  # closed at the end
                while True:
                    connection, _ = listening.accept()
                    with contextlib.suppress(OSError):  # the client goes when it has seen the certificate
                        context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=answer, daemon=True).start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
