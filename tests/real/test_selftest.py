"""`chatbench selftest` on this machine: counts must be exact, while times depend on what else runs here."""

from __future__ import annotations

from pathlib import Path

import msgspec

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
