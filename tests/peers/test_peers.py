"""Whether a peer can run on this machine, and the reason if it cannot."""

from __future__ import annotations

import importlib.util
import shutil
import stat
from pathlib import Path

import pytest

from architectures.interface import BadTopology, Topology
from harness.core.errors import ServiceFailed, UsageError
from harness.core.registry import load_candidate
from harness.core.settings import RunSettings
from harness.core.validation import validate
from harness.services.gateway_program import OWN, program_of
from peers.channels.peer import Channels
from peers.python_socketio.peer import PythonSocketio
from peers.socketio.peer import SocketIo


def a_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_packages_that_are_missing_are_named_with_what_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert PythonSocketio.missing() == (
        "python-socketio needs socketio, uvicorn, which are not installed; pip install 'chatbench[peers]'"
    )
    with pytest.raises(UsageError, match="channels needs channels, channels_redis, uvicorn"):
        validate(RunSettings(arch="channels"), Channels)


def test_without_node_or_with_an_old_one_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "npm" else f"/usr/bin/{name}")
    assert SocketIo.missing() == "socketio needs Node.js 18 or newer, with npm, and there is no npm here; install it"
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    a_program(tmp_path, "node", "echo v16.20.2")
    assert (
        SocketIo.missing() == "socketio needs Node.js 18 or newer, with npm, and this is 16.20.2; install a newer one"
    )
    a_program(tmp_path, "node", "echo v24.1.0")
    assert SocketIo.missing() is None


def test_a_layer_that_channels_does_not_have_is_one_clear_sentence() -> None:
    with pytest.raises(BadTopology, match="layer=memory is not a layer of channels_redis; use core or pubsub"):
        Channels.check(Topology(run_id="r", gateways=2, options={"layer": "memory"}))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (RunSettings(arch="channels", tick_s=0.02), "--tick is for chatbench's own gateway, but channels brings"),
        (RunSettings(arch="channels", gateways_at=("ws://127.0.0.1:1",)), "--gateways-at is for chatbench's own"),
        (RunSettings(arch="channels", redis_url="redis+sentinel://one/main"), "is set up for one server"),
        (RunSettings(arch="channels", kafka_bootstrap="one:9092"), "channels uses no Kafka"),
        (RunSettings(arch="channels", faults=("kill:broker@1s",)), "channels has no"),
    ],
)
def test_what_is_not_for_a_peer_is_one_clear_sentence(settings: RunSettings, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        validate(settings, load_candidate(settings.arch))


def test_packages_are_fetched_once_and_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path / "cache"))
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    told: list[tuple[str, int, int]] = []
    a_program(bin_folder, "npm", "echo 'npm error network is down' >&2; exit 1")
    with pytest.raises(ServiceFailed, match=r"npm could not install the packages of Socket\.IO: npm error network"):
        program_of(SocketIo, lambda *news: told.append(news))
    assert list((tmp_path / "cache" / "peers").iterdir()) == []

    a_program(bin_folder, "npm", f"echo once >> {tmp_path}/calls; mkdir node_modules")
    first = program_of(SocketIo, lambda *news: told.append(news))
    assert program_of(SocketIo, lambda *news: pytest.fail("it is there")) == first
    assert (tmp_path / "calls").read_text() == "once\n"
    assert first.scheme == "socket.io"
    assert Path(first.argv[-1]).is_file()
    assert told[-1] == ("packages of Socket.IO", 1, 1)


def test_an_architecture_runs_in_chatbenchs_own_gateway() -> None:
    assert program_of(load_candidate("redis"), lambda *_news: None) is OWN
