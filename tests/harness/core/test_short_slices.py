import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCHED = Path("/proc/self/sched")


def printed(expression: str, first: str = "") -> str:
    """Return what the expression is in a new process of nice 3, after it has asked for short slices."""
    code = (
        f"import os; os.nice(3); {first}\n"
        "from harness.core.short_slices import ask_for_short_slices\n"
        f"ask_for_short_slices(); print({expression})"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_keeps_its_niceness() -> None:
    assert int(printed("os.nice(0)")) == min(19, os.nice(0) + 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this policy")
def test_a_process_keeps_a_policy_that_its_user_gave_it() -> None:
    batch = "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"
    assert printed("ask_for_short_slices(), os.sched_getscheduler(0) == os.SCHED_BATCH", first=batch) == "False True"


@pytest.mark.skipif(not SCHED.exists() or "se.slice" not in SCHED.read_text(), reason="the kernel does not tell")
def test_the_kernel_gives_the_shortest_slices() -> None:
    (slice_ns,) = re.findall(r"se\.slice +: +(\d+)", printed("open('/proc/self/sched').read()"))
    assert int(slice_ns) == 100_000
