"""An embedded Redis cluster: three servers on loopback that share the slots, none of them replicated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from architectures.interface import Services
from harness.core.errors import ServiceFailed
from harness.services.borrowed import describe, read_description
from harness.services.one_server import START_TIMEOUT_S
from harness.services.ports import free_ports
from harness.services.processes import Child
from harness.services.redis.metrics import RedisCounters, read_counters
from harness.services.redis.server import Lent, RedisServer, start_at

if TYPE_CHECKING:
    import redis

NODES = 3
SLOTS = 16384  # as in architectures.clients.redis_cluster, which imports redis-py: 0.2 s that few runs need


@dataclass(slots=True)
class RedisCluster:
    """A cluster: `begin`, then `finish`, then `stop`. It keeps the contract of Servers.

    Without one of its nodes, the slots of the others still work.
    """

    nodes: list[RedisServer] = field(default_factory=list)
    announced_ports: list[int] = field(default_factory=list)  # that clients are referred to; none: the nodes' own
    _bus_ports: list[int] = field(default_factory=list)
    _met: bool = False

    @classmethod
    def begin(cls, workdir: Path, logs: Path, *, proxied: bool) -> RedisCluster:
        """Start the servers, which do not know each other yet. Raises ServiceFailed."""
        ports, bus_ports = free_ports(NODES), free_ports(NODES)
        cluster = cls([], free_ports(NODES) if proxied else [], bus_ports)
        try:
            for index, (port, bus_port) in enumerate(zip(ports, bus_ports, strict=True)):
                options = [
                    *("--cluster-enabled", "yes", "--cluster-port", str(bus_port)),
                    *("--cluster-config-file", f"nodes-{port}.conf", "--cluster-require-full-coverage", "no"),
                ]
                if proxied:
                    options += ["--cluster-announce-ip", "127.0.0.1", "--cluster-announce-bus-port", str(bus_port)]
                    options += ["--cluster-announce-port", str(cluster.announced_ports[index])]
                cluster.nodes.append(start_at(port, workdir, logs / f"redis-node-{index}.log", tuple(options)))
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @classmethod
    def borrow(cls, described: bytes, lender: int, _brokers: int) -> RedisCluster:
        """From what `described` returned there, the nodes of another process."""
        nodes = read_description(described, _LentCluster).nodes
        return cls([node.borrowed(f"redis node {index}", lender) for index, node in enumerate(nodes)])

    @property
    def children(self) -> Sequence[Child]:
        return [node.child for node in self.nodes]

    @property
    def ports(self) -> Sequence[int]:
        return [node.port for node in self.nodes]

    def proxy_ports(self) -> Sequence[tuple[int, int]]:
        return list(zip(self.announced_ports, self.ports, strict=True))

    def services_at(self, ports: Sequence[int]) -> Services:
        return Services(redis_url="redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports))

    @property
    def url(self) -> str:
        """The address of the nodes without a proxy."""
        return str(self.services_at(self.ports).redis_url)

    def finish(self) -> None:
        """Make the servers one cluster, and wait until each of them says so. Raises ServiceFailed."""
        import redis  # noqa: PLC0415 - it takes 0.2 s, and few runs need a cluster

        for node in self.nodes:
            node.finish()
        deadline = time.monotonic() + START_TIMEOUT_S
        clients = [redis.Redis(port=node.port, socket_timeout=START_TIMEOUT_S) for node in self.nodes]
        try:
            if not self._met:
                self._meet(clients)
            while not all(_is_whole(client) for client in clients):
                if time.monotonic() > deadline:
                    raise ServiceFailed(
                        f"the Redis cluster was not whole within {START_TIMEOUT_S:g} s; "
                        f"its log is {self.nodes[0].child.log}"
                    )
                time.sleep(0.05)
        except redis.RedisError as problem:
            raise ServiceFailed(
                f"the Redis cluster could not be made: {problem}; its log is {self.nodes[0].child.log}"
            ) from problem
        finally:
            for client in clients:
                client.close()

    def _meet(self, clients: list[redis.Redis]) -> None:
        share = -(-SLOTS // NODES)
        for index, client in enumerate(clients):
            last = min(SLOTS, (index + 1) * share) - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", index * share, last)  # type: ignore[no-untyped-call]  # redis-py's
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)  # type: ignore[no-untyped-call]  # as above
        for node, bus_port in zip(self.nodes[1:], self._bus_ports[1:], strict=True):
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus_port)  # type: ignore[no-untyped-call]  # as above
        self._met = True

    def start_again(self, index: int) -> None:
        """Start a node again after it was killed; it finds the others from its own file of nodes."""
        self.nodes[index].start_again()

    def check(self) -> None:
        """Raise ServiceFailed if a node has ended by itself."""
        for node in self.nodes:
            node.check()

    def counters(self, _run_id: str) -> RedisCounters:
        """What all nodes have counted for all clients: Redis does not tell them apart. Raises ServiceFailed."""
        return read_counters(node.url for node in self.nodes)

    def described(self) -> bytes:
        return describe(_LentCluster([Lent.of(node) for node in self.nodes]))

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


class _LentCluster(msgspec.Struct, frozen=True):
    nodes: list[Lent]


def _is_whole(client: redis.Redis) -> bool:
    info = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]  # redis-py's
    told = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
    facts = ("cluster_state", "ok"), ("cluster_known_nodes", str(NODES)), ("cluster_slots_ok", str(SLOTS))
    return all(told[name] == value for name, value in facts)
