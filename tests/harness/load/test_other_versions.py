"""Locust processes with different chatbench say so at once. Each test is a new process, because Locust patches it."""

from __future__ import annotations

import subprocess
import sys

ADVICE = "install the same on both hosts"
START = """
from pathlib import Path
from types import SimpleNamespace

import msgspec

from harness.load.coordinator import Coordinator
from harness.load.member_pool import serve_coordinator
from harness.load.scenario import load_scenarios
from harness.load.worker import member_environment
from harness.core.errors import UsageError
from harness.core.registry import find_scenario, source_digests
from harness.core.settings import RunSettings
from harness.ipc import messages as msg
from importlib.metadata import version

environment = member_environment(load_scenarios([str(find_scenario("big_room"))]))
sources = source_digests(environment.user_classes)
handlers = {}
load = msg.Load.of(RunSettings(arch="plan1"), 1, {})


def connect(send):
    environment.runner = SimpleNamespace(register_message=handlers.__setitem__, send_message=send)


def hear(name, data):
    handlers[name](environment=environment, msg=SimpleNamespace(data=msgspec.msgpack.encode(data), node_id="local"))
"""
MASTER = """
def answer(_name, _order, client_id):
    hear(msg.NEWS, news)


connect(answer)
same = {"type": "Assembled", "version": version("chatbench"), "sources": sources, "protocol": msg.protocol()}
older = {name: same[name] for name in ("type", "version", "sources")}
refusing = msg.Broken(problem=msg.OTHER_PROTOCOL)
for news in (same, older, {**same, "protocol": "another"}, {**same, "sources": 3}, refusing):
    try:
        Coordinator(environment, print).assemble(load, ["ws://127.0.0.1:1"], 1000.0)
        print("assembled")
    except (UsageError, TimeoutError) as problem:
        print(problem)
"""
WORKER = """
connect(lambda _name, news: print(msgspec.msgpack.decode(news)["problem"]))
serve_coordinator(environment, Path("unused"))
order = msgspec.to_builtins(msg.Assemble(load=load, classes=[], kinds=[], urls=[], worker=0, workers=1))
hear(msg.ORDER, order)
hear(msg.ORDER, {name: order[name] for name in order if name != "kinds"})
"""


def printed(code: str) -> list[str]:
    found = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


def test_a_master_takes_only_workers_with_the_same_messages_whatever_their_version() -> None:
    same, *others = printed(MASTER)
    assert same == "assembled"
    assert [ADVICE in other for other in others] == [True] * 4


def test_a_worker_refuses_a_master_that_is_older() -> None:
    assert [ADVICE in told for told in printed(WORKER)] == [True] * 2
