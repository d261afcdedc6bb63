"""The plug-in of plain `locust -f`, in a process of its own because Locust patches the one that imports it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCHED = Path("/proc/self/sched")
STARTED = """
import locust
from locust.env import Environment
from harness.load import locust_plugin

locust_plugin.Standalone = locust_plugin.serve_coordinator = lambda *_: None
locust_plugin.install(locust.events)
locust.events.init.fire(environment=Environment(events=locust.events))
print(open("/proc/self/sched").read())
"""


@pytest.mark.skipif(not SCHED.exists() or "se.slice" not in SCHED.read_text(), reason="the kernel does not tell")
def test_a_plain_locust_process_has_short_slices() -> None:
    printed = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"se\.slice +: +(\d+)", printed) == ["100000"]
