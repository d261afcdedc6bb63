"""`chatbench up` lends its services to the next run, one run at a time."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from architectures.interface import Requirements
from harness.services import lease as standing
from harness.services.lease import borrow
from tests.real.runs import CHATBENCH, services_up

REDIS, BOTH = Requirements(redis=True), Requirements(kafka=True, redis=True)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """With a temporary folder of its own, so that no run elsewhere borrows what it has."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("up")
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        with services_up() as process:
            yield process


def test_a_run_takes_them_measures_them_and_leaves_them_running(up: subprocess.Popen[str], tmp_path: Path) -> None:
    for _ in range(2):
        command = [*CHATBENCH, "run", "--arch", "plan2", "--members", "4", "--duration", "2s", "--warmup", "1s"]
        run = subprocess.run(
            [*command, "--json", "--out", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode in (0, 4), run.stderr
        assert "on the services of `chatbench up`" in run.stderr
        summary = msgspec.json.decode(run.stdout)
        assert (summary["lost"], summary["duplicated"]) == (0, 0)
        assert summary["services"] == "chatbench up"
        assert summary["kafka"]["records_per_message"] == 1
        assert summary["cpu_us_per_delivery"]["kafka"] > 0
        assert summary["rss_bytes"]["kafka"] > 0
        assert up.poll() is None


def test_they_are_lent_to_one_at_a_time_and_only_for_what_they_are(up: subprocess.Popen[str]) -> None:
    assert borrow(BOTH, brokers=3) is None, "it runs one broker"
    lent = borrow(REDIS, brokers=1)
    assert lent is not None
    assert lent.lender == up.pid
    assert borrow(BOTH, brokers=1) is None, "it is taken"
    lent.stop()
    again = borrow(BOTH, brokers=1)
    assert again is not None
    again.check()
    again.stop()


def test_nothing_is_borrowed_from_another_user_or_from_what_is_no_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "chatbench-1-x"
    folder.mkdir()
    (folder / standing.FILE).write_text("{}")
    assert borrow(Requirements(), brokers=1) is None
    (folder / standing.FILE).write_text('{"pid": 1, "backends": {}}')
    lent = borrow(Requirements(), brokers=1)
    assert lent is not None
    lent.stop()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert borrow(Requirements(), brokers=1) is None
