"""`chatbench selftest` on this machine: counts must be exact, while times depend on what else runs here."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.command_line import refusal
from tests.real.runs import chatbench

COUNTS = ("acked", "delivered", "lost", "lost, though acked", "duplicated", "reordered")


def test_every_injected_count_is_reported_exactly_and_a_starved_driver_is_seen(tmp_path: Path) -> None:
    answer = chatbench("selftest", "--json", "--out", str(tmp_path))
    assert answer.returncode in (0, 4, 5), answer.stderr
    checks = {check["what"]: check for check in msgspec.json.decode(answer.stdout)}
    for count in COUNTS:
        assert checks[count]["held"] is True, checks[count]
    assert checks["a driver with too little CPU time for its load"]["held"] is True
    # Not whether they held: a benchmark is not a timed test. That they were measured at all is.
    times = [
        check for what, check in checks.items() if what.startswith(("p50", "p99", "delivery latency", "gateway CPU"))
    ]
    assert len(times) == 6
    assert all(any(digit.isdigit() for digit in check["reported"]) for check in times)
    assert (answer.returncode == 0) == all(check["held"] for check in checks.values())


def test_an_architecture_is_compared_with_itself_in_blocks(tmp_path: Path) -> None:
    short = ["--names", "2", "--rounds", "2", "--duration", "1s"]
    answer = chatbench("selftest", "--long", "--arch", "direct", *short, "--json", "--out", str(tmp_path))
    assert answer.returncode in (0, 4, 5), answer.stderr
    assert "block 2, direct (B)" in answer.stderr
    checks = msgspec.json.decode(answer.stdout)
    assert {check["held"] for check in checks} <= {True, False, None}
    costs = [check for check in checks if "cost" in check["what"]]
    assert len(costs) == 2
    assert all("direct (A) over direct (B)" in check["what"] or check["held"] is None for check in costs)
    (folder,) = tmp_path.iterdir()
    assert msgspec.json.decode((folder / "selftest.json").read_bytes()) == checks


def test_what_only_the_long_one_has_is_refused_without_it(tmp_path: Path) -> None:
    refused = refusal("selftest", "--rounds", "2", "--names", "2", "--out", tmp_path)
    assert "only --long compares architectures; leave --names, --rounds out" in refused
