import subprocess
import sys

import pytest

LOOP = "from gevent import get_hub; print(get_hub().loop.backend)"


def backend_after(imports: str, environment: dict[str, str] | None = None) -> str:
    """Return the backend of gevent's loop in a new process: in this one gevent must not be imported."""
    code = f"{imports}; {LOOP}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()


@pytest.mark.parametrize("module", ["precise_timers", "driver", "worker"])
def test_the_loop_of_a_locust_process_does_not_wait_in_whole_milliseconds(module: str) -> None:
    assert backend_after(f"import harness.load.{module}") == "select"


def test_a_user_may_choose_another_backend() -> None:
    assert backend_after("import harness.load.precise_timers", {"GEVENT_BACKEND": "poll"}) == "poll"
