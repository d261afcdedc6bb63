"""`chatbench worker`: provides members for the runs of another host, one run after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.core import settings as config
from harness.core.addresses import host_port
from harness.core.errors import Interrupted
from harness.core.open_files import raise_open_file_limit
from harness.core.registry import find_scenario, scenario_files
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.token import TOKEN_VARIABLE
from harness.ipc.driver_settings import WorkerSettings
from harness.services.processes import reason_in, spawn
from harness.services.workdir import discard, keep, make_logs_folder

CHECK_S = 0.2


def work_for(master: str, scenarios: Sequence[str], say: Callable[[str], None]) -> None:
    """Start a Locust worker for each run of the master at `master` (HOST:PORT), until SIGINT or SIGTERM.

    A worker knows the scenarios that come with chatbench and those in `scenarios` (names or paths). Raises UsageError
    or ServiceFailed.
    """
    host, port = host_port("--master", master)
    config.own_token()
    paths = [find_scenario(each) for each in scenarios]
    paths += [path for path in scenario_files().values() if path not in paths]
    raise_open_file_limit()
    logs = make_logs_folder()
    settings = WorkerSettings(
        master_host=host,
        master_port=port,
        scenarios=[str(path) for path in paths],
        audience_log=str(logs / "audience.log"),
    )
    with signals_interrupt():
        try:
            while True:
                say(f"waiting for a run at {master}")
                _work_once(settings, logs / "worker.log")
        except Interrupted:
            discard(logs)  # an interrupt is the normal end of this command; only after a failure the logs are kept
        except BaseException:
            keep(logs)
            raise


def _work_once(settings: WorkerSettings, log: Path) -> None:
    argv = [sys.executable, "-m", "harness.load.worker"]
    child = spawn("the Locust worker", argv, log, stdin=msgspec.json.encode(settings), secrets=[TOKEN_VARIABLE])
    try:
        while child.is_running:
            time.sleep(CHECK_S)
    finally:
        with signals_wait():
            child.stop()
    if child.process.returncode != 0:
        raise child.failed(f"the Locust worker ended: {reason_in(log)}; its log is {log}")
