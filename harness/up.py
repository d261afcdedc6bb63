"""`chatbench up`: services and gateways without a load, for a Locust that runs on its own."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from architectures.interface import Architecture
from harness import config
from harness.config import RunSettings
from harness.errors import Interrupted
from harness.services.backends import Backends
from harness.services.stack import Stack
from harness.signals import signals_interrupt, signals_wait


def stay_up(settings: RunSettings, architecture: type[Architecture], say: Callable[[str], None]) -> None:
    """Start everything, say {"gateways": [url, ...]} in one line, and wait for SIGINT or SIGTERM.

    Raises UsageError or ServiceFailed; everything is stopped when it returns or raises.
    """
    config.validate(settings, architecture)
    config.raise_open_file_limit()
    logs = Path(tempfile.mkdtemp(prefix="chatbench-logs-"))
    backends = Backends(architecture.requires, settings.brokers, logs)
    stack = Stack(architecture, config.topology(settings, architecture), backends, logs)
    with signals_interrupt():
        try:
            backends.begin(lambda _done, _total: None)
            fleet = stack.start()
            say(msgspec.json.encode({"gateways": fleet.urls, "logs": str(logs)}).decode())
            while True:
                time.sleep(0.5)
                stack.check()
        except Interrupted:
            shutil.rmtree(logs)  # the way this command ends; after a failure the logs stay
        finally:
            with signals_wait():
                stack.stop()
                backends.stop()
