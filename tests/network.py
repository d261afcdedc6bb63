"""Hosts as network namespaces, joined by a bridge in another namespace, without effect on the machine's own network."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

CLONE_NEWNET = 0x40000000  # linux/sched.h
ETC = Path("/etc/netns")
NOBODY: Mapping[str, Sequence[str]] = MappingProxyType({})
_libc = ctypes.CDLL(None, use_errno=True)


class NotPermitted(Exception):
    """This machine lets nobody make a network; the text says why."""


def _ip(*arguments: str) -> None:
    answer = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise NotPermitted(f"ip {' '.join(arguments)}: {answer.stderr.strip()}")


class Network:
    """Hosts by name, with addresses 10.99.0.1, 10.99.0.2, ... in the order of their names."""

    def __init__(self, hosts: Sequence[str], names: Mapping[str, Sequence[str]] = NOBODY) -> None:
        """`names`: what else stands for some of the hosts, for processes that `on` has started."""
        self._prefix = f"chatbench-{os.getpid()}"
        self._bridge = f"{self._prefix}-bridge"
        self._hosts = hosts
        self._names = names
        self.addresses = {host: f"10.99.0.{number}" for number, host in enumerate(hosts, 1)}

    def make(self) -> None:
        """Raises NotPermitted."""
        if shutil.which("ip") is None:
            raise NotPermitted("there is no iproute2 here")
        _ip("netns", "add", self._bridge)
        _ip("-n", self._bridge, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._bridge, "link", "set", "bridge", "up")
        for number, host in enumerate(self._hosts, 1):
            namespace = self._namespace(host)
            _ip("netns", "add", namespace)
            self._write_names(namespace)
            _ip("-n", self._bridge, "link", "add", f"to-{number}", "type", "veth", "peer", "eth0", "netns", namespace)
            _ip("-n", self._bridge, "link", "set", f"to-{number}", "master", "bridge", "up")
            _ip("-n", namespace, "address", "add", f"{self.addresses[host]}/24", "dev", "eth0")
            _ip("-n", namespace, "link", "set", "eth0", "up")
            _ip("-n", namespace, "link", "set", "lo", "up")

    def _write_names(self, namespace: str) -> None:
        """Where `ip netns exec` finds what it shows as /etc/hosts."""
        folder = ETC / namespace
        folder.mkdir(parents=True, exist_ok=True)
        named = [(name, host) for name, hosts in self._names.items() for host in hosts]
        lines = [f"{self.addresses[host]} {name}\n" for name, host in named]
        (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))

    def on(self, host: str, argv: Sequence[str]) -> list[str]:
        """That command, on that host, with a file of hosts that has the names."""
        return ["ip", "netns", "exec", self._namespace(host), *argv]

    def _namespace(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def cut(self, host: str) -> None:
        """From now on no packet comes from there, and none gets there."""
        self._set_link(host, "down")

    def heal(self, host: str) -> None:
        self._set_link(host, "up")

    def _set_link(self, host: str, state: str) -> None:
        _ip("-n", self._bridge, "link", "set", f"to-{self._hosts.index(host) + 1}", state)

    @contextlib.contextmanager
    def at(self, host: str) -> Iterator[None]:
        """This thread, and the processes that it starts, are on that host."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{self._namespace(host)}") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def remove(self) -> None:
        for namespace in (*map(self._namespace, self._hosts), self._bridge):
            with contextlib.suppress(NotPermitted):  # it was not made
                _ip("netns", "delete", namespace)
            shutil.rmtree(ETC / namespace, ignore_errors=True)


@contextlib.contextmanager
def made_network(hosts: Sequence[str], names: Mapping[str, Sequence[str]] = NOBODY) -> Iterator[Network]:
    """A network that is there until the end; skips the test on a machine that lets nobody make one."""
    network = Network(hosts, names)
    try:
        try:
            network.make()
            with network.at(hosts[0]):
                pass
            subprocess.run(network.on(hosts[0], ["true"]), check=True)
        except (NotPermitted, subprocess.CalledProcessError) as why:
            pytest.skip(f"no network namespaces can be made here: {why}")
        yield network
    finally:
        network.remove()


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        raise NotPermitted(f"setns: {os.strerror(ctypes.get_errno())}")
